"""What the README shows works as it is printed."""

import re
import subprocess
import sys
from pathlib import Path


def blocks(repository: Path, language: str) -> list[str]:
    text = (repository / "README.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_python_example_runs(repository: Path, tmp_path: Path) -> None:
    (example,) = blocks(repository, "python")
    check = "assert coloured.shape == (4, 3, 32, 32) and 0 <= coloured.min() and coloured.max() <= 1\n"
    done = subprocess.run(
        [sys.executable, "-c", example + check], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_files_and_commands_that_it_names_are_there(repository: Path) -> None:
    text = (repository / "README.md").read_text()
    for path in re.findall(r"\]\(([\w./]+)\)", text) + re.findall(r"experiments/\S+\.yaml", text):
        assert (repository / path).exists(), path
    makefile = (repository / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z-]+)", " ".join(blocks(repository, "sh"))):
        assert f"\n{target}:" in makefile

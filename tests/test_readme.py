"""The examples in the README and in docs/ run, and the files that they name exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from imgcolor.networks import (
    EDSR,
    ChromaUNet,
    ColourCNN,
    ColourUNet,
    ConvStack,
    RegressionCNN,
    ResidualUNet,
    ResidualUpscaler,
)

PAGES = sorted(path.name for path in (Path(__file__).parents[1] / "docs").glob("*.md"))


def blocks(repository: Path, language: str) -> list[str]:
    text = (repository / "README.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_python_examples_run(repository: Path, tmp_path: Path) -> None:
    pipeline, training = blocks(repository, "python")
    check = "assert coloured.shape == (4, 3, 32, 32) and 0 <= coloured.min() and coloured.max() <= 1\n"
    for example in (pipeline, training + check):
        done = subprocess.run(
            [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "coloured.png").is_file()


def test_readme_is_short(repository: Path) -> None:
    text = (repository / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    assert len(text.split()) <= 1000


def test_named_files_and_make_targets_exist(repository: Path) -> None:
    text = (repository / "README.md").read_text()
    for path in re.findall(r"\]\(([\w./]+)\)", text) + re.findall(r"experiments/\S+\.yaml", text):
        assert (repository / path).exists(), path
    makefile = (repository / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z-]+)", " ".join(blocks(repository, "sh"))):
        assert f"\n{target}:" in makefile


@pytest.mark.parametrize("page", PAGES)
def test_files_named_in_a_page_exist(page: str, repository: Path) -> None:
    text = (repository / "docs" / page).read_text()
    for path in re.findall(r"\]\(([\w./]+)\)", text):
        assert (repository / "docs" / path).exists(), path
    for path in re.findall(r"experiments/\S+\.yaml", text):
        assert (repository / path).exists(), path


@pytest.mark.parametrize("page", ["own_images.md", "own_network.md"])
def test_examples_of_a_page_run(page: str, repository: Path) -> None:
    text = (repository / "docs" / page).read_text()
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {"__name__": "mine"}
    exec(example, names)
    if page == "own_images.md":
        degraded, original = names["batch"]  # type: ignore[misc]  # a Batch
        assert (degraded.shape, original.shape) == ((50, 1, 32, 32), (50, 3, 32, 32))
    else:
        network = names["AddColour"](depth=3)  # type: ignore[operator]  # the class
        assert network(torch.rand(2, 1, 20, 30)).shape == (2, 3, 20, 30)


NETWORKS: list[nn.Module] = [
    RegressionCNN(),
    ColourCNN(),
    ColourUNet(),
    ColourUNet(in_channels=3, scale_factor=4),
    ConvStack(),
    ResidualUNet(24, (32, 64, 96, 128)),
    ResidualUNet(3, (32, 64, 96, 128)),
    ResidualUpscaler(fine_blocks=2),
    ResidualUNet(3, (16, 32, 48, 96, 128)),
    ChromaUNet(),
    EDSR(),
]


def test_networks_page_has_the_right_parameter_counts(repository: Path) -> None:
    text = (repository / "docs" / "networks.md").read_text()
    rows = re.findall(r"^\|[^|]+\|[^|]+\| ([\d,]+) \|", text, re.MULTILINE)
    assert rows == [f"{sum(p.numel() for p in network.parameters()):,}" for network in NETWORKS]
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    *lines, last = example.strip().splitlines()
    names: dict[str, object] = {}
    exec("\n".join(lines), names)
    assert eval(last, names) == (1, 3, 45, 61)

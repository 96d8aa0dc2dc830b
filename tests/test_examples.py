import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples" / "notebook.ipynb"
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_prints_its_result(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(example)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    word = {"other_network": "val/margin12", "other_module": "restored epoch", "plain_torch": "epoch 2:"}
    assert word[example.stem] in done.stdout


def test_notebook_runs_and_shows_images(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    kept = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:  # the same cells with fewer images
        cell.source = cell.source.replace(
            "train_images=1000, val_images=200", "train_images=100, val_images=50"
        )
    assert [cell.source for cell in notebook.cells] != kept
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3  # images, curves, a photo
    printed = [output.text for output in outputs if output.get("name") == "stdout"]
    assert any(text.startswith("accuracy ") for text in printed)

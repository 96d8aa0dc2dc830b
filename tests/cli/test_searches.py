"""Lightning's searches for a learning rate and a batch size, as callbacks of `imgcolor fit`."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from imgcolor.cli.main import main

FIT = "experiments/horses/colour_unet.yaml"
SMALL = "--model.network.base_channels=4"


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("search", "name", "keys"),
    [
        ("LearningRateFinder", "learning rate", ["model", "init_args", "optimizer", "init_args", "lr"]),
        ("BatchSizeFinder", "batch size", ["data", "init_args", "batch_size"]),
    ],
)
def test_search_is_told_drawn_and_recorded(
    tiny_fit: Callable[..., Path],
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
    search: str,
    name: str,
    keys: list[str],
) -> None:
    folder = tiny_fit(FIT, SMALL, f"--trainer.callbacks+={search}")
    found = json.loads((folder / "run.json").read_text())["found"][name]
    assert f"{search}: {name} {found:.3g} (before: " in capsys.readouterr().err
    with Image.open(folder / f"{name.replace(' ', '_')}_search.png") as plot:
        assert plot.width > 500
    value = yaml.safe_load((folder / "config.yaml").read_text())
    assert value["trainer"]["callbacks"] == []
    for key in keys:
        value = value[key]
    assert value == found
    if search == "BatchSizeFinder":
        assert found == 32  # the first power of two above the number of images
    else:
        assert 1e-4 < found < 1
        assert {float(row["lr"]) for row in rows(folder)} == {found}
    # The search itself changes nothing else.
    assert main(["fit", "--config", str(folder / "config.yaml")]) == 0
    assert rows(folder.with_name("version_1")) == rows(folder)


@pytest.mark.parametrize("search", ["LearningRateFinder", "BatchSizeFinder"])
def test_search_with_a_one_cycle_schedule_is_refused(
    workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str], search: str
) -> None:
    options = [
        "--model.network.hidden_channels=[4]",
        "--data.source=synthetic",
        "--data.train_images=24",
        "--data.val_images=10",
    ]
    options += ["--trainer.precision=32", "--trainer.enable_progress_bar=false", "--data.batch_size=8"]
    experiment = repository / "experiments/horses/best_regression.yaml"
    assert main(["fit", "--config", str(experiment), *options, f"--trainer.callbacks+={search}"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert search in error
    assert "OneCycleLR" in error
    assert not list(workplace.rglob("*.ckpt"))

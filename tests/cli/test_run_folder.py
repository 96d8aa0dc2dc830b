"""The run folder with every kind of logger."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imgcolor.cli.main import main

FIT = "experiments/quickstart.yaml"
SMALL = ("--model.network.hidden_channels=[4]", "--trainer.max_epochs=1")
FILES = {"config.yaml", "run.json", "metrics.csv", "metrics.json", "curves.png", "checkpoints", "images"}

# Like the loggers of services: no folder of a run, and a version that is no number.
SERVICE = """
from lightning.pytorch.loggers import Logger

class Service(Logger):
    name, version = "project", "x7k2"
    def log_metrics(self, metrics, step=None):
        pass
    def log_hyperparams(self, params):
        pass
"""


@pytest.mark.parametrize(
    ("options", "place"),
    [
        (["--trainer.logger=false"], "lightning_logs"),
        (["--trainer.logger=mine.Service"], "lightning_logs"),
        (["--trainer.logger=CSVLogger", "--trainer.logger.save_dir=runs"], "runs/quickstart"),
    ],
    ids=["none", "service", "csv"],
)
def test_each_run_has_a_new_folder(
    workplace: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    place: str,
) -> None:
    (workplace / "mine.py").write_text(SERVICE)
    monkeypatch.setattr(sys, "path", [*sys.path])
    data = ["--data.train_images=24", "--data.val_images=10", "--trainer.enable_progress_bar=false"]
    words = ["fit", "--config", str(repository / FIT), *data, *SMALL, *options]
    assert main(words) == 0
    assert main([*words, "--trainer.max_epochs=2", "--ckpt_path=last"]) == 0
    folders = [workplace / place / f"version_{number}" for number in range(2)]
    for folder in folders:
        assert {path.name for path in folder.iterdir()} >= FILES
        assert json.loads((folder / "run.json").read_text())["status"] == "finished"
    with (folders[1] / "metrics.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1"]
    top = {path.name for path in workplace.iterdir()} - {"mine.py", "__pycache__"}
    assert top == {place.partition("/")[0]}
    assert f"{place}/version_1/checkpoints/last.ckpt" in capsys.readouterr().out


def test_csv_logger_keeps_its_own_file(tiny_fit: Callable[..., Path]) -> None:
    loggers = '[{"class_path": "CSVLogger", "init_args": {"save_dir": "lightning_logs"}}]'
    folder = tiny_fit(FIT, *SMALL, f"--trainer.logger={loggers}")
    with (folder / "csv_logger.csv").open() as file:
        assert "val/loss" in next(csv.reader(file))


def test_folder_of_another_run_is_refused(
    tiny_fit: Callable[..., Path], repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_fit(FIT, *SMALL, "--trainer.logger.version=3")
    before = sorted(folder.iterdir())
    assert main(["fit", "--config", str(folder / "config.yaml")]) == 1
    assert "version_3: expected a new folder" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before


AVERAGING = "--trainer.callbacks.swa_lrs=0.01"
PRUNING = "--trainer.callbacks.pruning_fn=l1_unstructured"


@pytest.mark.parametrize(
    "callback", [("StochasticWeightAveraging", AVERAGING), ("ModelPruning", PRUNING), ("own.Own", "")]
)
def test_config_repeats_a_run_with_other_callbacks(
    tiny_fit: Callable[..., Path],
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    callback: tuple[str, str],
) -> None:
    monkeypatch.syspath_prepend(workplace)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    (workplace / "own.py").write_text(OWN_CALLBACK)
    name, *options = [option for option in callback if option]
    options = ["--trainer.max_epochs=1", f"--trainer.callbacks={name}", *options]
    folder = tiny_fit("experiments/horses/regression_cnn.yaml", "--model.network.base_channels=2", *options)
    written = (folder / "config.yaml").read_text()
    line = "config.yaml: expected values that can be written, found objects of Python as key"
    assert (line in capsys.readouterr().err) == (name == "own.Own")
    if name != "own.Own":
        assert main(["fit", "--config", str(folder / "config.yaml")]) == 0
        assert (folder.with_name("version_1") / "config.yaml").read_text() == written


OWN_CALLBACK = """
from collections.abc import Callable

from lightning.pytorch import Callback


class Own(Callback):
    def __init__(self, key: Callable[[int], int] = lambda number: number) -> None:
        super().__init__()
"""

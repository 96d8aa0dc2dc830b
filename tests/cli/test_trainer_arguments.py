import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from imgcolor.cli.main import main

FIT = "experiments/quickstart.yaml"
SMALL = "--model.network.hidden_channels=[4]"
TINY_DATA = ["--data.train_images=20", "--data.val_images=10", "--data.batch_size=10"]


def steps(folder: Path) -> list[str]:
    with (folder / "metrics.csv").open() as file:
        return [row["step"] for row in csv.DictReader(file)]


def test_overfit_batches_trains_on_one_batch(tiny_fit: Callable[..., Path]) -> None:
    assert steps(tiny_fit(FIT, SMALL, "--trainer.overfit_batches=1")) == ["1", "2"]


@pytest.mark.parametrize(
    ("argument", "missing"),
    [
        ("enable_checkpointing=false", "checkpoints"),
        ("limit_val_batches=0", "checkpoints/best.ckpt"),
        ("profiler=pytorch", ""),
        ("callbacks=Timer", ""),
    ],
)
def test_argument_works(tiny_fit: Callable[..., Path], argument: str, missing: str) -> None:
    folder = tiny_fit(FIT, SMALL, f"--trainer.{argument}", "--trainer.max_epochs=1")
    assert steps(folder) == ["3"]
    assert not missing or not (folder / missing).exists()


def test_barebones_writes_nothing(workplace: Path, repository: Path) -> None:
    options = [*TINY_DATA, SMALL, "--trainer.barebones=true", "--trainer.max_epochs=1"]
    assert main(["fit", "--config", str(repository / FIT), *options]) == 0
    assert not list(workplace.iterdir())


@pytest.mark.parametrize(
    "argument",
    [
        "precision=64-true",
        "limit_val_batches=0.5",
        "overfit_batches=0.1",
        "val_check_interval=100",
        "strategy=ddp_spawn",
    ],
)
def test_argument_is_refused_before_the_run(
    workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str], argument: str
) -> None:
    assert main(["fit", "--config", str(repository / FIT), *TINY_DATA, f"--trainer.{argument}"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"imgcolor: error: --trainer.{argument.partition('=')[0]}: expected")
    assert not list(workplace.iterdir())

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from image_helpers import noise, save
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
        ("val_check_interval=00:00:01:00", ""),
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


def measured(folder: Path) -> dict[str, float]:
    """The values of the network and of the baselines on the validation images."""
    values = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in values.items() if name.startswith(("val/", "baseline/"))}


def test_all_metrics_are_of_the_images_that_limits_leave(
    tiny_fit: Callable[..., Path], workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(10):
        folders = ["some/train", "all/train", "all/val", *(["some/val"] if number < 5 else [])]
        for folder in folders:
            save(workplace / folder / f"{number}.png", noise(32, 32, number))
    options = (FIT, SMALL, "--data.source=folder", "--data.eval_batch_size=5", "--trainer.max_epochs=1")
    expected = measured(tiny_fit(*options, "--data.root=some"))
    limited = tiny_fit(*options, "--data.root=all", "--trainer.limit_val_batches=1")
    assert "the first 5 of 10 images" in capsys.readouterr().out
    assert measured(limited) == pytest.approx(expected)
    words = ["--config", str(limited / "config.yaml"), "--ckpt_path", str(limited / "checkpoints/last.ckpt")]
    assert main(["test", *words, "--trainer.limit_test_batches=1"]) == 0
    assert "the first 5 of 10 images" in capsys.readouterr().out
    tested = json.loads((limited.with_name("version_2") / "metrics.json").read_text())
    assert {name.replace("test/", "val/"): value for name, value in tested.items()} == pytest.approx(expected)


def test_resumed_run_with_other_images_measures_the_baselines_again(tiny_fit: Callable[..., Path]) -> None:
    options = (FIT, SMALL, "--trainer.max_epochs=2")
    first = tiny_fit(*options, "--trainer.max_epochs=1")
    last = str(first / "checkpoints" / "last.ckpt")
    resumed = measured(tiny_fit(*options, "--data.val_images=5", "--ckpt_path", last))
    expected = measured(tiny_fit(*options, "--data.val_images=5"))
    assert resumed == pytest.approx(expected)


def test_best_checkpoint_has_the_highest_psnr(tiny_fit: Callable[..., Path]) -> None:
    folder = tiny_fit(FIT, SMALL, "--model.optimizer.lr=0.3", "--checkpoint.monitor=val/psnr", *TOP_TWO)
    with (folder / "metrics.csv").open() as file:
        values = [float(row["val/psnr"]) for row in csv.DictReader(file)]
    ranked = sorted(range(4), key=values.__getitem__, reverse=True)
    found = {path.stem for path in (folder / "checkpoints").glob("best*.ckpt")}
    assert found == {f"best-epoch={epoch}" for epoch in ranked[:2]}


TOP_TWO = ("--checkpoint.save_top_k=2", "--checkpoint.filename=best-{epoch}", "--trainer.max_epochs=4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--checkpoint.save_top_k=2"], "save_top_k: expected 0 or 1 with the file name best"),
        (["--checkpoint.monitor=val/psnr", "--checkpoint.mode=min"], "mode: expected max"),
        (["--checkpoint.monitor=val/own"], "mode: expected min or max for val/own"),
        (["--trainer.callbacks=EarlyStopping", "--trainer.callbacks.monitor=val/psnr"], "mode: expected max"),
    ],
)
def test_checkpoint_that_would_not_be_the_best_is_refused(
    workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["fit", "--config", str(repository / FIT), *TINY_DATA, *options]) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not list(workplace.iterdir())

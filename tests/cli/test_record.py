import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from imgcolor.cli.main import main

CNN = "experiments/horses/regression_cnn.yaml"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_row_has_the_origin_and_metrics_of_a_run(tiny_fit: Callable[..., Path], workplace: Path) -> None:
    folder = tiny_fit(CNN, "--model.network.base_channels=2", "--seed_everything=5")
    origin = json.loads((folder / "run.json").read_text())
    assert origin["command"].startswith("imgcolor fit --config ")
    assert "--model.network.base_channels=2" in origin["command"]
    assert origin["status"] == "finished"
    assert "threads" in origin["hardware"]
    assert main(["record", "results.csv", str(folder)]) == 0
    (row,) = rows(workplace / "results.csv")
    assert row["experiment"] == CNN
    assert row["seed"] == "5"
    assert row["epochs"] == "2"
    assert "--model.network.base_channels=2" in row["overrides"]
    assert "data.source" not in row["overrides"]
    assert row["images"] == "synthetic"
    final = json.loads((folder / "metrics.json").read_text())
    assert float(row["val/mse"]) == pytest.approx(final["val/mse"], rel=1e-5)
    assert float(row["baseline/grey_lookup/mse"]) == pytest.approx(
        final["baseline/grey_lookup/mse"], rel=1e-5
    )


def test_repeated_run_replaces_its_row(tiny_fit: Callable[..., Path], workplace: Path) -> None:
    folders = [
        tiny_fit(CNN, "--model.network.base_channels=2", f"--seed_everything={seed}") for seed in (1, 1, 2)
    ]
    assert main(["record", "results.csv", str(folders[0])]) == 0
    assert main(["record", "results.csv", *map(str, folders[1:])]) == 0
    assert [row["seed"] for row in rows(workplace / "results.csv")] == ["1", "2"]


def test_resumed_run_belongs_to_its_experiment(tiny_fit: Callable[..., Path], workplace: Path) -> None:
    folder = tiny_fit(CNN, "--model.network.base_channels=2")
    options = [
        "--config",
        str(folder / "config.yaml"),
        "--ckpt_path",
        str(folder / "checkpoints" / "last.ckpt"),
    ]
    assert main(["fit", *options, "--trainer.max_epochs=3", "--trainer.enable_progress_bar=false"]) == 0
    assert main(["record", "results.csv", str(folder.with_name("version_1"))]) == 0
    (row,) = rows(workplace / "results.csv")
    assert (row["experiment"], row["epochs"], row["seed"]) == (CNN, "3", "0")
    assert "--model.network.base_channels=2" in row["overrides"]
    assert "--trainer.max_epochs=3" in row["overrides"]


def test_epochs_adds_rows_of_shorter_runs(tiny_fit: Callable[..., Path], workplace: Path) -> None:
    options = ("--model.network.base_channels=2", "--model.optimizer.lr=0.01")
    long = tiny_fit(CNN, *options, "--trainer.max_epochs=3")
    short = tiny_fit(CNN, *options, "--trainer.max_epochs=1")
    assert main(["record", "long.csv", str(long), "--epochs", "1", "3"]) == 0
    assert main(["record", "short.csv", str(short)]) == 0
    (of_short,) = rows(workplace / "short.csv")
    first, last = rows(workplace / "long.csv")
    for name in ("epochs", "overrides", "val/mse", "train/loss", "baseline/grey_lookup/mse"):
        assert first[name] == of_short[name]
    final = json.loads((long / "metrics.json").read_text())
    assert float(last["val/mse"]) == pytest.approx(final["val/mse"], rel=1e-5)
    curve = rows(workplace / "long_curves.csv")
    assert [point["epoch"] for point in curve] == ["0", "1", "2"]
    assert float(curve[0]["val/loss"]) == pytest.approx(float(of_short["val/loss"]), rel=1e-4)


@pytest.mark.parametrize(
    ("options", "epochs", "message"),
    [
        ((), "3", "expected 1 to 2"),
        (
            (
                "--model.lr_scheduler=OneCycleLR",
                "--model.lr_scheduler.max_lr=0.01",
                "--model.lr_interval=step",
            ),
            "1",
            "without a schedule",
        ),
    ],
)
def test_epochs_refuses_runs_that_do_not_contain_shorter_ones(
    options: tuple[str, ...],
    epochs: str,
    message: str,
    tiny_fit: Callable[..., Path],
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tiny_fit(CNN, "--model.network.base_channels=2", *options)
    assert main(["record", "results.csv", str(folder), "--epochs", epochs]) == 1
    assert message in capsys.readouterr().err
    assert not (workplace / "results.csv").exists()


def test_diverged_run_is_recorded(workplace: Path, repository: Path) -> None:
    small = ["--data.source=synthetic", "--data.train_images=24", "--data.val_images=10"]
    options = ["--model.optimizer.lr=1e9", "--trainer.enable_progress_bar=false", "--data.batch_size=4"]
    assert main(["fit", "--config", str(repository / CNN), *small, *options]) == 3
    folder = workplace / "lightning_logs" / "horses_regression_cnn" / "version_0"
    assert json.loads((folder / "run.json").read_text())["status"] == "diverged"
    assert main(["record", "results.csv", str(folder)]) == 0
    (row,) = rows(workplace / "results.csv")
    assert (row["status"], row["epochs"]) == ("diverged", "0")


def test_folder_without_a_run_is_refused(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", "results.csv", str(workplace)]) == 1
    assert "run.json" in capsys.readouterr().err
    assert not (workplace / "results.csv").exists()

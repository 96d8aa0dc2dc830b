import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from imgcolor.callbacks import BaselineMetrics, DetailedMetrics, MetricsFiles
from imgcolor.cli.main import main
from imgcolor.data import HorseColourizationDataModule
from imgcolor.metrics import colourfulness, margin_accuracy
from imgcolor.networks import RegressionCNN
from imgcolor.tasks import ColourRegression, load_task

BASELINES = ("grey_copy", "grey_lookup", "grey_row_lookup", "grey_margin_lookup")


def test_final_weights_and_baselines_have_detailed_metrics(tiny_fit: Callable[..., Path]) -> None:
    folder = tiny_fit("experiments/horses/regression_cnn.yaml", "--model.network.base_channels=2")
    final = json.loads((folder / "metrics.json").read_text())
    task = load_task(folder / "checkpoints" / "last.ckpt")
    datamodule = HorseColourizationDataModule(train_images=24, val_images=10)
    batch = datamodule.batch(datamodule.images("val").pixels)
    with torch.no_grad():
        predicted = task(batch.degraded)
    labs = [rgb2lab(images.permute(0, 2, 3, 1).double().numpy()) for images in (predicted, batch.original)]
    assert final["val/delta_e"] == pytest.approx(deltaE_ciede2000(*labs).mean(), abs=2e-3)
    assert final["val/colourfulness"] == pytest.approx(float(colourfulness(predicted).mean()), rel=1e-4)
    truth = float(colourfulness(batch.original).mean())
    assert final["val/colourfulness_target"] == pytest.approx(truth, rel=1e-4)
    margin = float(margin_accuracy(predicted, batch.original, 24).mean())
    assert final["val/margin24"] == pytest.approx(margin, abs=1e-5)
    assert 0 < final["val/ssim"] < 1
    for name in BASELINES:
        assert {f"baseline/{name}/{metric}" for metric in ("mse", "loss", "ssim", "delta_e")} <= set(final)
    assert final["baseline/grey_copy/colourfulness"] == 0
    assert final["baseline/grey_lookup/mse"] < final["baseline/grey_copy/mse"]
    assert Image.open(folder / "margins.png").width > 200
    events = EventAccumulator(str(folder))
    events.Reload()
    assert events.Scalars("val/delta_e")[-1].value == pytest.approx(final["val/delta_e"])
    baseline = EventAccumulator(str(folder / "baseline"))
    baseline.Reload()
    best = min(final[f"baseline/{name}/delta_e"] for name in BASELINES)
    assert [point.value for point in baseline.Scalars("val/delta_e")] == pytest.approx([best])


def test_lookup_tables_have_loss_and_accuracy(tiny_fit: Callable[..., Path]) -> None:
    folder = tiny_fit("experiments/horses/colour_unet.yaml", "--model.network.base_channels=2")
    final = json.loads((folder / "metrics.json").read_text())
    assert 0 < final["baseline/grey_lookup/loss"] < final["val/loss"]
    assert final["baseline/grey_lookup/accuracy"] > 0.3
    assert "baseline/grey_copy/accuracy" in final
    assert "baseline/grey_copy/loss" not in final
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["baseline/grey_row_lookup/loss"] for row in rows} == {
        str(final["baseline/grey_row_lookup/loss"])
    }


def test_validation_prints_result_and_baseline(
    tiny_fit: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_fit("experiments/horses/colour_unet.yaml", "--model.network.base_channels=2")
    fitted = json.loads((folder / "metrics.json").read_text())
    capsys.readouterr()
    options = ["--config", str(folder / "config.yaml"), "--trainer.enable_progress_bar=false"]
    assert main(["validate", *options, "--ckpt_path", str(folder / "checkpoints" / "last.ckpt")]) == 0
    shown = capsys.readouterr().out
    (row,) = (line.split() for line in shown.splitlines() if line.startswith("accuracy"))
    assert float(row[2]) == pytest.approx(fitted["val/accuracy"], abs=1e-3)
    assert row[3] == "worse"
    assert float(row[4]) == pytest.approx(fitted["baseline/grey_row_lookup/accuracy"], abs=1e-3)
    (colour,) = (line for line in shown.splitlines() if line.startswith("colourfulness"))
    assert float(colour.split()[2]) == pytest.approx(fitted["val/colourfulness_target"], abs=1e-2)
    validated = json.loads((folder.with_name("version_1") / "metrics.json").read_text())
    for name in ("val/ssim", "val/delta_e", "baseline/grey_lookup/loss", "baseline/grey_lookup/delta_e"):
        assert validated[name] == pytest.approx(fitted[name], abs=1e-4), name


def test_baselines_of_a_test_use_the_test_images(tiny_fit: Callable[..., Path]) -> None:
    folder = tiny_fit("experiments/horses/regression_cnn.yaml", "--model.network.base_channels=2")
    options = ["--config", str(folder / "config.yaml"), "--trainer.enable_progress_bar=false"]
    assert main(["test", *options, "--ckpt_path", str(folder / "checkpoints" / "last.ckpt")]) == 0
    tested = json.loads((folder.with_name("version_1") / "metrics.json").read_text())
    datamodule = HorseColourizationDataModule(train_images=24, val_images=10)
    batch = datamodule.batch(datamodule.images("test").pixels)
    expected = float((batch.degraded - batch.original).square().mean())
    assert tested["baseline/grey_copy/mse"] == pytest.approx(expected, rel=1e-4)
    assert {"test/mse", "test/ssim", "test/delta_e", "baseline/grey_lookup/mse"} <= set(tested)


def test_validation_of_a_folder_with_and_without_training_images(
    workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        (workplace / "images" / split).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(workplace / "images" / split / f"{number}.png")
    config = str(repository / "experiments/horses/regression_cnn.yaml")
    options = [
        "--config",
        config,
        "--data.source=folder",
        "--data.root=images",
        "--model.network.base_channels=2",
    ]
    options += ["--trainer.enable_progress_bar=false"]
    assert main(["fit", *options, "--trainer.max_epochs=1"]) == 0
    runs = workplace / "lightning_logs" / "horses_regression_cnn"
    checkpoint = str(runs / "version_0" / "checkpoints" / "last.ckpt")
    assert main(["validate", *options, "--ckpt_path", checkpoint]) == 0
    fitted = json.loads((runs / "version_0" / "metrics.json").read_text())
    validated = json.loads((runs / "version_1" / "metrics.json").read_text())
    assert validated["baseline/grey_lookup/mse"] == pytest.approx(fitted["baseline/grey_lookup/mse"])
    shutil.rmtree(workplace / "images" / "train")
    with pytest.warns(UserWarning, match="no lookup table"):
        assert main(["validate", *options, "--ckpt_path", checkpoint]) == 0
    alone = json.loads((runs / "version_2" / "metrics.json").read_text())
    assert "baseline/grey_copy/mse" in alone
    assert "baseline/grey_lookup/mse" not in alone


def test_baseline_command_measures_what_a_fit_measures(
    tiny_fit: Callable[..., Path], workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_fit("experiments/superres/rgb_unet.yaml", "--model.network.base_channels=2")
    fitted = json.loads((folder / "metrics.json").read_text())
    capsys.readouterr()
    config = str(repository / "experiments/superres/rgb_unet.yaml")
    sizes = ["--data.source=synthetic", "--data.train_images=24", "--data.val_images=10"]
    assert main(["baseline", "--config", config, *sizes, "--output", "baselines.json"]) == 0
    metrics = json.loads((workplace / "baselines.json").read_text())
    assert {name.split("/")[1] for name in metrics} == {"nearest", "bilinear", "bicubic"}
    for name, value in metrics.items():
        assert value == pytest.approx(fitted[name], abs=1e-4), name
    shown = capsys.readouterr().out
    assert "10 validation images" in shown
    assert f"{metrics['baseline/bicubic/psnr']:.4g}" in shown
    assert not np.isnan(list(metrics.values())).any()


@pytest.mark.parametrize("order", [1, -1])
def test_test_and_validation_after_a_fit_keep_its_values(order: int, tmp_path: Path) -> None:
    callbacks = [MetricsFiles(), DetailedMetrics(), BaselineMetrics()][::order]
    trainer = Trainer(
        max_epochs=2,
        default_root_dir=tmp_path,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    datamodule = HorseColourizationDataModule(train_images=20, val_images=10, batch_size=10)
    task = ColourRegression(RegressionCNN(2))

    def values() -> dict[str, float]:
        found: dict[str, float] = json.loads((tmp_path / "metrics.json").read_text())
        return found

    trainer.fit(task, datamodule)
    fitted = values()
    (tested,) = trainer.test(task, datamodule, verbose=False)
    both = values()
    assert {name: both[name] for name in fitted} == fitted
    assert both["test/loss"] == pytest.approx(tested["test/loss"])
    assert 0 < both["test/ssim"] < 1
    assert "test/baseline/grey_copy/ssim" in both
    trainer.validate(ColourRegression(RegressionCNN(2)), datamodule, verbose=False)
    other = values()
    assert other["epoch"] == 1
    assert {name for name in both if other[name] != both[name]} >= {"val/loss", "val/ssim"}
    assert {name: other[name] for name in both if name.startswith("test/")} == {
        name: value for name, value in both.items() if name.startswith("test/")
    }

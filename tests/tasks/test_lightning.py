"""Tasks in a plain Trainer with parts of Lightning and torch that are not imgcolor's own."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler, ModelPruning, StochasticWeightAveraging
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from imgcolor.callbacks import BaselineMetrics, ImageLogger, MetricsFiles
from imgcolor.colour import Palette
from imgcolor.data import HorseColourizationDataModule
from imgcolor.networks import ColourCNN, RegressionCNN
from imgcolor.tasks import ColourClassification, ColourRegression
from imgcolor.utils.errors import ImgcolorError


def trainer(folder: Path, *callbacks: Callback, **options: Any) -> Trainer:
    return Trainer(
        **{"max_epochs": 1, **options},
        default_root_dir=folder,
        accelerator="cpu",
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def data() -> HorseColourizationDataModule:
    return HorseColourizationDataModule(train_images=24, val_images=10, batch_size=5)


@pytest.mark.parametrize(("options", "steps"), [({}, 5 + 2 + 2), ({"max_steps": 6}, 6)])
def test_one_cycle_counts_the_steps_of_scheduled_accumulation(
    options: dict[str, int], steps: int, tmp_path: Path
) -> None:
    schedule = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1)
    task = ColourRegression(RegressionCNN(2), lr_scheduler=schedule, lr_interval="step")
    fit = trainer(tmp_path, GradientAccumulationScheduler({1: 4}), max_epochs=3, **options)
    fit.fit(task, data())
    assert fit.global_step == steps
    assert fit.lr_scheduler_configs[0].scheduler.total_steps == steps


def test_plain_data_loader_of_pairs(tmp_path: Path) -> None:
    original = torch.rand(8, 3, 16, 16)
    grey = original.mean(1, keepdim=True)
    pairs = DataLoader(TensorDataset(grey, original), 4)
    callbacks = BaselineMetrics(), ImageLogger(every_n_epochs=1), MetricsFiles()
    task, fit = ColourRegression(RegressionCNN(2)), trainer(tmp_path, *callbacks)
    fit.fit(task, pairs, pairs)
    with torch.no_grad():
        mse = (task.eval()(grey) - original).square().mean()
    assert float(fit.callback_metrics["val/mse"]) == pytest.approx(float(mse), rel=1e-4)
    copied = grey.sub(original).square().mean()
    assert callbacks[0].results["baseline/grey_copy/mse"] == pytest.approx(float(copied), rel=1e-4)


def test_pairs_are_drawn_with_a_palette(tmp_path: Path) -> None:
    original = torch.rand(4, 3, 16, 16)
    pairs = DataLoader(TensorDataset(original.mean(1, keepdim=True), original), 4)
    images, palette = ImageLogger(every_n_epochs=1), Palette.from_colours(torch.rand(6, 3))
    trainer(tmp_path, images).fit(ColourClassification(ColourCNN(6, 2), palette), pairs, pairs)
    assert images.latest == tmp_path / "images" / "epoch_0000.png"


@pytest.mark.parametrize(
    ("tensors", "found"),
    [
        ([torch.rand(4, 3, 8, 8)], r"list\(float32 \[4, 3, 8, 8\]\)"),
        ([torch.rand(4, 3, 8, 8), torch.zeros(4).long()], r"list\(float32 \[4, 3, 8, 8\], int64 \[4\]\)"),
        ([torch.rand(4, 3, 8, 8), torch.rand(4, 1, 8, 8)], r"found list"),
    ],
)
def test_other_batches_are_refused(tensors: list[torch.Tensor], found: str, tmp_path: Path) -> None:
    with pytest.raises(ImgcolorError, match=rf"expected imgcolor.data.Batch\(degraded, original\).*{found}"):
        trainer(tmp_path).fit(ColourRegression(RegressionCNN(2)), DataLoader(TensorDataset(*tensors), 4))


def test_lbfgs_trains(tmp_path: Path) -> None:
    task = ColourRegression(RegressionCNN(2), optimizer=partial(torch.optim.LBFGS, max_iter=2))
    before = torch.cat([weights.flatten() for weights in task.parameters()])
    trainer(tmp_path).fit(task, data())
    assert not torch.equal(torch.cat([weights.flatten() for weights in task.parameters()]), before)


def test_pruning_sets_weights_to_zero(tmp_path: Path) -> None:
    task = ColourRegression(RegressionCNN(4))
    trainer(tmp_path, ModelPruning("l1_unstructured", amount=0.5)).fit(task, data())
    weights = torch.cat([layer.weight.flatten() for layer in task.modules() if isinstance(layer, nn.Conv2d)])
    assert float((weights == 0).float().mean()) > 0.4


def test_averaging_after_the_last_checkpoint_is_refused(tmp_path: Path) -> None:
    network = nn.Conv2d(1, 3, 3, padding=1)
    with pytest.raises(ImgcolorError, match="EMAWeightAveraging"):
        trainer(tmp_path, StochasticWeightAveraging(0.1)).fit(ColourRegression(network), data())

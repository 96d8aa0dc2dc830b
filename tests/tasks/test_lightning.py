"""Tasks in a plain Trainer with parts of Lightning and torch that are not imgcolor's own."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from imgcolor.data import HorseColourizationDataModule
from imgcolor.networks import RegressionCNN
from imgcolor.tasks import ColourRegression


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

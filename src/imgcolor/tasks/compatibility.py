"""Fit a task to optimizers and callbacks of torch and Lightning that have conditions."""

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelPruning, StochasticWeightAveraging
from torch import nn

from imgcolor.utils.errors import ImgcolorError


def check_callbacks(trainer: Trainer, task: LightningModule) -> None:
    """Refuse callbacks that cannot work with a task.

    Raises:
        ImgcolorError: If Lightning's ``StochasticWeightAveraging`` would set the weights after the last checkpoint.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]  # mypy does not see the attribute
    averaging = any(isinstance(callback, StochasticWeightAveraging) for callback in callbacks)
    if averaging and not StochasticWeightAveraging.pl_module_contains_batch_norm(task):
        raise ImgcolorError(
            "StochasticWeightAveraging: expected a network with batch norm, found none: Lightning would set the "
            "averaged weights only after the last checkpoint and the last validation; use EMAWeightAveraging instead"
        )


def make_weights_contiguous(trainer: Trainer, network: nn.Module) -> None:
    """Give the weights torch's usual memory format, if the optimizer or a callback cannot use ``channels_last``."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]  # mypy does not see the attribute
    views = any(isinstance(optimizer, torch.optim.LBFGS) for optimizer in trainer.optimizers)
    if views or any(isinstance(callback, ModelPruning) for callback in callbacks):
        network.to(memory_format=torch.contiguous_format)

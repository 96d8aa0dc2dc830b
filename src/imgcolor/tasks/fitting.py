"""Fit what a network takes from the training images before the first step: its tables."""

from collections.abc import Iterator

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn

from imgcolor.baselines import GreyLookup
from imgcolor.colour import OutputCoding, RGBCoding
from imgcolor.data import ImageDataModule
from imgcolor.utils.errors import ImgcolorError


def fit_tables(
    network: nn.Module, coding: OutputCoding, datamodule: ImageDataModule | None, device: torch.device
) -> bool:
    """Fit the network's lookup tables that have no values yet to the training images.

    Args:
        network: May hold :class:`~imgcolor.baselines.GreyLookup` modules.
        coding: Gives the values that the tables should hold.
        datamodule: Has the training images.
        device: Where images are degraded.

    Returns:
        Whether there was a table to fit.

    Raises:
        ImgcolorError: If there is a table to fit and no datamodule, or the table does not fit the task.
    """
    tables = [module for module in network.modules() if isinstance(module, GreyLookup)]
    if tables and isinstance(coding, RGBCoding) and coding.value_range == "signed":
        raise ImgcolorError(
            "GreyLookup: the table's keys are grey values in [0, 1], but with value_range: signed the network's "
            "input is in [-1, 1]; set value_range: unit"
        )
    tables = [table for table in tables if not table.is_fitted]
    for table in tables:
        if datamodule is None:
            raise ImgcolorError(
                "GreyLookup: expected a datamodule with training images to fit the table to, found plain data "
                "loaders; fit it before: table.fit(...)"
            )
        try:
            table.fit(_pairs(coding, datamodule, device), _targets_of_greys(table, coding, device))
        except ValueError as error:
            raise ImgcolorError(f"the network's table does not fit the task: {error}") from error
    return bool(tables)


def restart_weight_averaging(trainer: Trainer, task: LightningModule) -> None:
    """Have callbacks that average weights copy the task again, with what was fitted after their first copy."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set where mypy does not see it
        if isinstance(callback, WeightAveraging):
            callback.setup(trainer, task, "fit")


def _pairs(
    coding: OutputCoding, datamodule: ImageDataModule, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the network's inputs and targets for all training images, without augmentation."""
    for pixels in torch.split(datamodule.images("train").pixels, 250):
        batch = datamodule.batch(pixels.to(device))
        yield coding.network_input(batch.degraded), coding.target(batch.original)


def _targets_of_greys(table: GreyLookup, coding: OutputCoding, device: torch.device) -> Tensor | None:
    """Return the targets of grey pixels, [levels, 3], for levels that no training image has; None for palettes."""
    greys = coding.target(torch.linspace(0, 1, table.levels, device=device).expand(1, 3, 1, -1))
    return greys[0, :, 0].mT if greys.is_floating_point() else None

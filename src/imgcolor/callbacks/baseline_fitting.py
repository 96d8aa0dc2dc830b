"""Choose the baselines for a task, and fit those with tables to the training images."""

from collections.abc import Iterator

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from imgcolor.baselines import GreyLookup, matching_baselines
from imgcolor.data import Batch, ImageDataModule
from imgcolor.tasks.base import ColourTask
from imgcolor.tasks.classification import ColourClassification
from imgcolor.utils.errors import ImgcolorError

_BANDS = 8  # the best number for the horses


def task_baselines(
    task: ColourTask, datamodule: ImageDataModule | None, batch: Batch
) -> dict[str, nn.Module]:
    """Return the baselines for a task; lookup tables are fitted to the training images.

    Args:
        task: The task; for classification the tables hold log probabilities of its palette's colours.
        datamodule: Has the training images; without one there are no tables.
        batch: A batch of the data, which shows the kind of degradation.

    Returns:
        Name to a module from degraded images to RGB or, where :func:`gives_logits` is true, to logits.
    """
    baselines = matching_baselines(batch.degraded, batch.original)
    if "grey_copy" not in baselines or datamodule is None:
        return baselines
    try:
        pixels = datamodule.images("train").pixels
    except ImgcolorError as error:  # validation and test do not need training images
        rank_zero_warn(f"no lookup table among the baselines, because it needs the training images: {error}")
        return baselines
    tables = _tables(task)
    for table in tables.values():
        table.fit(_pairs(task, table, datamodule, pixels))
    return baselines | {name: table.to(batch.original.device) for name, table in tables.items()}


def gives_logits(baseline: nn.Module) -> bool:
    """Whether a baseline returns logits over palette colours instead of RGB."""
    return isinstance(baseline, GreyLookup) and baseline.statistic == "histogram"


def baseline_images(task: ColourTask, baseline: nn.Module, output: Tensor) -> Tensor:
    """Convert a baseline's output to RGB: float [B, 3, H, W] in [0, 1]."""
    return task.coding.to_rgb(output) if gives_logits(baseline) else output


def _tables(task: ColourTask) -> dict[str, GreyLookup]:
    if isinstance(task, ColourClassification):
        colours = task.palette.size
        return {
            "grey_lookup": GreyLookup(colours, "histogram"),
            "grey_row_lookup": GreyLookup(colours, "histogram", bands=_BANDS),
        }
    return {
        "grey_lookup": GreyLookup(),
        "grey_row_lookup": GreyLookup(bands=_BANDS),
        "grey_margin_lookup": GreyLookup(statistic="margin", bands=_BANDS),
    }


def _pairs(
    task: ColourTask, table: GreyLookup, datamodule: ImageDataModule, pixels: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    for chunk in torch.split(pixels, 250):
        batch = datamodule.batch(chunk.to(task.device))
        yield batch.degraded, task.coding.target(batch.original) if gives_logits(table) else batch.original

"""The baselines that fit a task."""

from collections.abc import Iterator

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from imgcolor.baselines import GreyLookup, matching_baselines
from imgcolor.data import Batch, ImageDataModule
from imgcolor.tasks.base import ColourTask
from imgcolor.tasks.classification import ColourClassification
from imgcolor.utils.errors import ImgcolorError

_BANDS = 8
"""Bands of rows of the table that looks at the row too: what served best for the horses."""


def task_baselines(
    task: ColourTask, datamodule: ImageDataModule | None, batch: Batch
) -> dict[str, nn.Module]:
    """The baselines that fit a task, those that learn from training images with what they learned.

    Args:
        task: Says which figure counts: tables for classification hold shares of its palette's colours.
        datamodule: Whose training images the tables are learned from; without one there are no tables.
        batch: Shows what was done to the images.

    Returns:
        Name to a module from degraded images to colours, or to scores of colours; :func:`baseline_images` knows
        which.
    """
    baselines = matching_baselines(batch.degraded, batch.original)
    if "grey_copy" not in baselines or datamodule is None:
        return baselines
    try:
        pixels = datamodule.images("train").pixels
    except ImgcolorError as error:  # there need be none to validate or test
        rank_zero_warn(f"no table from grey to colour stands beside the results: {error}")
        return baselines
    tables = _tables(task)
    for table in tables.values():
        table.fit(_pairs(task, table, datamodule, pixels))
    return baselines | {name: table.to(batch.original.device) for name, table in tables.items()}


def gives_logits(baseline: nn.Module) -> bool:
    """Whether a baseline gives scores of palette colours, and not colours."""
    return isinstance(baseline, GreyLookup) and baseline.statistic == "histogram"


def baseline_images(task: ColourTask, baseline: nn.Module, output: Tensor) -> Tensor:
    """What a baseline gave as colours: float [B, 3, H, W] in [0, 1]."""
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

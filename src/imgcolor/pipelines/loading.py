"""Load a pipeline by its name, or from a checkpoint."""

from collections.abc import Sequence
from pathlib import Path

import torch

from imgcolor.checkpoints import ModelParts, load_parts
from imgcolor.colour import ChromaCoding
from imgcolor.pipelines.base import wrong_degradation
from imgcolor.pipelines.colourizer import Colourizer
from imgcolor.pipelines.photo_colourizer import PhotoColourizer
from imgcolor.pipelines.upscaler import Upscaler
from imgcolor.pretrained import weights_path


def load(
    model: str | Path,
    allow_import: str | Sequence[str] = (),
    device: torch.device | str = "cpu",
) -> Colourizer | Upscaler:
    """Load a trained network for images of any size.

    Args:
        model: The name of a model that comes with the package (``imgcolor models`` lists them), or the path of a
            checkpoint that ``imgcolor fit`` wrote.
        allow_import: Modules, packages or classes that a checkpoint may name in addition to those of imgcolor and
            ``torch.nn``, such as ``["mine.networks"]``.
        device: Where the network runs.

    Returns:
        A :class:`~imgcolor.Colourizer` or an :class:`~imgcolor.Upscaler`, by what the network was trained for.

    Raises:
        ImgcolorError: If there is no such model, or the file is no checkpoint, names a class that may not be
            imported, or does not hold the degradation that the network undoes.
    """
    return make_pipeline(load_parts(weights_path(model), allow_import=allow_import), str(model)).to(device)


def make_pipeline(parts: ModelParts, name: str = "the model") -> Colourizer | Upscaler:
    """Make the pipeline for the parts of a checkpoint.

    Args:
        parts: Network, output coding and degradation.
        name: The name in error messages.

    Raises:
        ImgcolorError: If no pipeline uses such a degradation.
    """
    colourizer = PhotoColourizer if isinstance(parts.coding, ChromaCoding) else Colourizer
    for pipeline in (colourizer, Upscaler):
        if isinstance(parts.degradation, pipeline.degradations):
            return pipeline(**parts._asdict(), name=name)
    expected = Colourizer.degradations + Upscaler.degradations
    raise wrong_degradation(parts.degradation, expected, name)

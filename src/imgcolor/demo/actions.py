"""One photo and one model: what the model makes of it, beside what needs no network and beside the truth."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from torch import Tensor, nn
from torchmetrics.functional.image import peak_signal_noise_ratio

from imgcolor.baselines import Interpolation
from imgcolor.data.image_files import quiet_pillow
from imgcolor.metrics import colourfulness, delta_e, margin_accuracy
from imgcolor.pipelines import Model
from imgcolor.pipelines.photo import Photo
from imgcolor.utils.errors import ImgcolorError

READ_PIXELS = 2**25
"""Pixels up to which a file is decoded: 33 million."""

COLOURIZED_PIXELS = 2**21
"""Pixels up to which a photo is coloured as it is; a larger one is made smaller first."""

ENLARGED_PIXELS = 2**15
"""Pixels up to which a photo is enlarged as it is: a network that enlarges takes its time."""

LONGEST = 100
"""How many times as long as wide a photo may be: of longer ones, a network sees mostly their margins."""

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""Pillow's names of the files that are read. For others, such as EPS, Pillow starts programs."""

_GREY_LEVELS = 8
"""How far red, green and blue of a grey pixel may be apart, of 256 levels: JPEG makes them differ a little."""

METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "PSNR, dB": lambda image, truth: peak_signal_noise_ratio(image, truth, data_range=1.0),
    "12-margin": margin_accuracy,
    "CIEDE2000": delta_e,
    "colourfulness": lambda image, _: colourfulness(image),
}
"""Name to a function of an image and its truth, float [1, 3, H, W] in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What a model made of a photo.

    Attributes:
        before: What the model started from, at the size of the result: the grey, or a bicubic enlargement.
        after: The result.
        truth: The photo's own colours; None where it has none, or was enlarged.
        metrics: What was measured (the model, ``table`` and ``grey``, which need no network, and the ``photo``
            itself) to name of a figure to value. Empty without a truth and for photos that are partly transparent.
        original_size: The photo's width and height where it was made smaller first, else None.
    """

    before: Image.Image
    after: Image.Image
    truth: Image.Image | None = None
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    original_size: tuple[int, int] | None = None


def try_out(path: Path, model: Model) -> Trial:
    """Colour or enlarge the photo in a file.

    Args:
        path: A file of one of :data:`FORMATS`, whatever its ending.
        model: What to try.

    Raises:
        ImgcolorError: If the file is no photo, one of more than :data:`READ_PIXELS` pixels, or a mere line; names
            it without its folder.
    """
    try:
        with quiet_pillow():
            whole = Photo.read(path, READ_PIXELS, FORMATS)
    except ImgcolorError as error:
        raise ImgcolorError(str(error).replace(str(path), path.name)) from error
    height, width = whole.pixels.shape[-2:]
    if max(width, height) > LONGEST * min(width, height):
        raise ImgcolorError(
            f"{path.name}: expected a photo that is at most {LONGEST} times as long as wide, found "
            f"{width}x{height}; cut it first"
        )
    photo = whole.within(ENLARGED_PIXELS if model.scale_factor else COLOURIZED_PIXELS)
    original_size = None if photo is whole else (width, height)
    pixels = photo.pixels[None]
    if model.scale_factor:
        before, after = Interpolation("bicubic", model.scale_factor)(pixels), model.enlarged(pixels)
    else:
        before = model.grey(pixels)
        after = model.colours(before)
    coloured = not model.scale_factor and _has_colour(pixels)
    opaque = photo.alpha is None or photo.alpha.getextrema() == (255, 255)
    return Trial(
        before=photo.with_pixels(before[0]).to_image(),
        after=photo.with_pixels(after[0]).to_image(),
        truth=photo.to_image() if coloured else None,
        metrics=_metrics(model, before, after, pixels) if coloured and opaque else {},
        original_size=original_size,
    )


def _has_colour(pixels: Tensor) -> bool:
    return bool((pixels.amax(dim=1) - pixels.amin(dim=1)).max() * 255 > _GREY_LEVELS)


def _metrics(model: Model, grey: Tensor, coloured: Tensor, truth: Tensor) -> dict[str, dict[str, float]]:
    images = {model.name: coloured}
    table = getattr(model.task.network, "base", None)
    if isinstance(table, nn.Module):
        # The network's own start: a table from grey and row to colour, filled from the same training images.
        task = copy.deepcopy(model.task)
        task.network = table
        images["table"] = Model(task).colours(grey)
    images["grey"] = grey.expand_as(truth)
    metrics = {
        name: {metric: float(measure(image, truth)) for metric, measure in METRICS.items()}
        for name, image in images.items()
    }
    return metrics | {"photo": {"colourfulness": float(colourfulness(truth))}}

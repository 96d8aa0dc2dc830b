"""Run a model on a photo, and compare the result with baselines and with the photo's own colours."""

import io
import itertools
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from torch import Tensor, nn

from imgcolor.baselines import Interpolation
from imgcolor.data.image_files import quiet_pillow
from imgcolor.metrics import colourfulness, delta_e, margin_accuracy, peak_signal_noise_ratio
from imgcolor.pipelines import Colourizer, Hint, Photo, Upscaler
from imgcolor.pipelines.previews import has_colour
from imgcolor.pretrained import DEFAULT_COLOURIZER, DEFAULT_UPSCALER
from imgcolor.utils.errors import ImgcolorError

MAX_READ_PIXELS = 2**25
"""Files with more pixels (33 million) are refused before they are decoded."""

MAX_COLOURIZED_PIXELS = 2**21
"""Larger photos are made smaller before they are colourized."""

MAX_UPSCALED_PIXELS = 2**15
"""Larger photos are made smaller before they are enlarged, which takes long."""

MAX_ASPECT_RATIO = 100
"""Longer photos are refused: a network would see little but their borders."""

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""Pillow's names of the formats that are read. For others, such as EPS, Pillow runs other programs."""

METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "PSNR, dB": peak_signal_noise_ratio,
    "12-margin": margin_accuracy,
    "CIEDE2000": delta_e,
    "colourfulness": lambda prediction, _: colourfulness(prediction),
}
"""Name to a function of a result and the original, float [1, 3, H, W] in [0, 1]."""


@dataclass(frozen=True, eq=False)
class DemoResult:
    """The result of a model for a photo.

    Attributes:
        before: The grey photo, or the photo enlarged by bicubic interpolation, at the size of the result.
        after: The result.
        original: The colour photo; None for grey photos and enlarged photos.
        metrics: Name of the measured image (the model, the baselines ``table`` and ``grey``, and the ``photo``) to
            name of a metric to value. Empty without an original, and for photos with transparent parts.
        original_size: Width and height of the photo if it was made smaller first, else None.
    """

    before: Image.Image
    after: Image.Image
    original: Image.Image | None = None
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    original_size: tuple[int, int] | None = None


def suggest_model(path: Path) -> str:
    """Return the name of the model that fits a photo file: one that enlarges small colour photos, else a colourizer.

    Args:
        path: Any file; one that is not a photo gets the colourizer, which then says what is wrong.
    """
    try:
        with quiet_pillow():
            small = Photo.read(path, MAX_UPSCALED_PIXELS, FORMATS)
    except ImgcolorError:
        return DEFAULT_COLOURIZER
    return DEFAULT_UPSCALER if has_colour(small.pixels) else DEFAULT_COLOURIZER


def run_model(
    path: Path, pipeline: Colourizer | Upscaler, hints: Sequence[Hint] = (), saturation: float | None = None
) -> DemoResult:
    """Colourize or enlarge a photo file.

    Args:
        path: A file in one of :data:`FORMATS`, with any extension.
        pipeline: The model.
        hints: Colours that are known, at places of the result; for models that take hints.
        saturation: Factor of the predicted chroma; None for the model's own.

    Raises:
        ImgcolorError: If the file is not a photo, has more than :data:`MAX_READ_PIXELS` pixels, or is longer than
            :data:`MAX_ASPECT_RATIO`, or if a hint lies outside it. The message names the file without its folder.
    """
    try:
        with quiet_pillow():
            full = Photo.read(path, MAX_READ_PIXELS, FORMATS)
    except ImgcolorError as error:
        raise ImgcolorError(str(error).replace(str(path), path.name)) from error
    height, width = full.pixels.shape[-2:]
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise ImgcolorError(
            f"{path.name}: expected a photo that is at most {MAX_ASPECT_RATIO} times as long as wide, found "
            f"{width}x{height}; crop it first"
        )
    if isinstance(pipeline, Upscaler):
        photo = full.shrink_to(MAX_UPSCALED_PIXELS)
        before = Interpolation("bicubic", pipeline.scale_factor)(photo.pixels[None])
        after = pipeline.upscale_batch(photo.pixels[None])
        original, metrics = None, {}
    else:
        photo = full.shrink_to(MAX_COLOURIZED_PIXELS)
        before = pipeline.to_grey(photo.pixels[None])
        after = pipeline.colourize_batch(before, hints=hints, saturation=saturation)
        original = photo.to_image() if has_colour(photo.pixels) else None
        metrics = _measure(pipeline, before, after, photo) if original and _is_opaque(photo) else {}
    return DemoResult(
        before=photo.with_pixels(before[0]).to_image(),
        after=photo.with_pixels(after[0]).to_image(),
        original=original,
        metrics=metrics,
        original_size=None if photo is full else (width, height),
    )


def zip_results(
    paths: Sequence[Path], pipeline: Colourizer | Upscaler, archive: Path, saturation: float | None = None
) -> tuple[Path, list[str]]:
    """Convert several photos and write the results into a ZIP file, as PNG.

    Args:
        paths: The photos. Results of photos of one name are numbered.
        pipeline: The model.
        archive: The file to write.
        saturation: As for :func:`run_model`.

    Returns:
        The file, and a message for each photo that could not be converted.
    """
    failures: list[str] = []
    archive.parent.mkdir(exist_ok=True, parents=True)
    with zipfile.ZipFile(archive, "w") as file:
        for path in paths:
            try:
                result = run_model(path, pipeline, saturation=saturation)
            except ImgcolorError as error:
                failures.append(str(error))
                continue
            buffer = io.BytesIO()
            result.after.save(buffer, "PNG", compress_level=3)
            taken = file.namelist()
            names = (f"{path.stem}{f'_{number}' if number else ''}.png" for number in itertools.count())
            file.writestr(next(name for name in names if name not in taken), buffer.getvalue())
    return archive, failures


def _is_opaque(photo: Photo) -> bool:
    return photo.alpha is None or photo.alpha.getextrema() == (255, 255)


def _measure(
    colourizer: Colourizer, grey: Tensor, result: Tensor, photo: Photo
) -> dict[str, dict[str, float]]:
    """Return the metrics of the result and of the baselines, and the colourfulness of the photo."""
    original = photo.pixels[None]
    images = {colourizer.name: result}
    table = getattr(colourizer.network, "base", None)
    if isinstance(table, nn.Module):
        # The lookup table that the network corrects is a baseline that was fitted to the same training images.
        baseline = Colourizer(table, colourizer.coding, colourizer.degradation, colourizer.image_size)
        images["table"] = baseline.colourize_batch(grey)
    images["grey"] = grey.expand_as(original)
    metrics = {
        name: {metric: float(measure(image, original)) for metric, measure in METRICS.items()}
        for name, image in images.items()
    }
    return metrics | {"photo": {"colourfulness": float(colourfulness(original))}}

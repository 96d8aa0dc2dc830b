"""Small images of a photo and its result, for a comparison sheet."""

from collections.abc import Callable
from typing import Literal

from PIL import Image
from torch import Tensor

from imgcolor.baselines import Interpolation
from imgcolor.data.image_io import on_white
from imgcolor.pipelines.photo import Photo

Previews = dict[str, Image.Image]
"""Caption to an image, in the order of display. All images have one size."""

_SIZE = 320
"""Largest height and width."""

_SMALLEST = 160
"""Smaller images are enlarged by a whole factor until their longer side has at least this length."""

_MAX_ASPECT_RATIO = 8
"""Only the middle of longer photos is shown."""

_CONTEXT = 4
"""Pixels around the shown part that interpolation sees."""

_INTERPOLATIONS: tuple[Literal["nearest", "bicubic"], ...] = ("nearest", "bicubic")

_GREY_TOLERANCE = 8
"""Largest difference of red, green and blue in a grey photo, of 256 levels: JPEG makes them differ slightly."""


def has_colour(pixels: Tensor) -> bool:
    """Return whether a photo, float [1 or 3, H, W] in [0, 1], has colours of its own."""
    differences = pixels.amax(dim=0) - pixels.amin(dim=0)
    return bool(differences.max() * 255 > _GREY_TOLERANCE)


def colourized_previews(photo: Photo, result: Photo, to_grey: Callable[[Tensor], Tensor]) -> Previews:
    """Return the grey photo, the result and, if the photo has colours, the photo.

    Args:
        photo: The photo.
        result: The colourized photo.
        to_grey: Converts float [B, 1 or 3, H, W] in [0, 1] to the grey that the network sees.
    """
    shown = {"grey": photo.with_pixels(to_grey(photo.pixels[None])[0]), "result": result}
    if has_colour(photo.pixels):
        shown["original"] = photo
    return {caption: _thumbnail(_middle(image)) for caption, image in shown.items()}


def upscaled_previews(photo: Photo, result: Photo, scale_factor: int) -> Previews:
    """Return the middle of the photo, enlarged by nearest and bicubic interpolation and by the network.

    Args:
        photo: The photo.
        result: The enlarged photo.
        scale_factor: The ratio of their heights and widths.
    """
    height, width = photo.pixels.shape[-2:]
    rows, columns = (min(side, max(1, _SIZE // scale_factor)) for side in (height, width))
    rows, columns = min(rows, _MAX_ASPECT_RATIO * columns), min(columns, _MAX_ASPECT_RATIO * rows)
    top, left = (height - rows) // 2, (width - columns) // 2
    above, before = min(top, _CONTEXT), min(left, _CONTEXT)
    around = _crop(photo, top - above, left - before, rows + above + _CONTEXT, columns + before + _CONTEXT)
    inside = [scale_factor * number for number in (above, before, rows, columns)]
    shown: dict[str, Photo] = {}
    for mode in _INTERPOLATIONS:
        large = Interpolation(mode, scale_factor)(around.pixels[None])[0]
        shown[mode] = _crop(around.with_pixels(large), *inside)
    place = [scale_factor * number for number in (top, left, rows, columns)]
    shown["result"] = _crop(result, *place)
    return {caption: _thumbnail(image) for caption, image in shown.items()}


def _middle(photo: Photo) -> Photo:
    """Return the middle of a very long photo, and other photos whole."""
    height, width = photo.pixels.shape[-2:]
    rows = min(height, _MAX_ASPECT_RATIO * width)
    columns = min(width, _MAX_ASPECT_RATIO * height)
    return _crop(photo, (height - rows) // 2, (width - columns) // 2, rows, columns)


def _crop(photo: Photo, top: int, left: int, height: int, width: int) -> Photo:
    """Return the part of a photo with this corner and at most this size."""
    pixels = photo.pixels[..., top : top + height, left : left + width]
    alpha = photo.alpha
    if alpha is not None:
        alpha = alpha.crop((left, top, left + pixels.shape[-1], top + pixels.shape[-2]))
    return Photo(pixels, alpha)


def _thumbnail(photo: Photo) -> Image.Image:
    image = on_white(photo.to_image()).convert("RGB")
    image.thumbnail((_SIZE, _SIZE))
    factor = -(-_SMALLEST // max(image.size))
    if factor > 1:
        size = (image.width * factor, image.height * factor)
        return image.resize(size, Image.Resampling.NEAREST)
    return image

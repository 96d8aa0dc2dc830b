"""Read image files into tensors."""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from imgcolor.data.colour_profiles import grey_curve
from imgcolor.data.image_files import ImageFileFault, decode, quiet_pillow
from imgcolor.utils.errors import check_positive

_PROGRESS_FROM = 500
"""A progress bar is shown for more files than this."""

_AT_ONCE = 10_000
"""Number of files that are given to the thread pool at once."""


def read_image(path: Path, size: int) -> torch.Tensor:
    """Read an image file of any kind as 8-bit RGB of a given size.

    EXIF rotation is applied, 16-bit grey is scaled to 8 bits, transparent images are put on white, and only the
    first frame of an animation is read. An image of another size is cropped to a square at its centre and resized
    with Lanczos. An image of ``size`` x ``size`` pixels is not changed.

    Args:
        path: The file.
        size: Height and width of the result.

    Returns:
        uint8 [3, size, size].

    Raises:
        ImgcolorError: If the file is missing, empty, damaged or not an image, holds floating-point values or
            values above 16 bits, or has more than :data:`~imgcolor.data.image_files.MAX_PIXELS` pixels.
    """
    check_positive("image size", size)
    with quiet_pillow():
        return _read(Path(path), size)


def read_images(files: Sequence[Path], pixels: torch.Tensor, what: str, crop: float = 1.0) -> None:
    """Read image files in parallel into a tensor, with a progress bar if there are many.

    Args:
        files: The files.
        pixels: uint8 [N, 3, size, size], which is filled.
        what: The name of the images in the progress bar.
        crop: Fraction of each side that is kept, around the centre, before the image is resized.

    Raises:
        ImgcolorError: As :func:`read_image`, or if a file has changed since this function was called.
    """
    expected_bytes = [_bytes(file) for file in files]

    def read(index: int) -> None:
        pixels[index] = _read(files[index], pixels.shape[-1], crop, expected_bytes[index])

    read_in_parallel(read, len(files), what)


def read_in_parallel(read: Callable[[int], None], count: int, what: str) -> None:
    """Call a function for each of many files, in threads, with a progress bar.

    Args:
        read: A function that reads the file of an index.
        count: Number of files.
        what: The name of the images in the progress bar.
    """
    from rich.console import Console  # here: commands that read few files start sooner
    from rich.progress import track

    console = Console(stderr=True)
    hidden = count <= _PROGRESS_FROM or not console.is_terminal
    pool = ThreadPoolExecutor(os.cpu_count())  # Pillow releases the interpreter's lock while it decodes
    # In parts: the pool would keep an object for each of a million files.
    parts = (range(start, min(start + _AT_ONCE, count)) for start in range(0, count, _AT_ONCE))
    try:
        with quiet_pillow():
            done = itertools.chain.from_iterable(pool.map(read, part) for part in parts)
            for _ in done if hidden else track(done, f"Reading {what}", count, console=console):
                pass
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C, do not read the other files


def grey_16_bit(image: Image.Image) -> np.ndarray | None:
    """Return the values of a 16-bit grey image, [H, W] in 0..65535, or None for other images.

    A colour profile is applied, as :func:`~imgcolor.data.colour_profiles.to_srgb` does for 8 bits.

    Raises:
        ImageFileFault: If the image holds floating-point values, or values outside 16 bits.
        ProfileFault: If the image has a colour profile that cannot be used.
    """
    if image.mode == "F":
        raise ImageFileFault("holds floating-point values, whose white is unknown")
    if not image.mode.startswith("I"):  # I, I;16, I;16B, ...: convert() would clip at 255
        return None
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise ImageFileFault(f"holds values from {values.min()} to {values.max()}, beyond 16 bits")
    curve = grey_curve(image)
    if curve is not None:
        levels = np.interp(values, np.arange(256) * 257, np.asarray(list(curve)) * 257.0)
        return np.asarray(levels.round(), np.uint16)
    return values


def _read(path: Path, size: int, crop: float = 1.0, expected_bytes: int | None = None) -> torch.Tensor:
    """Do the work of `read_image`, without changing the filter for warnings, which all threads share."""

    def resized(image: Image.Image) -> Image.Image:
        image = to_rgb(image)
        if crop < 1:
            left, top = (round(side * (1 - crop) / 2) for side in image.size)
            image = image.crop((left, top, image.width - left, image.height - top))
        if image.size != (size, size):
            image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
        return image

    pixels = np.array(decode(path, resized, expected_bytes=expected_bytes))
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a Pillow image of any mode to 8-bit RGB; transparent parts become white."""
    values = grey_16_bit(image)
    if values is not None:
        # 65535 = 257 * 255
        image = Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
    image = on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def on_white(image: Image.Image) -> Image.Image:
    """Put a transparent image on white, in mode ``RGB``; return other images unchanged."""
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return white


def _bytes(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:  # reported when the file is read
        return None

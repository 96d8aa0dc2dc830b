"""Reading image files: decoding, sizes, and the image files of a folder."""

import contextlib
import itertools
import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.console import Console
from rich.progress import track

from imgcolor.utils.errors import ImgcolorError, check_positive, one_line_error, reason_of

T = TypeVar("T")

MAX_PIXELS = 178_956_970
"""The largest image that is decoded: Pillow's own limit, which other libraries sometimes switch off."""

_LARGE = 2**25
"""Pixels from which on images are decoded one after the other: a thread each, they would take all memory."""

_one_large = threading.Lock()

_OUTSIDE = {"BUFR", "EPS", "GRIB", "HDF5", "WMF"}
"""Formats that Pillow leaves to other programs, such as Ghostscript, which are not run on files of strangers."""

_PROGRESS_FROM = 500  # fewer files are read before a progress bar could be of use

_AT_ONCE = 10_000  # files that wait for a thread


def read_image(path: Path, size: int) -> torch.Tensor:
    """Read an image file of any kind as 8-bit RGB.

    EXIF rotation is applied, 16-bit grey is scaled to 8 bits, transparency is blended over white, and of an
    animation the first frame is read. An image of another size is cut to a square at its centre and resized
    with Lanczos, Pillow's sharpest antialiasing filter; one of `size` x `size` passes as it is.

    Args:
        path: The file.
        size: Height and width to return.

    Returns:
        uint8 [3, size, size].

    Raises:
        ImgcolorError: The file is missing, empty, damaged or no image, holds floating-point values or values
            beyond 16 bits, or has more than `MAX_PIXELS` pixels (refused before it is decoded).
    """
    check_positive("image size", size)
    with quiet_pillow():
        return _read(Path(path), size)


def read_images(files: Sequence[Path], pixels: torch.Tensor, what: str, crop: float = 1.0) -> None:
    """Read image files in parallel into uint8 [N, 3, size, size], with a progress bar that names them."""
    listed = [_bytes(file) for file in files]

    def read(index: int) -> None:
        pixels[index] = _read(files[index], pixels.shape[-1], crop, listed[index])

    console = Console(stderr=True)
    hidden = len(files) <= _PROGRESS_FROM or not console.is_terminal
    pool = ThreadPoolExecutor(os.cpu_count())  # Pillow decodes outside the interpreter's lock
    # A part at a time: of a million files the pool would keep a million notes, beside which images are small.
    parts = (range(start, min(start + _AT_ONCE, len(files))) for start in range(0, len(files), _AT_ONCE))
    try:
        with quiet_pillow():
            done = itertools.chain.from_iterable(pool.map(read, part) for part in parts)
            for _ in done if hidden else track(done, f"Reading {what}", len(files), console=console):
                pass
    finally:
        pool.shutdown(cancel_futures=True)  # a bad file, or Ctrl-C, does not wait for the rest


class _Refused(ImgcolorError):  # noqa: N818
    """What is wrong with an image file, as the rest of a sentence that its path begins."""


def _read(path: Path, size: int, crop: float = 1.0, listed: int | None = None) -> torch.Tensor:
    """Do the work of `read_image`, apart from the warnings, which no thread can change for itself alone.

    Of each side only the middle share `crop` is kept, before the image is cut to a square and resized.
    """

    def fitted(image: Image.Image) -> Image.Image:
        image = _to_rgb(image)
        if crop < 1:
            left, top = (round(side * (1 - crop) / 2) for side in image.size)
            image = image.crop((left, top, image.width - left, image.height - top))
        if image.size != (size, size):
            image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
        return image

    return torch.from_numpy(np.array(decode(path, fitted, listed=listed))).permute(2, 0, 1).contiguous()


def decode(
    path: Path,
    convert: Callable[[Image.Image], T],
    most: int = MAX_PIXELS,
    formats: tuple[str, ...] | None = None,
    listed: int | None = None,
) -> T:
    """Open an image file, turn it as its EXIF data say, and make something of it.

    Args:
        path: The file.
        convert: Takes the image; what goes wrong in it counts as a fault of the file.
        most: The number of pixels up to which a file is decoded.
        formats: Pillow's names of the kinds of files that are opened; by default all that it reads by itself.
        listed: Bytes that the file had when it was listed.

    Returns:
        What `convert` gave.

    Raises:
        ImgcolorError: The file is missing, empty, damaged, no image or of another kind, has more pixels (refused
            before it is decoded), or has changed since it was listed or while it was read.
    """
    with _opened(path, most, formats, listed) as file:
        if file.format == "PNG":
            # Pillow looks at the checksums of the pixels nowhere else, and a file that it has verified is used up.
            with Image.open(path, formats=["PNG"]) as again:
                again.verify()
        with _one_large if file.width * file.height > _LARGE else contextlib.nullcontext():
            return convert(ImageOps.exif_transpose(file))


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of an image file as it is stored, before EXIF data turn it; nothing is decoded.

    Raises:
        ImgcolorError: The file is missing, empty or no image, or has more than `MAX_PIXELS` pixels.
    """
    with _opened(path) as file:
        return file.size


@contextlib.contextmanager
def _opened(
    path: Path,
    most: int = MAX_PIXELS,
    formats: tuple[str, ...] | None = None,
    listed: int | None = None,
) -> Iterator[Image.Image]:
    """An image file, not yet decoded; what goes wrong in the `with` block counts as a fault of the file."""
    try:
        _check_file(path)
        before = path.stat()
        if listed not in (None, before.st_size):
            raise _Refused(f"has changed since it was listed ({listed:,} bytes then, {before.st_size:,} now)")
        with Image.open(path, formats=formats or _formats()) as file:
            if file.width * file.height > most:
                raise Image.DecompressionBombError(f"{file.width} x {file.height} pixels")
            yield file
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise _Refused("has changed while it was read")
    except Exception as error:  # a damaged file makes Pillow's plugins raise nearly anything
        raise one_line_error(
            f"{path} {_image_fault(error)}: expected a whole image, 8 or 16 bits a channel, of at most "
            f"{most:,} pixels; replace the file or take it away"
        ) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    values = deep_grey(image)
    if values is not None:
        image = Image.fromarray(
            ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
        )  # 65535 = 257 * 255
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    return image if image.mode == "RGB" else image.convert("RGB")


def deep_grey(image: Image.Image) -> np.ndarray | None:
    """The values of a 16-bit grey image, [H, W] in 0..65535; None for other images. For `decode`."""
    if image.mode == "F":
        raise _Refused("holds floating-point values, whose white is unknown")
    if not image.mode.startswith("I"):  # I, I;16, I;16B, ...: convert() would clip at 255
        return None
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise _Refused(f"holds values from {values.min()} to {values.max()}, beyond 16 bits")
    return values


def _bytes(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:  # reading it says what is wrong
        return None


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise _Refused("is a folder")
    if not path.exists():
        raise _Refused("is a broken link" if path.is_symlink() else "does not exist")
    if not path.is_file():  # reading a pipe would wait for ever
        raise _Refused("is no regular file")
    if path.stat().st_size == 0:
        raise _Refused("is empty")


def _image_fault(error: Exception) -> str:
    if isinstance(error, _Refused):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"is too large ({error})"
    if isinstance(error, UnidentifiedImageError):
        return "is no image that Pillow can read"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be opened ({error.strerror})"
    if any(word in str(error).lower() for word in ("truncated", "broken")):
        return f"is truncated or damaged ({error})"
    return f"is damaged, or of a kind that Pillow cannot decode ({reason_of(error)})"


def image_files(folder: Path) -> list[Path]:
    """Return the image files below a folder, at least one, sorted by their relative paths.

    Hidden files are left out. Links to folders are followed; a folder that is reached in several ways counts once.

    Raises:
        ImgcolorError: There is no image, or a folder cannot be listed.
    """
    try:
        files = sorted(_files(folder), key=lambda file: file.relative_to(folder).as_posix())
    except OSError as error:
        raise cannot_list(folder, error) from error
    extensions = readable_extensions()
    images = [file for file in files if file.suffix.lower() in extensions]
    if not images:
        seen = shorten(file.suffix.lower() or "no ending" for file in files)
        raise one_line_error(
            f"{folder}: expected images (.png, .jpg, .webp or another ending that Pillow reads), "
            f"found {len(files)} other files, with the endings: {seen}; "
            "put images there or pass another --data.root"
        )
    return images


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, also through links to folders, without the hidden ones."""
    folders, links = [folder], deque[Path]()
    seen: set[Path] = set()
    while folders or links:
        # Links last, so that a folder that is there itself is not called by a link's name.
        current = folders.pop() if folders else links.popleft()
        real = current.resolve()
        if real in seen:  # links between folders make more ways than anyone can go
            continue
        seen.add(real)
        for path in sorted(current.iterdir()):
            if path.name.startswith("."):
                continue
            if not path.is_dir():
                yield path
            elif path.is_symlink():
                links.append(path)
            else:
                folders.append(path)


def readable_extensions() -> set[str]:
    """Endings of image files that Pillow reads, in lower case: ``.png`` and so on."""
    formats = _formats()
    return {extension for extension, kind in Image.registered_extensions().items() if kind in formats}


def _formats() -> list[str]:
    Image.init()
    return [kind for kind in Image.OPEN if kind not in _OUTSIDE]


def quiet_pillow() -> "warnings.catch_warnings[None]":
    """Silence Pillow in a `with` block: its warnings, of large sizes or odd metadata, name no file."""
    return warnings.catch_warnings(action="ignore")


def cannot_list(folder: Path, error: OSError) -> ImgcolorError:
    """Return the error for a folder whose files cannot be listed."""
    return one_line_error(f"{folder}: expected folders to list, found: {error}; change their permissions")


def shorten(names: Iterator[str]) -> str:
    """Return the first ten different names, in order, as a list for a message."""
    unique = sorted(set(names))
    return ", ".join(unique[:10] + ["..."] * (len(unique) > 10)) or "none"

"""Find, check and open image files with Pillow. NumPy and torch are not imported."""

import contextlib
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from imgcolor.data.colour_profiles import convert_in_srgb
from imgcolor.utils.errors import ImgcolorError, first_names, one_line_error, reason_of, shorten

T = TypeVar("T")

MAX_PIXELS = 178_956_970
"""Number of pixels of the largest image that is decoded: Pillow's limit, also where another library removed it."""

WRITABLE_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
"""Extension of the files that are written, to Pillow's name of the format."""

_LARGE = 2**25
"""Images with more pixels are decoded one at a time. In parallel they could fill the memory."""

_SEVERAL_FRAMES = {"TIFF": "pages", **dict.fromkeys(("GIF", "PNG", "WEBP", "AVIF"), "frames")}
"""Pillow's name of a format with several images, to the word for them."""

_TURNED = (5, 6, 7, 8)
"""Values of the EXIF orientation that exchange width and height."""

_large_image_lock = threading.Lock()

_EXTERNAL = {"BUFR", "EPS", "GRIB", "HDF5", "WMF"}
"""Formats that Pillow decodes with other programs, such as Ghostscript, which must not run on untrusted files."""

_INSTALL_HEIF = "for HEIC files: pip install 'imgcolor[heif]'"

OTHER_IMAGES = {
    **dict.fromkeys((".heic", ".heif", ".hif"), _INSTALL_HEIF),
    ".avif": "for AVIF files: pip install --upgrade pillow",
    **dict.fromkeys((".jxl", ".svg", ".psb", ".xcf", ".exr"), ""),
    **dict.fromkeys((".dng", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".pef"), ""),
}
"""Extensions that Pillow may not read, to the advice; empty if there is none."""


class ImageFileFault(ImgcolorError):  # noqa: N818
    """What is wrong with an image file: a message without the path."""


class _NoImageFile(ImageFileFault):
    """There is no image file at the path."""


def decode(
    path: Path,
    convert: Callable[[Image.Image], T],
    max_pixels: int = MAX_PIXELS,
    formats: tuple[str, ...] | None = None,
    expected_bytes: int | None = None,
    page: int | None = None,
) -> T:
    """Open an image file, apply its EXIF rotation and its colour profile, and convert the image.

    One line on stderr names what is not used: a damaged profile, further pages, further frames of an animation.

    Args:
        path: The file.
        convert: Called with the image. Its exceptions are reported as faults of the file.
        max_pixels: Files with more pixels are refused before they are decoded.
        formats: Pillow's names of the accepted formats. By default, all formats that need no other program.
        expected_bytes: The size of the file when it was listed. A file of another size is refused.
        page: The page of a TIFF file, from 0. None takes the first.

    Returns:
        The result of `convert`.

    Raises:
        ImgcolorError: If the file is missing, empty, damaged, not an image, not in an accepted format, or too
            large, or if it changed since it was listed or while it was read.
    """
    with _open(path, max_pixels, formats, expected_bytes) as file:
        if file.format == "PNG":
            # Only verify() checks the checksums of the pixels, and the image cannot be decoded after it.
            with Image.open(path, formats=["PNG"]) as again:
                again.verify()
        if page:
            file.seek(page)
            _check_pixels(file, max_pixels)
        elif page is None and file.format in _SEVERAL_FRAMES and getattr(file, "is_animated", False):
            print_note(path, f"holds several {_SEVERAL_FRAMES[file.format]}: only the first is used")
        with _large_image_lock if file.width * file.height > _LARGE else contextlib.nullcontext():
            if file.format == "TIFF":
                _keep_tags(path, file)
            upright = ImageOps.exif_transpose(file)
            white_is_zero = getattr(file, "tag_v2", {}).get(ExifTags.Base.PhotometricInterpretation) == 0
            if white_is_zero and file.mode.startswith("I;16"):
                upright = upright.point(lambda level: level * -1 + 65535)  # Pillow does this for 8 bits only
            return convert_in_srgb(upright, convert, partial(print_note, path))


def _keep_tags(path: Path, file: Image.Image) -> None:
    """Keep the tags of a TIFF file as EXIF data, because a copy of the image loses them."""
    try:
        file.info["exif"] = file.getexif().tobytes()
    except Exception as error:  # damaged tags make Pillow raise nearly anything
        print_note(path, f"holds tags that are not used ({type(error).__name__}: {error})")


def print_note(path: Path, text: str) -> None:
    """Print in one line on stderr what is not used of a file."""
    print(f"{path} {text}", file=sys.stderr)


def page_count(path: Path) -> int:
    """Return the number of pages of a TIFF file; 1 for files of other formats.

    Raises:
        ImgcolorError: See :func:`image_size`.
    """
    with _open(path) as file:
        return getattr(file, "n_frames", 1) if file.format == "TIFF" else 1


def image_size(path: Path) -> tuple[int, int]:
    """Return width and height of an image file, after EXIF rotation, without decoding it.

    Raises:
        ImgcolorError: If the file is missing, empty, not an image, or has more than :data:`MAX_PIXELS` pixels.
    """
    with _open(path) as file:
        width, height = file.size
        turned = file.getexif().get(ExifTags.Base.Orientation) in _TURNED
        return (height, width) if turned else (width, height)


def image_files(folder: Path, hint: str = "pass another folder") -> list[Path]:
    """Return the image files in a folder and its subfolders, at least one, sorted by relative path.

    Hidden files are left out. Links to folders are followed. A folder that several paths lead to is read once.

    Args:
        folder: The folder.
        hint: The advice that ends the error message for a folder without images.

    Raises:
        ImgcolorError: If there is no image, or a folder cannot be listed.
    """
    try:
        files = sorted(_walk(folder), key=lambda file: file.relative_to(folder).as_posix())
    except OSError as error:
        raise cannot_list(folder, error) from error
    extensions = readable_extensions()
    images = [file for file in files if file.suffix.lower() in extensions]
    if not images:
        found = shorten(file.suffix.lower() or "no extension" for file in files)
        raise one_line_error(
            f"{folder}: expected images (.png, .jpg, .webp or another extension that Pillow reads), "
            f"found {len(files)} other files, with the extensions: {found}; "
            f"put images there or {hint}"
        )
    others = [file for file in files if file.suffix.lower() in OTHER_IMAGES.keys() - extensions]
    if others:
        names = first_names([str(file.relative_to(folder)) for file in others])
        ways = dict.fromkeys(filter(None, (OTHER_IMAGES[file.suffix.lower()] for file in others)))
        print_note(folder, f"holds images that cannot be read: {names}{''.join(f'; {way}' for way in ways)}")
    return images


def readable_extensions() -> set[str]:
    """Return the extensions of image files that Pillow reads, in lower case, such as ``.png``."""
    formats = _formats()
    return {extension for extension, kind in Image.registered_extensions().items() if kind in formats}


def quiet_pillow() -> "warnings.catch_warnings[None]":
    """Return a context manager that ignores warnings. Pillow's warnings do not name the file."""
    return warnings.catch_warnings(action="ignore")


def cannot_list(folder: Path, error: OSError) -> ImgcolorError:
    """Return the error for a folder whose files cannot be listed."""
    return one_line_error(
        f"{folder}: expected a folder that can be listed, found: {error}; change its permissions"
    )


@contextlib.contextmanager
def _open(
    path: Path,
    max_pixels: int = MAX_PIXELS,
    formats: tuple[str, ...] | None = None,
    expected_bytes: int | None = None,
) -> Iterator[Image.Image]:
    """Open an image file without decoding it. Any exception in the `with` block becomes a fault of the file."""
    try:
        _check_file(path)
        before = path.stat()
        if expected_bytes not in (None, before.st_size):
            raise ImageFileFault(
                f"has changed since it was listed ({expected_bytes:,} bytes then, {before.st_size:,} now)"
            )
        with Image.open(path, formats=formats or _formats()) as file:
            _check_pixels(file, max_pixels)
            yield file
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise ImageFileFault("has changed while it was read")
    except Exception as error:  # on damaged files, Pillow's decoders raise many kinds of exceptions
        if isinstance(error, _NoImageFile):
            raise one_line_error(f"{path} {error}: expected an image file; {_remedy(path, error)}") from error
        raise one_line_error(
            f"{path} {_describe(error)}: expected a whole image, 8 or 16 bits a channel, of at most "
            f"{max_pixels:,} pixels; {_remedy(path, error)}"
        ) from error


def _check_pixels(file: Image.Image, most: int) -> None:
    if file.width * file.height > most:
        raise Image.DecompressionBombError(f"{file.width} x {file.height} pixels")


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise _NoImageFile("is a folder")
    if not path.exists():
        raise _NoImageFile("is a broken link" if path.is_symlink() else "does not exist")
    if not path.is_file():  # reading a pipe would block
        raise _NoImageFile("is not a regular file")
    if path.stat().st_size == 0:
        raise _NoImageFile("is empty")


def _remedy(path: Path, error: Exception) -> str:
    way = OTHER_IMAGES.get(path.suffix.lower()) if isinstance(error, UnidentifiedImageError) else None
    return way or "replace the file or remove it"


def _describe(error: Exception) -> str:
    if isinstance(error, ImageFileFault):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"is too large ({error})"
    if isinstance(error, UnidentifiedImageError):
        return "is not an image that Pillow can read"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be opened ({error.strerror})"
    if any(word in str(error).lower() for word in ("truncated", "broken")):
        return f"is truncated or damaged ({error})"
    return f"is damaged, or of a kind that Pillow cannot decode ({reason_of(error)})"


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and its subfolders, through links to folders too, without hidden files."""
    folders, links = [folder], deque[Path]()
    visited: set[Path] = set()
    while folders or links:
        # Links come last, so that a folder inside `folder` is named by its own path and not by a link's.
        current = folders.pop() if folders else links.popleft()
        real = current.resolve()
        if real in visited:  # folders that link to each other have exponentially many paths
            continue
        visited.add(real)
        for path in sorted(current.iterdir()):
            if path.name.startswith("."):
                continue
            if not path.is_dir():
                yield path
            elif path.is_symlink():
                links.append(path)
            else:
                folders.append(path)


@cache
def _formats() -> list[str]:
    Image.init()
    with contextlib.suppress(ImportError):  # an extra
        import pillow_heif  # type: ignore[import-not-found,unused-ignore]  # may be missing

        pillow_heif.register_heif_opener()
    return [kind for kind in Image.OPEN if kind not in _EXTERNAL]

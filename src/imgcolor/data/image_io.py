"""Where pixels come from: CIFAR-10, LFW, a folder of image files, or drawings, as uint8 images in memory.

A source is any object with `load(split) -> ImageSet`. What becomes of the images is decided elsewhere.
"""

import contextlib
import http.client
import itertools
import os
import tempfile
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, Protocol, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.console import Console
from rich.progress import track
from torchvision.datasets import CIFAR10, LFWPeople
from torchvision.datasets.utils import check_integrity, download_and_extract_archive

from imgcolor.data.disk_cache import read_or_map
from imgcolor.errors import ImgcolorError

T = TypeVar("T")

Split = Literal["train", "val", "test"]

CATEGORIES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

MAX_PIXELS = 178_956_970
"""The largest image that is decoded: Pillow's own limit, which other libraries sometimes switch off."""

_LARGE = 2**25
"""Pixels from which on images are decoded one after the other: a thread each, they would take all memory."""

_one_large = threading.Lock()

_OUTSIDE = {"BUFR", "EPS", "GRIB", "HDF5", "WMF"}
"""Formats that Pillow leaves to other programs, such as Ghostscript, which are not run on files of strangers."""

_PROGRESS_FROM = 500  # fewer files are read before a progress bar could be of use
_AT_ONCE = 10_000  # files that wait for a thread


@dataclass(frozen=True, eq=False)  # no ==: comparing tensors gives no single bool
class ImageSet:
    """Images held in memory.

    Attributes:
        pixels: uint8 [N, 3, H, W], RGB, N at least 1.
        names: One name an image, in the order of `pixels`.

    Raises:
        ImgcolorError: The pixels have another type or shape, or the number of names differs.
    """

    pixels: torch.Tensor
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check what a source, perhaps another project's, has handed over."""
        pixels = self.pixels
        if not isinstance(pixels, torch.Tensor):
            found = f"a {type(pixels).__name__}"
        elif pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3 or pixels.numel() == 0:
            found = f"{pixels.dtype} {list(pixels.shape)}"
        elif len(self.names) != len(pixels):
            found = f"{len(pixels)} images and {len(self.names)} names"
        else:
            return
        raise _error(
            "ImageSet: expected pixels as torch.uint8 [N, 3, H, W], none of them 0, and one name an image, "
            f"found {found}; change what the source's load() returns"
        )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pixels)


class ImageSource(Protocol):
    """What the data modules read: anything that loads a split as an `ImageSet`."""

    def load(self, split: Split) -> ImageSet:
        """Return all images of a split, in an order that never changes."""
        ...


class Cifar10Source:
    """One category of CIFAR-10: 5,000 official training images; val and test are the 1,000 test images."""

    def __init__(self, root: Path | str, category: str = "horse") -> None:
        """Choose the category; the first `load` downloads what is not there yet.

        Args:
            root: The folder for `cifar-10-batches-py`; that or `cifar-10-python.tar.gz` may be there already.
            category: One of `CATEGORIES`.

        Raises:
            ImgcolorError: CIFAR-10 has no such category.
        """
        if category not in CATEGORIES:
            raise _error(f"CIFAR-10 category: expected one of {', '.join(CATEGORIES)}, found {category!r}")
        self.root = Path(root).expanduser()
        self.category = category

    def load(self, split: Split) -> ImageSet:
        """Return the category's images in the official order, named `horse_0000`, `horse_0001`, ...

        Returns:
            uint8 [N, 3, 32, 32].

        Raises:
            ImgcolorError: The download failed, or the files under `root` are incomplete or changed.
        """
        self.prepare()
        folder = self.root / CIFAR10.base_folder
        try:
            with warnings.catch_warnings():
                # NumPy 2.4.0 to 2.4.4 object to how the official files were pickled.
                warnings.filterwarnings("ignore", message=r"dtype\(\): align")
                dataset = CIFAR10(self.root, train=split == "train")
        except (OSError, RuntimeError) as error:
            raise _error(
                f"{folder}: expected the official CIFAR-10 files, found {_cifar10_fault(folder, error)}; "
                "delete the folder to have it downloaded again"
            ) from error
        wanted = np.asarray(dataset.targets) == CATEGORIES.index(self.category)
        # Indexing copies, so the other nine categories leave memory with `dataset`.
        pixels = torch.from_numpy(dataset.data[wanted]).permute(0, 3, 1, 2).contiguous()
        return ImageSet(pixels, tuple(f"{self.category}_{index:04d}" for index in range(len(pixels))))

    def prepare(self) -> None:
        """Put the finished folder into `root`, from an archive there or from the network, or nothing.

        Raises:
            ImgcolorError: The download failed, or the archive under `root` is incomplete or another file.
        """
        folder = self.root / CIFAR10.base_folder
        archive = self.root / CIFAR10.filename
        new_root = False
        try:
            if folder.exists():
                return
            new_root = not self.root.exists()
            self.root.mkdir(parents=True, exist_ok=True)
            by_hand = archive.exists()
            if by_hand and not check_integrity(archive, CIFAR10.tgz_md5):
                raise _error(
                    f"{archive}: expected the official archive, md5 {CIFAR10.tgz_md5}, found an incomplete "
                    "or another file; replace it, or delete it to have it downloaded"
                )
            with tempfile.TemporaryDirectory(dir=self.root, prefix=".cifar10-") as temporary:
                # torchvision does not fetch an archive that is there already.
                download_root = self.root if by_hand else temporary
                download_and_extract_archive(
                    CIFAR10.url, download_root, temporary, filename=CIFAR10.filename, md5=CIFAR10.tgz_md5
                )
                try:
                    (Path(temporary) / CIFAR10.base_folder).replace(folder)
                except OSError:
                    if not folder.is_dir():  # else another process has been faster
                        raise
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            if new_root:
                with contextlib.suppress(OSError):  # not empty
                    self.root.rmdir()
            reason = _reason(error)
            if type(error) is RuntimeError:  # all that torchvision raises for a wrong md5
                reason = f"what arrived is incomplete or not the archive with md5 {CIFAR10.tgz_md5}"
            raise _error(
                f"{self.root}: expected CIFAR-10 there or a download of {CIFAR10.url}, found: {reason}; "
                f"place the archive by hand as {archive} or its content as {folder}, "
                "or use --data.source folder or --data.source synthetic, which need no download"
            ) from error


class FolderSource:
    """Image files in `ROOT/train/**` and `ROOT/val/**`, and in `ROOT/test/**` where there is one."""

    def __init__(self, root: Path | str, size: int, memory_limit: float | None = None) -> None:
        """Name the folder; nothing is read yet.

        Args:
            root: The folder that holds `train`, `val` and perhaps `test`, each with images at any depth.
            size: Height and width of the images it gives; see `read_image` for how others are fitted.
            memory_limit: GiB that the images of a split may take in memory; more are kept in a file on disk, which
                is made once (see :mod:`imgcolor.data.disk_cache`). Half of the free memory by default.

        Raises:
            ImgcolorError: `size` is not at least 1, or the limit is below 0.
        """
        _check_positive("image size", size)
        if memory_limit is not None and not memory_limit >= 0:
            raise _error(f"memory_limit: expected 0 or more GiB, found {memory_limit}")
        self.root = Path(root).expanduser()
        self.size = size
        self.memory_limit = memory_limit

    def load(self, split: Split) -> ImageSet:
        """Read every image of a split, sorted by relative path.

        "test" means "val" where there is no test, and the root itself where there is no split at all.

        Files with an ending that Pillow can read count, in upper or lower case, but hidden ones do not.

        Returns:
            uint8 [N, 3, size, size], named by the paths below the split's folder, such as `horse/0001.png`.

        Raises:
            ImgcolorError: The folders are laid out otherwise, hold no image, or an image cannot be read, or
                vanishes or changes meanwhile.
        """
        try:
            folder = self._folder(split)
        except OSError as error:
            raise _unlisted(self.root, error) from error
        files = image_files(folder)
        pixels = read_or_map(
            files, (3, self.size, self.size), partial(_read_all, files, what=split), self.memory_limit
        )
        return ImageSet(pixels, tuple(file.relative_to(folder).as_posix() for file in files))

    def _folder(self, split: Split) -> Path:
        root = self.root
        layout = f"expected image folders {root}/train and {root}/val, and {root}/test if wanted"
        way_out = "lay the images out so or pass another --data.root"
        if not root.is_dir():
            found = "a file" if root.exists() else "nothing"
            raise _error(f"{root}: {layout}, found {found} at {root}; {way_out}")
        folder = root / split
        if split == "test" and not folder.exists():
            # A folder of photos to predict need not be laid out for training.
            folder = root / "val" if any((root / name).exists() for name in ("train", "val")) else root
        if not folder.is_dir():
            found = _some(path.name for path in root.glob("[!.]*") if path.is_dir())
            raise _error(f"{folder} is no folder: {layout}, found the folders: {found}; {way_out}")
        return folder


class LFWSource:
    """Labeled Faces in the Wild: 9,525 images to train on; val and test are the 3,708 of other people.

    Attributes:
        CROP: The share of each side that is kept about the centre, 150 of the 250 pixels: the face without
            most of its background.
    """

    CROP: ClassVar[float] = 150 / 250

    def __init__(
        self,
        root: Path | str,
        size: int,
        image_set: Literal["original", "funneled", "deepfunneled"] = "funneled",
    ) -> None:
        """Name the folder; nothing is read yet.

        Args:
            root: The folder that holds `lfw-py`, as torchvision lays it out: the lists `peopleDevTrain.txt`
                and `peopleDevTest.txt`, and the images' folder.
            size: Height and width of the images it gives.
            image_set: How the faces are aligned; their folder is `lfw`, `lfw_funneled` or `lfw-deepfunneled`.

        Raises:
            ImgcolorError: `size` is not at least 1, or there is no such image set.
        """
        _check_positive("image size", size)
        if image_set not in LFWPeople.file_dict:
            expected = ", ".join(LFWPeople.file_dict)
            raise _error(f"LFW image_set: expected one of {expected}, found {image_set!r}")
        self.root = Path(root).expanduser()
        self.size = size
        self.image_set = image_set

    def load(self, split: Split) -> ImageSet:
        """Read the images of everybody on a split's list, in its order.

        They are cut to the middle `CROP` and resized with Lanczos, as in `read_image`.

        Returns:
            uint8 [N, 3, size, size], named such as `George_W_Bush/George_W_Bush_0001.jpg`.

        Raises:
            ImgcolorError: The list or an image is missing or damaged.
        """
        # LFWPeople wants the packed archive too, with the md5 of a download that is no longer offered.
        # What it does with the list is little enough to do here, for any copy of the images.
        base = self.root / LFWPeople.base_folder
        folder = base / LFWPeople.file_dict[self.image_set][0]
        people = base / f"peopleDev{'Train' if split == 'train' else 'Test'}.txt"
        try:
            names = _lfw_names(people)
            missing = [name for name in names if not (folder / name).exists()]
            if missing:
                raise FileNotFoundError(
                    f"no {folder / missing[0]}, {len(missing):,} of {len(names):,} images missing"
                )
        except (OSError, ValueError) as error:
            raise _error(
                f"{base}: expected Labeled Faces in the Wild, placed by hand: the lists peopleDevTrain.txt and "
                f"peopleDevTest.txt, and the images as {folder}/NAME/NAME_0001.jpg; found {_reason(error)}. "
                "The data set has no automatic download any more: copy the two lists and unpack "
                f"{LFWPeople.file_dict[self.image_set][1]} there from a copy of it, pass another --data.root, "
                "or use --data.source folder or --data.source synthetic, which need none"
            ) from error
        pixels = torch.empty((len(names), 3, self.size, self.size), dtype=torch.uint8)
        _read_all([folder / name for name in names], pixels, split, self.CROP)
        return ImageSet(pixels, tuple(names))


class SyntheticSource:
    """Drawn images, the same ones for the same seed; no files and no download."""

    def __init__(
        self,
        draw: Callable[[int, int, int], torch.Tensor],
        size: int,
        train_images: int = 2000,
        val_images: int = 500,
        seed: int = 0,
    ) -> None:
        """Hand in the drawing function; nothing is drawn yet.

        Args:
            draw: `draw(count, size, seed)` -> uint8 [count, 3, size, size].
            size: Height and width of the images.
            train_images: Number of images of "train".
            val_images: Number of images of "val", and of "test".
            seed: Another seed gives other images in every split.

        Raises:
            ImgcolorError: `size` or a number of images is not at least 1.
        """
        _check_positive("image size", size)
        _check_positive("train_images", train_images)
        _check_positive("val_images", val_images)
        self.draw = draw
        self.size = size
        self.counts: dict[Split, int] = {"train": train_images, "val": val_images, "test": val_images}
        self.seed = seed

    def load(self, split: Split) -> ImageSet:
        """Draw a split's images, named `train_00000`, `train_00001`, ...

        Returns:
            uint8 [N, 3, size, size].

        Raises:
            ImgcolorError: `draw` returned another number of images, or no uint8 images.
        """
        count = self.counts[split]
        # Three seeds a source: no split draws another's images, nor those of the next seed.
        pixels = self.draw(count, self.size, 3 * self.seed + list(self.counts).index(split))
        return ImageSet(pixels, tuple(f"{split}_{index:05d}" for index in range(count)))


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
    _check_positive("image size", size)
    with quiet_pillow():
        return _read(Path(path), size)


def _read_all(files: Sequence[Path], pixels: torch.Tensor, what: str, crop: float = 1.0) -> None:
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
        raise _error(
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
    return f"is damaged, or of a kind that Pillow cannot decode ({_reason(error)})"


def _cifar10_fault(folder: Path, error: Exception) -> str:
    if isinstance(error, RuntimeError):  # torchvision does not say which file it means
        files = [*CIFAR10.train_list, *CIFAR10.test_list, (CIFAR10.meta["filename"], CIFAR10.meta["md5"])]
        for name, md5 in files:
            if not check_integrity(folder / name, md5):
                return f"{name} {'damaged' if (folder / name).exists() else 'missing'}"
    return _reason(error)


def _lfw_names(people: Path) -> list[str]:
    """Return the images that a list of people stands for: their number, then each one's name and images."""
    if not people.parent.is_dir():
        raise FileNotFoundError(f"no folder {people.parent}")
    if not people.is_file():
        raise FileNotFoundError(f"no file {people}")
    try:
        announced, *entries = people.read_text("utf-8").split()
        count = int(announced)
        persons = list(zip(entries[::2], map(int, entries[1::2]), strict=True))
    except ValueError as error:
        raise ValueError(f"{people} damaged ({error})") from error
    if not persons or count != len(persons):
        raise ValueError(f"{people} damaged ({count} people announced, {len(persons)} listed)")
    # Four digits; a list of as many names as any number says would take all memory.
    if not all(1 <= images <= 9999 for _, images in persons):
        raise ValueError(f"{people} damaged (a person without images, or with more than 9,999)")
    return [f"{name}/{name}_{number:04d}.jpg" for name, images in persons for number in range(1, images + 1)]


def image_files(folder: Path) -> list[Path]:
    """Return the image files below a folder, at least one, sorted by their relative paths.

    Hidden files are left out. Links to folders are followed; a folder that is reached in several ways counts once.

    Raises:
        ImgcolorError: There is no image, or a folder cannot be listed.
    """
    try:
        files = sorted(_files(folder), key=lambda file: file.relative_to(folder).as_posix())
    except OSError as error:
        raise _unlisted(folder, error) from error
    endings = readable_endings()
    images = [file for file in files if file.suffix.lower() in endings]
    if not images:
        seen = _some(file.suffix.lower() or "no ending" for file in files)
        raise _error(
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


def readable_endings() -> set[str]:
    """Endings of image files that Pillow reads, in lower case: ``.png`` and so on."""
    formats = _formats()
    return {ending for ending, kind in Image.registered_extensions().items() if kind in formats}


def _formats() -> list[str]:
    Image.init()
    return [kind for kind in Image.OPEN if kind not in _OUTSIDE]


def quiet_pillow() -> "warnings.catch_warnings[None]":
    """Silence Pillow in a `with` block: its warnings, of large sizes or odd metadata, name no file."""
    return warnings.catch_warnings(action="ignore")


def _unlisted(folder: Path, error: OSError) -> ImgcolorError:
    return _error(f"{folder}: expected folders to list, found: {error}; change their permissions")


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise _error(f"{name}: expected at least 1, found {value}; pass a larger one")


def _some(names: Iterator[str]) -> str:
    unique = sorted(set(names))
    return ", ".join(unique[:10] + ["..."] * (len(unique) > 10)) or "none"


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _error(message: str) -> ImgcolorError:
    """Keep the message on one line, whatever file names and other libraries' messages hold."""
    return ImgcolorError(" ".join(message.splitlines()))

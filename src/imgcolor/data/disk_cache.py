"""A cache on disk for images that do not fit in memory.

The images are decoded once into a file. Each run maps this file into memory and uses it as a tensor: the
system reads the pages that a batch needs, keeps as many as fit, and drops them if other programs need the
memory.
"""

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import torch
from filelock import FileLock
from lightning.pytorch.utilities import rank_zero_only

from imgcolor.utils.errors import ImgcolorError

_GIB = 2**30

_GROUP = Path("/sys/fs/cgroup")

_VERSION = 1
"""Version of the decoding of images; a new version invalidates all files."""

_print = rank_zero_only(print)


def read_or_map(
    files: Sequence[Path],
    shape: tuple[int, int, int],
    read: Callable[[torch.Tensor], None],
    memory_limit: float | None = None,
    *,
    count: int | None = None,
    settings: str = "",
) -> torch.Tensor:
    """Read images into memory or, if they need more than a limit, into a memory-mapped file.

    Args:
        files: The image files. Their names, sizes and times decide whether an existing cache file is valid.
        shape: Shape of each image.
        read: Function that fills a tensor, uint8 [N, *shape].
        memory_limit: Limit in GiB for this process; half of the free memory by default. Several processes on
            one machine each read the images, unless these exceed the limit.
        count: Number of images N, where it is not the number of files.
        settings: What else the images depend on, as text.

    Returns:
        uint8 [N, *shape].

    Raises:
        ImgcolorError: If the cache file cannot be written.
    """
    images = (len(files) if count is None else count, *shape)
    size = torch.Size(images).numel()
    limit = free_memory() / 2 if memory_limit is None else memory_limit * _GIB
    if size <= limit:
        pixels = torch.empty(images, dtype=torch.uint8)
        read(pixels)
        return pixels
    location = _location(files, f"{shape} {settings}".rstrip())
    path = cache_folder() / f"{location}-{_state(files)}.uint8"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{location}.lock")):  # one process reads, the others wait
            # A shorter file would be extended with zeros, which are black images.
            exists = path.exists() and path.stat().st_size == size
            if not exists:
                _write(path, images, read)
            pixels = _map(path, images)
    except OSError as error:
        raise ImgcolorError(
            f"{path}: expected space for {size / _GIB:.2f} GiB of images, found: {error.strerror or error}; "
            "free some space, set XDG_CACHE_HOME to another folder, or raise --data.memory_limit"
        ) from error
    _print(
        f"{images[0]:,} images take {size / _GIB:.2f} GiB, more than the memory limit of {limit / _GIB:.2f}: "
        f"they are read from {'' if exists else 'the new file '}{path}",
        file=sys.stderr,
    )
    return pixels


def free_memory() -> float:
    """Return the bytes of memory that this process can still use, within the limit of a container (cgroup v2)."""
    free = int(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):  # no such limit
        most, used, parts = ((_GROUP / f"memory.{name}").read_text() for name in ("max", "current", "stat"))
        # Cached files occupy memory only until a program needs it.
        reclaimable = dict(line.split() for line in parts.splitlines()).get("inactive_file", 0)
        free = min(free, int(most) - int(used) + int(reclaimable))
    return max(0, free)


def cache_folder() -> Path:
    """Return the folder of the files: ``imgcolor`` in ``XDG_CACHE_HOME``, or in ``~/.cache`` if that is not set."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "imgcolor"


def _location(files: Sequence[Path], settings: str) -> str:
    """Return the part of the file's name that stays the same if the images change."""
    return _hash([os.path.commonpath([file.absolute().parent for file in files]), settings, str(_VERSION)])


def _state(files: Sequence[Path]) -> str:
    """Return the part of the file's name that depends on the content of the images."""
    try:
        stats = [(file, file.stat()) for file in files]
    except OSError as error:
        raise ImgcolorError(
            f"{error.filename}: expected an image file, found none ({error.strerror}); put it back or remove it"
        ) from error
    # Also the time of the last status change, because copying tools restore the modification time.
    return _hash([f"{file.absolute()}\0{s.st_size}\0{s.st_mtime_ns}\0{s.st_ctime_ns}" for file, s in stats])


def _hash(texts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode(errors="surrogateescape")).hexdigest()[:16]


def _write(path: Path, images: tuple[int, ...], read: Callable[[torch.Tensor], None]) -> None:
    size = torch.Size(images).numel()
    temporary = path.with_suffix(".part")
    location = path.name.partition("-")[0]
    for left in path.parent.glob(f"{location}-*.part"):  # left by a process that was killed
        left.unlink()
    try:
        with temporary.open("wb") as file:
            file.truncate(size)
            if hasattr(os, "posix_fallocate"):  # not on macOS
                # Reserve all space now: writing to a mapped file on a full disk would kill the process.
                os.posix_fallocate(file.fileno(), 0, size)
        read(_map(temporary, images))
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # all pixels must be on disk before the file gets its final name
        for old in path.parent.glob(f"{location}-*.uint8"):
            old.unlink()  # made from earlier contents of the folder
        temporary.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _map(path: Path, images: tuple[int, ...]) -> torch.Tensor:
    size = torch.Size(images).numel()
    # Shared, because the system reserves memory for all pages of a private mapping.
    return torch.from_file(str(path), shared=True, size=size, dtype=torch.uint8).view(images)

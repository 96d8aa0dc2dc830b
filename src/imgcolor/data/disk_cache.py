"""Images that are too many for memory: decoded once into a file, which every run maps into memory from then on.

A mapped file takes the place of the tensor that it holds: the system reads the pages that a batch needs, keeps as
many as fit, and forgets them when memory is wanted elsewhere.
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
"""Of how images are decoded; another one makes all files anew."""

_tell = rank_zero_only(print)


def read_or_map(
    files: Sequence[Path],
    shape: tuple[int, int, int],
    read: Callable[[torch.Tensor], None],
    memory_limit: float | None = None,
) -> torch.Tensor:
    """Read images into memory, or, where they would take too much of it, map them from a file.

    Args:
        files: What is read; their names, sizes and times of change tell whether the file on disk is still right.
        shape: Of each image.
        read: Fills uint8 [N, *shape].
        memory_limit: GiB from which on the file is taken; half of the memory that is free now by default. It is
            this process's: where several share a machine, all of them read the images.

    Returns:
        uint8 [N, *shape].

    Raises:
        ImgcolorError: If the file cannot be written.
    """
    images = (len(files), *shape)
    size = torch.Size(images).numel()
    limit = free_memory() / 2 if memory_limit is None else memory_limit * _GIB
    if size <= limit:
        pixels = torch.empty(images, dtype=torch.uint8)
        read(pixels)
        return pixels
    place = _place(files, shape)
    path = cache_folder() / f"{place}-{_state(files)}.uint8"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{place}.lock")):  # of several processes one reads, and the others wait
            # Shorter ones would come back filled up with zeros: black images.
            there = path.exists() and path.stat().st_size == size
            if not there:
                _write(path, images, read)
            pixels = _map(path, images)
    except OSError as error:
        raise ImgcolorError(
            f"{path}: expected room for {size / _GIB:.2f} GiB of images, found: {error.strerror or error}; "
            "make room, set XDG_CACHE_HOME to a folder elsewhere, or raise --data.memory_limit"
        ) from error
    _tell(
        f"{len(files):,} images take {size / _GIB:.2f} GiB, more than the memory limit of {limit / _GIB:.2f}: "
        f"they are read from {'' if there else 'the new file '}{path}",
        file=sys.stderr,
    )
    return pixels


def free_memory() -> float:
    """Bytes of memory that this process may still take; a container's limit (cgroup v2) counts too."""
    free = int(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):  # no such limit
        most, used, parts = ((_GROUP / f"memory.{name}").read_text() for name in ("max", "current", "stat"))
        # Files that were read lie in memory until somebody else wants it.
        given_up = dict(line.split() for line in parts.splitlines()).get("inactive_file", 0)
        free = min(free, int(most) - int(used) + int(given_up))
    return max(0, free)


def cache_folder() -> Path:
    """Where the files are: ``imgcolor`` in ``XDG_CACHE_HOME``, which is ``~/.cache`` where it is not set."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "imgcolor"


def _place(files: Sequence[Path], shape: tuple[int, ...]) -> str:
    """What stays when the images change: where they are, and what is made of them."""
    return _hash([os.path.commonpath([file.absolute().parent for file in files]), str(shape), str(_VERSION)])


def _state(files: Sequence[Path]) -> str:
    """What the images were when they were read."""
    try:
        stats = [(file, file.stat()) for file in files]
    except OSError as error:
        raise ImgcolorError(
            f"{error.filename}: expected an image file, found none ({error.strerror}); put it back or take it away"
        ) from error
    # The time of change of the file's status too: copying tools set the other one back.
    return _hash([f"{file.absolute()}\0{s.st_size}\0{s.st_mtime_ns}\0{s.st_ctime_ns}" for file, s in stats])


def _hash(texts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode(errors="surrogateescape")).hexdigest()[:16]


def _write(path: Path, images: tuple[int, ...], read: Callable[[torch.Tensor], None]) -> None:
    size = torch.Size(images).numel()
    temporary = path.with_suffix(".part")
    place = path.name.partition("-")[0]
    for left in path.parent.glob(f"{place}-*.part"):  # by a process that was killed
        left.unlink()
    try:
        with temporary.open("wb") as file:
            file.truncate(size)
            if hasattr(os, "posix_fallocate"):  # not on macOS
                # All of the room now: writing to a mapped file on a full disk would kill the process.
                os.posix_fallocate(file.fileno(), 0, size)
        read(_map(temporary, images))
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # its name must not reach the disk before its pixels
        for old in path.parent.glob(f"{place}-*.uint8"):
            old.unlink()  # of what the folder held before
        temporary.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _map(path: Path, images: tuple[int, ...]) -> torch.Tensor:
    size = torch.Size(images).numel()
    # Shared: of a private mapping the system reserves memory for every page, in case it is written to.
    return torch.from_file(str(path), shared=True, size=size, dtype=torch.uint8).view(images)

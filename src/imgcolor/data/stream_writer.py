"""Write photos in chunks, which training then streams from a folder or from object storage."""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from imgcolor.data.image_files import quiet_pillow
from imgcolor.data.image_io import read_image
from imgcolor.data.sources.base import Split
from imgcolor.data.sources.folder import split_files
from imgcolor.data.sources.photo_patches import PhotoPatchSource
from imgcolor.utils.errors import ImgcolorError, one_line_error, reason_of

_CHUNK_BYTES = "64MB"

_SPLITS: tuple[Split, ...] = ("train", "val", "test")


def write_stream(
    root: Path,
    output: str,
    size: int,
    *,
    patch_scales: Sequence[float] | None = None,
    overwrite: bool = False,
    workers: int | None = None,
) -> "WrittenPhotos":
    """Write the photos of a folder in chunks for :class:`~imgcolor.data.StreamSource`.

    Photos are read as :class:`~imgcolor.data.FolderSource` or, with ``patch_scales``,
    :class:`~imgcolor.data.PhotoPatchSource` reads them, so that both sources give the same pixels. Training photos are
    written in random order, because training reads chunk by chunk; other photos in the order of their names.

    Args:
        root: The folder, with ``train``, ``val`` and, if it exists, ``test``.
        output: A folder, or a URL that litdata can write to, such as ``s3://BUCKET/FOLDER``.
        size: Height and width of the images, or of the patches.
        patch_scales: Factors by which training photos are resized before they are cut into patches; None resizes and
            crops whole photos.
        overwrite: Whether existing chunks are replaced.
        workers: Number of processes; by default one for each processor core.

    Returns:
        The number of photos, and those that were left out because they could not be read.

    Raises:
        ImgcolorError: If litdata is missing, a folder of photos is missing or empty, or the chunks exist already or
            cannot be written.
    """
    try:
        from litdata import optimize
    except ImportError as error:
        raise ImgcolorError(
            f"stream: needs litdata, found none ({error}); install it with pip install 'imgcolor[stream]'"
        ) from error
    patches = None if patch_scales is None else PhotoPatchSource(root, size, patch_scales)
    found = {
        split: split_files(root, split) for split in _SPLITS if split != "test" or (root / split).exists()
    }
    for split in found:
        if not overwrite and (index := Path(output, split, "index.json")).exists():
            raise one_line_error(f"{index.parent}: has chunks already; choose another OUTPUT, or --overwrite")
    with tempfile.TemporaryDirectory() as folder:
        failures = Path(folder) / "failures.txt"
        failures.touch()
        for split, (parent, files) in found.items():
            order = (
                np.random.default_rng(0).permutation(len(files)) if split == "train" else range(len(files))
            )
            place = f"{output.rstrip('/')}/{split}"
            try:
                optimize(
                    _Reader(files, parent, split, size, patches, failures),
                    # Numbers, because litdata copies files before they are read.
                    inputs=[int(number) for number in order],
                    output_dir=place,
                    chunk_bytes=_CHUNK_BYTES,
                    num_workers=min(workers or os.cpu_count() or 1, len(files)),
                    keep_data_ordered=True,
                    reorder_files=False,
                    mode="overwrite" if overwrite else None,
                    # Forked processes start at once; spawned ones import torch again.
                    start_method="fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn",
                    verbose=sys.stderr.isatty(),
                )
            except (OSError, RuntimeError, ValueError) as error:
                raise one_line_error(
                    f"{place}: expected a place for new chunks, found: {reason_of(error)}; choose another OUTPUT"
                ) from error
        photos = sum(len(files) for _, files in found.values())
        return WrittenPhotos(photos, failures.read_text(encoding="utf-8").splitlines())


class WrittenPhotos(NamedTuple):
    """The outcome of :func:`write_stream`.

    Attributes:
        photos: Number of photos.
        failures: A message for each photo that was left out.
    """

    photos: int
    failures: list[str]


@dataclass
class _Reader:
    """Reads the images of a photo in a process of litdata."""

    files: Sequence[Path]
    folder: Path
    split: Split
    size: int
    patches: PhotoPatchSource | None
    failures: Path

    def __call__(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield the images of a photo; none if it cannot be read."""
        file = self.files[number]
        name = file.relative_to(self.folder).as_posix()
        try:
            images = self._images(file)
        except ImgcolorError as error:
            with self.failures.open("a", encoding="utf-8") as lines:
                lines.write(f"{error}\n")
            return
        for suffix, pixels in images:
            yield {"name": name + suffix, "pixels": pixels.numpy()}

    def _images(self, file: Path) -> list[tuple[str, Tensor]]:
        if self.patches is None:
            return [("", read_image(file, self.size))]
        with quiet_pillow():
            return self.patches.cut(file, self.split)

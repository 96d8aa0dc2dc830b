"""Square patches of photos of any size."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from imgcolor.data.disk_cache import read_or_map
from imgcolor.data.image_files import decode, image_size, quiet_pillow
from imgcolor.data.image_io import read_in_parallel, to_rgb
from imgcolor.data.sources.base import ImageSet, Split
from imgcolor.data.sources.folder import check_memory_limit, split_files
from imgcolor.utils.errors import check_positive, one_line_error


class PhotoPatchSource:
    """Overlapping square patches of the photos in ``ROOT/train``, ``ROOT/val`` and, if it exists, ``ROOT/test``.

    Super-resolution networks train on crops. Patches of one size lie in one tensor, so a batch of them is one index
    operation, and a random crop of each is another.

    Args:
        root: The folder with ``train``, ``val`` and optionally ``test``, each with photos at any depth.
        size: Height and width of a patch in pixels.
        scales: Factors by which the training photos are resized, in (0, 1]. Smaller copies are sharper, and free of
            the traces of JPEG. A copy that is smaller than a patch is left out.
        memory_limit: See :class:`FolderSource`.

    Raises:
        ImgcolorError: If ``size`` is below 1, a scale is not in (0, 1], or the limit is below 0.
    """

    def __init__(
        self,
        root: Path | str,
        size: int,
        scales: Sequence[float] = (1.0,),
        memory_limit: float | None = None,
    ) -> None:
        check_positive("image size", size)
        if not scales or not all(0 < scale <= 1 for scale in scales):
            raise one_line_error(f"data.scales: expected numbers in (0, 1], found {list(scales)}")
        check_memory_limit(memory_limit)
        self.root = Path(root).expanduser()
        self.size = size
        self.scales = tuple(scales)
        self.memory_limit = memory_limit

    def load(self, split: Split) -> ImageSet:
        """Cut all photos of a split into patches.

        Patches of training photos overlap by half or more, so that random crops come from everywhere; those of other
        photos overlap only as far as their sizes require.

        Returns:
            uint8 [N, 3, size, size], named by the path in the folder of the split, the scale, and top and left in
            pixels, such as ``town/1.jpg 0.5 80,0``.

        Raises:
            ImgcolorError: If a folder is missing or has no images, a photo cannot be read, or a photo is smaller
                than a patch.
        """
        folder, files = split_files(self.root, split)
        scales, stride = self._grid(split)
        patches = [patch for n, file in enumerate(files) for patch in self._patches(n, file, scales, stride)]
        pixels = read_or_map(
            files,
            (3, self.size, self.size),
            partial(self._read, files, patches, split),
            self.memory_limit,
            count=len(patches),
            settings=f"patches {scales} {stride}",
        )
        names = tuple(f"{files[p.file].relative_to(folder).as_posix()}{p.suffix}" for p in patches)
        return ImageSet(pixels, names)

    def cut(self, file: Path, split: Split) -> list[tuple[str, torch.Tensor]]:
        """Cut one photo into patches, as :meth:`load` does.

        Returns:
            For each patch, what its name has after the path of the photo, and uint8 [3, size, size].

        Raises:
            ImgcolorError: If the photo cannot be read or is smaller than a patch.
        """
        patches = self._patches(0, file, *self._grid(split))
        photo = decode(file, to_rgb)
        return [
            (patch.suffix, self._crop(copy, patch).contiguous())
            for scale in dict.fromkeys(patch.scale for patch in patches)
            for copy in [_resized(photo, scale)]
            for patch in patches
            if patch.scale == scale
        ]

    def _grid(self, split: Split) -> tuple[tuple[float, ...], int]:
        """Return the scales of the photos of a split, and the largest distance of two patches."""
        return (self.scales, max(1, self.size // 2)) if split == "train" else ((1.0,), self.size)

    def _crop(self, photo: torch.Tensor, patch: "_Patch") -> torch.Tensor:
        return photo[:, patch.top : patch.top + self.size, patch.left : patch.left + self.size]

    def _patches(self, number: int, file: Path, scales: Sequence[float], stride: int) -> "list[_Patch]":
        """Return where the patches of one photo are."""
        width, height = image_size(file)
        if min(width, height) < self.size:
            raise one_line_error(
                f"{file}: expected a photo of at least {self.size}×{self.size} pixels, found {width}×{height}; "
                "remove it, or pass a smaller --data.size"
            )
        sizes = [(scale, round(height * scale), round(width * scale)) for scale in scales]
        return [
            _Patch(number, scale, top, left)
            for scale, rows, columns in sizes
            if min(rows, columns) >= self.size
            for top in _starts(rows, self.size, stride)
            for left in _starts(columns, self.size, stride)
        ]

    def _read(
        self, files: Sequence[Path], patches: "Sequence[_Patch]", what: str, pixels: torch.Tensor
    ) -> None:
        """Read the photos in parallel and fill ``pixels`` with their patches."""
        patches_of: dict[int, list[tuple[int, _Patch]]] = {}
        for index, patch in enumerate(patches):
            patches_of.setdefault(patch.file, []).append((index, patch))

        def read(number: int) -> None:
            photo = decode(files[number], to_rgb)
            own = patches_of.get(number, [])
            copies = {scale: _resized(photo, scale) for scale in {patch.scale for _, patch in own}}
            for index, patch in own:
                pixels[index] = self._crop(copies[patch.scale], patch)

        with quiet_pillow():
            read_in_parallel(read, len(files), what)


class _Patch(NamedTuple):
    """Where a patch is: number of the file, scale of the photo, and the patch's top left corner."""

    file: int
    scale: float
    top: int
    left: int

    @property
    def suffix(self) -> str:
        """What the name of the patch has after the path of the photo."""
        return f" {self.scale:g} {self.top},{self.left}"


def _starts(length: int, size: int, stride: int) -> list[int]:
    """Return where patches start along one side: from 0 to the last possible place, at most ``stride`` apart."""
    room = length - size
    steps = max(1, -(-room // stride))
    return sorted({round(step * room / steps) for step in range(steps + 1)})


def _resized(photo: Image.Image, scale: float) -> torch.Tensor:
    """Return a photo at a scale, as uint8 [3, H, W]."""
    if scale != 1:
        size = (round(photo.width * scale), round(photo.height * scale))
        photo = photo.resize(size, Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)

"""The interface of image sources."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from imgcolor.utils.errors import one_line_error

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, eq=False)  # no ==: comparing tensors gives no single bool
class ImageSet:
    """Images held in memory.

    Attributes:
        pixels: uint8 [N, 3, H, W], RGB, N at least 1.
        names: One name per image, in the order of ``pixels``.
        groups: Integer [N]: the number of the folder that each image is from, counted from 0, where images of several
            folders are mixed; otherwise None.

    Raises:
        ImgcolorError: If the pixels have another type or shape, or the number of names or groups differs.
    """

    pixels: torch.Tensor
    names: tuple[str, ...]
    groups: torch.Tensor | None = None

    def __post_init__(self) -> None:
        """Check the images of a source, which can come from another project."""
        pixels = self.pixels
        if not isinstance(pixels, torch.Tensor):
            found = f"a {type(pixels).__name__}"
        elif pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3 or pixels.numel() == 0:
            found = f"{pixels.dtype} {list(pixels.shape)}"
        elif len(self.names) != len(pixels):
            found = f"{len(pixels)} images and {len(self.names)} names"
        elif self.groups is not None and self.groups.shape != (len(pixels),):
            found = f"{len(pixels)} images and groups of the shape {list(self.groups.shape)}"
        else:
            return
        raise one_line_error(
            "ImageSet: expected pixels as torch.uint8 [N, 3, H, W], not empty, and one name per image, "
            f"found {found}; change what the source's load() returns"
        )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pixels)


class ImageSource(Protocol):
    """Interface of a source: an object with a method ``load``.

    It can also have a method ``prepare()``, which downloads missing images. It is called in one process per machine,
    before ``load``.
    """

    def load(self, split: Split) -> ImageSet:
        """Return all images of a split, always in the same order."""
        ...

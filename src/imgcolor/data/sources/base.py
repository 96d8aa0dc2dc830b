"""What a source of images is: an object with `load(split) -> ImageSet`."""

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
        raise one_line_error(
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

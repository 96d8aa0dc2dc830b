"""Degradations: modules that turn a batch of images into the input of a network."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.colour.chroma import LUMA_WEIGHTS
from imgcolor.utils.errors import ImgcolorError


class MeanGrey(nn.Module):
    """Grey as the plain mean of red, green and blue, as in the CSC2516 assignment."""

    weights = (1 / 3, 1 / 3, 1 / 3)
    """The weights of red, green and blue."""

    def forward(self, images: Tensor) -> Tensor:
        """Convert images to grey.

        Args:
            images: Float [B, 3, H, W] in [0, 1].

        Returns:
            Float [B, 1, H, W] in [0, 1].
        """
        return images.mean(dim=1, keepdim=True)


class LumaGrey(nn.Module):
    """Grey as in Pillow's mode L: ITU-R BT.601 luma, 0.299 R + 0.587 G + 0.114 B in whole levels."""

    weights = LUMA_WEIGHTS
    """The weights of red, green and blue."""

    def forward(self, images: Tensor) -> Tensor:
        """Convert images to grey.

        Args:
            images: Float [B, 3, H, W] in [0, 1]; first rounded to 256 levels.

        Returns:
            Float [B, 1, H, W] in [0, 1], rounded to 256 levels.
        """
        red, green, blue = torch.split((images * 255).round_(), 1, dim=1)
        # Pillow's integers: the weights times 2^16, plus half of 2^16 for rounding. All sums stay below 2^24,
        # so float32 holds them exactly. In place, because most of the time goes to reading and writing memory.
        levels = (19595 * red).add_(green, alpha=38470).add_(blue, alpha=7471).add_(32768)
        return levels.div_(65536).floor_().div_(255)


class BoxDownsample(nn.Module):
    """Downsampling in which each pixel is the mean of a square block (a box filter).

    Args:
        scale_factor: Height and width of a block in pixels.

    Raises:
        ImgcolorError: If ``scale_factor`` is below 2.
    """

    def __init__(self, scale_factor: int = 4) -> None:
        super().__init__()
        if scale_factor < 2:
            raise ImgcolorError(
                f"data.scale_factor: expected at least 2, such as 2, 4 or 8, found {scale_factor}"
            )
        self.scale_factor = scale_factor

    def forward(self, images: Tensor) -> Tensor:
        """Downsample images.

        Args:
            images: Float [B, 3, H, W] in [0, 1]; incomplete blocks at the bottom and right are dropped.

        Returns:
            Float [B, 3, H // scale_factor, W // scale_factor] in [0, 1].
        """
        return F.avg_pool2d(images, self.scale_factor)

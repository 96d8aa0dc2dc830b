"""Degradations: modules that remove colour or resolution from a batch of images."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.utils.errors import ImgcolorError


class MeanGrey(nn.Module):
    """Grey as the plain mean of red, green and blue, as the CSC2516 assignment takes it."""

    weights = (1 / 3, 1 / 3, 1 / 3)
    """Of red, green and blue."""

    def forward(self, images: Tensor) -> Tensor:
        """Take the colour away.

        Args:
            images: Float [B, 3, H, W] in [0, 1].

        Returns:
            Float [B, 1, H, W] in [0, 1].
        """
        return images.mean(dim=1, keepdim=True)


class LumaGrey(nn.Module):
    """Grey as Pillow's mode L takes it: ITU-R BT.601 luma, 0.299 R + 0.587 G + 0.114 B in whole levels."""

    weights = (0.299, 0.587, 0.114)
    """Of red, green and blue."""

    def forward(self, images: Tensor) -> Tensor:
        """Take the colour away.

        Args:
            images: Float [B, 3, H, W] in [0, 1]; rounded to the nearest of 256 levels first.

        Returns:
            Float [B, 1, H, W] in [0, 1], on one of 256 levels.
        """
        red, green, blue = torch.split((images * 255).round(), 1, dim=1)
        # Pillow's integers: the weights times 2^16, and half of 2^16 to round. All sums stay below 2^24, so
        # float32 holds them exactly.
        levels = ((19595 * red + 38470 * green + 7471 * blue + 32768) / 65536).floor()
        return levels / 255


class BoxDownsample(nn.Module):
    """Reduce images by averaging square blocks of pixels.

    Args:
        scale_factor: Height and width of a block.

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
        """Average blocks.

        Args:
            images: Float [B, 3, H, W] in [0, 1]; rows and columns that fill no block are left out.

        Returns:
            Float [B, 3, H // factor, W // factor] in [0, 1].
        """
        return F.avg_pool2d(images, self.scale_factor)

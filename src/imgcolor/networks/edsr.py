"""EDSR: residual blocks without batch norm at the low resolution (Lim et al. 2017), here in a small size."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class EDSR(nn.Module):
    """Super-resolution by residual blocks at the low resolution and a sub-pixel convolution.

    The design is that of Lim et al. 2017, "Enhanced Deep Residual Networks for Single Image Super-Resolution", with
    three changes: the default size is smaller; the output is added to the bicubically upsampled input, so that an
    untrained network starts near bicubic interpolation; and what is added is at most the range of values within 2
    input pixels, so that areas of one colour stay as they are, also in colours that no training image had.

    Args:
        scale_factor: Ratio of the size of the output to the size of the input.
        base_channels: Channels of the feature maps.
        num_blocks: Number of residual blocks.
    """

    def __init__(self, scale_factor: int = 4, base_channels: int = 56, num_blocks: int = 8) -> None:
        super().__init__()
        self.scale_factor = scale_factor
        self.base_channels = base_channels
        self.num_blocks = num_blocks
        self.stem = nn.Conv2d(3, base_channels, 3, padding=1)
        self.blocks = nn.ModuleList(_residual_branch(base_channels) for _ in range(num_blocks))
        self.body_end = nn.Conv2d(base_channels, base_channels, 3, padding=1)
        self.head = nn.Conv2d(base_channels, 3 * scale_factor**2, 3, padding=1)
        with torch.no_grad():
            self.head.weight.mul_(0.1)

    @property
    def receptive_field(self) -> int:
        """How far away an input pixel can influence an output pixel, in input pixels."""
        return 2 * self.num_blocks + 3  # each 3×3 convolution on the longest path adds one pixel

    def forward(self, images: Tensor) -> Tensor:
        """Upsample images.

        Args:
            images: Float [B, 3, h, w] in [0, 1].

        Returns:
            Float [B, 3, h * scale_factor, w * scale_factor], about in [0, 1], not clamped.
        """
        stem = self.stem(images - 0.5)
        features = stem
        for block in self.blocks:
            features = features + block(features)
        residual = F.pixel_shuffle(self.head(self.body_end(features) + stem), self.scale_factor)
        limit = F.interpolate(_local_range(images), scale_factor=float(self.scale_factor), mode="nearest")
        base = F.interpolate(
            images, scale_factor=float(self.scale_factor), mode="bicubic", align_corners=False
        )
        return base + residual.clamp(-limit, limit)


def _local_range(images: Tensor) -> Tensor:
    """Return the largest difference of values in one channel around each pixel: float [B, 1, h, w]."""
    largest = F.max_pool2d(images, 5, stride=1, padding=2)
    smallest = -F.max_pool2d(-images, 5, stride=1, padding=2)
    return (largest - smallest).amax(dim=1, keepdim=True)


def _residual_branch(channels: int) -> nn.Sequential:
    first, second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
    with torch.no_grad():
        second.weight.mul_(0.1)
    return nn.Sequential(first, nn.ReLU(), second)

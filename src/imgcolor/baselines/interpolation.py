"""Larger images without a network."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn


class Interpolation(nn.Module):
    """Enlarge images by nearest, bilinear or bicubic interpolation.

    Pixel centres keep their places (``align_corners=False``), and nothing is blurred beforehand.

    Args:
        mode: Which interpolation.
        scale_factor: How much larger height and width become.
    """

    def __init__(self, mode: Literal["nearest", "bilinear", "bicubic"], scale_factor: int) -> None:
        super().__init__()
        self.mode = mode
        self.scale_factor = scale_factor

    def forward(self, degraded: Tensor) -> Tensor:
        """Enlarge.

        Args:
            degraded: Float [B, C, h, w] in [0, 1].

        Returns:
            Float [B, C, h * factor, w * factor] in [0, 1]; bicubic's overshoots are clamped.
        """
        options = {} if self.mode == "nearest" else {"align_corners": False}
        return F.interpolate(degraded, scale_factor=self.scale_factor, mode=self.mode, **options).clamp(0, 1)

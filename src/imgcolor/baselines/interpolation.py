"""Super-resolution by interpolation."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn


class Interpolation(nn.Module):
    """Upsample images by nearest, bilinear or bicubic interpolation, with ``align_corners=False``.

    Args:
        mode: The kind of interpolation.
        scale_factor: Ratio of the output's height and width to the input's.

    Examples:
        >>> import torch
        >>> Interpolation("nearest", 2)(torch.tensor([[[[0.0, 1.0]]]])).tolist()
        [[[[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]]]
    """

    def __init__(self, mode: Literal["nearest", "bilinear", "bicubic"], scale_factor: int) -> None:
        super().__init__()
        self.mode = mode
        self.scale_factor = scale_factor

    def forward(self, degraded: Tensor) -> Tensor:
        """Upsample images.

        Args:
            degraded: Float [B, C, h, w] in [0, 1].

        Returns:
            Float [B, C, h * scale_factor, w * scale_factor]; bicubic values outside [0, 1] are clamped.
        """
        options = {} if self.mode == "nearest" else {"align_corners": False}
        return F.interpolate(degraded, scale_factor=self.scale_factor, mode=self.mode, **options).clamp(0, 1)

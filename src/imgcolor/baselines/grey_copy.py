"""Colourization without a network, without colour."""

from torch import Tensor, nn


class GreyCopy(nn.Module):
    """Give the grey back as red, green and blue: the baseline of colourization."""

    def forward(self, degraded: Tensor) -> Tensor:
        """Copy.

        Args:
            degraded: Float [B, 1, H, W] in [0, 1].

        Returns:
            Float [B, 3, H, W] in [0, 1].
        """
        return degraded.repeat(1, 3, 1, 1)

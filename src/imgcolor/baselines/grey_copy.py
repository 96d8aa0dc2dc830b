"""Colourization without colour."""

from torch import Tensor, nn


class GreyCopy(nn.Module):
    """Return the grey value as red, green and blue: the simplest baseline of colourization.

    Examples:
        >>> import torch
        >>> GreyCopy()(torch.full((1, 1, 1, 1), 0.25)).flatten().tolist()
        [0.25, 0.25, 0.25]
    """

    def forward(self, degraded: Tensor) -> Tensor:
        """Repeat the channel three times.

        Args:
            degraded: Float [B, 1, H, W] in [0, 1].

        Returns:
            Float [B, 3, H, W] in [0, 1].
        """
        return degraded.repeat(1, 3, 1, 1)

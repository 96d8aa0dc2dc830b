"""What is taken from an image, for a network to give back. Each is a module that works on a whole batch."""

from torch import Tensor, nn


class MeanGrey(nn.Module):
    """Grey as the plain mean of red, green and blue, as the CSC2516 assignment takes it."""

    def forward(self, images: Tensor) -> Tensor:
        """Take the colour away.

        Args:
            images: Float [B, 3, H, W] in [0, 1].

        Returns:
            Float [B, 1, H, W] in [0, 1].
        """
        return images.mean(dim=1, keepdim=True)

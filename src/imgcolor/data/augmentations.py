"""What makes more of few training images. Each is a module that works on a whole batch of uint8 images."""

import torch
from torch import Tensor, nn

from imgcolor.utils.errors import ImgcolorError


class FlipAndShift(nn.Module):
    """Mirror every second image, chosen at random, and move each one by some pixels.

    What moves in from outside is the image mirrored at its border. torch's own generator decides, image by image.

    Args:
        flip: Whether half of the images are mirrored left to right.
        shift: How far an image moves at most, in pixels, along each of height and width; 0 moves none.

    Raises:
        ImgcolorError: If ``shift`` is below 0.
    """

    def __init__(self, flip: bool = True, shift: int = 4) -> None:
        super().__init__()
        if shift < 0:
            raise ImgcolorError(f"data.augmentation.shift: expected at least 0, found {shift}")
        self.flip = flip
        self.shift = shift

    def forward(self, pixels: Tensor) -> Tensor:
        """Augment a batch.

        Args:
            pixels: uint8 [B, C, H, W], on any device.

        Returns:
            uint8 [B, C, H, W], new memory.

        Raises:
            ImgcolorError: If the images are not larger than ``shift``.
        """
        count, _, height, width = pixels.shape
        if min(height, width) <= self.shift:
            raise ImgcolorError(
                f"data.augmentation.shift: expected less than the images' {height}×{width} pixels, "
                f"found {self.shift}"
            )
        index = torch.arange(count, device=pixels.device)[:, None, None, None]
        rows = self._places(count, height, pixels.device)[:, None, :, None]
        columns = self._places(count, width, pixels.device)
        if self.flip:
            mirrored = torch.rand(count, 1, device=pixels.device) < 0.5
            columns = torch.where(mirrored, columns.flip(1), columns)
        channels = torch.arange(pixels.shape[1], device=pixels.device)[None, :, None, None]
        return pixels[index, channels, rows, columns[:, None, None, :]]

    def _places(self, count: int, length: int, device: torch.device) -> Tensor:
        """Which row (or column) each one of the result comes from: int64 [count, length]."""
        start = torch.randint(-self.shift, self.shift + 1, (count, 1), device=device)
        places = (torch.arange(length, device=device) + start).abs()
        return torch.where(places < length, places, 2 * (length - 1) - places)

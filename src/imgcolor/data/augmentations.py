"""Augmentations: modules that change a batch of uint8 training images at random."""

import torch
from torch import Tensor, nn

from imgcolor.utils.errors import ImgcolorError, check_positive


class FlipAndShift(nn.Module):
    """Flip and shift images at random.

    Each image is flipped with a probability of 1/2, and shifted along height and width by independent numbers
    of pixels. Pixels from outside the image are its reflection at the border. The random numbers come from
    torch's global generator.

    Args:
        flip: Whether images are flipped left to right.
        shift: The largest shift in pixels; 0 shifts no image.

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
        """Flip and shift a batch.

        Args:
            pixels: uint8 [B, C, H, W], on any device.

        Returns:
            uint8 [B, C, H, W], a new tensor.

        Raises:
            ImgcolorError: If height or width of the images is not larger than ``shift``.
        """
        count, _, height, width = pixels.shape
        if min(height, width) <= self.shift:
            raise ImgcolorError(
                f"data.augmentation.shift: expected less than the images' {height}×{width} pixels, "
                f"found {self.shift}"
            )
        rows = self._sources(count, height, pixels.device)
        columns = self._sources(count, width, pixels.device)
        if self.flip:
            flipped = torch.rand(count, 1, device=pixels.device) < 0.5
            columns = torch.where(flipped, columns.flip(1), columns)
        return _gather(pixels, rows, columns)

    def _sources(self, count: int, length: int, device: torch.device) -> Tensor:
        """Return the source row (or column) of each row of the result: int64 [count, length]."""
        start = torch.randint(-self.shift, self.shift + 1, (count, 1), device=device)
        sources = (torch.arange(length, device=device) + start).abs()
        return torch.where(sources < length, sources, 2 * (length - 1) - sources)


class RandomSquareCrop(nn.Module):
    """Crop, flip and rotate images at random: the usual augmentation for super-resolution.

    Each image is cropped at a place of its own, and half of the images are flipped left to right, half upside
    down, and half transposed, so that all eight symmetries of the square occur. The random numbers come from
    torch's global generator.

    Args:
        size: Height and width of the crops.

    Raises:
        ImgcolorError: If ``size`` is below 1.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        check_positive("size of the crops", size)
        self.size = size

    def forward(self, pixels: Tensor) -> Tensor:
        """Augment a batch.

        Args:
            pixels: uint8 [B, C, H, W], on any device.

        Returns:
            uint8 [B, C, size, size], a new tensor.

        Raises:
            ImgcolorError: If the images are smaller than ``size``.
        """
        count, _, height, width = pixels.shape
        if min(height, width) < self.size:
            raise ImgcolorError(
                f"data.crop_size: expected at most the images' {height}×{width} pixels, found {self.size}"
            )
        device = pixels.device
        rows, columns = (self._places(count, side, device) for side in (height, width))
        crops = _gather(pixels, rows, columns)
        transposed = torch.rand(count, 1, 1, 1, device=device) < 0.5
        return torch.where(transposed, crops.mT, crops)

    def _places(self, count: int, length: int, device: torch.device) -> Tensor:
        """Return the source row (or column) of each row of the crops, half reversed: int64 [count, size]."""
        start = torch.randint(length - self.size + 1, (count, 1), device=device)
        places = torch.arange(self.size, device=device) + start
        reversed_ = torch.rand(count, 1, device=device) < 0.5
        return torch.where(reversed_, places.flip(1), places)


def _gather(pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the chosen rows and columns of each image.

    Args:
        pixels: [B, C, H, W].
        rows: int64 [B, h]: the source row of each row of the result.
        columns: int64 [B, w]: the source column of each column.

    Returns:
        [B, C, h, w], a new tensor.
    """
    images = torch.arange(pixels.shape[0], device=pixels.device)[:, None, None, None]
    channels = torch.arange(pixels.shape[1], device=pixels.device)[None, :, None, None]
    return pixels[images, channels, rows[:, None, :, None], columns[:, None, None, :]]

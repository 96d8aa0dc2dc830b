"""Augmentations for photos: random crops of colour images, and the ageing of their grey versions."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.utils.errors import ImgcolorError


class RandomPhotoCrop(nn.Module):
    """Crop, rotate slightly, flip and resize each image at random; height and width stay the same.

    Args:
        smallest_area: Smallest fraction of an image's area that a crop keeps, in (0, 1].
        aspect: Largest change of the ratio of width and height, as a factor of at least 1.
        degrees: Largest angle of rotation; a third of the images is rotated.
        flip: Whether half of the images are flipped left to right.

    Raises:
        ImgcolorError: If an argument is out of range.
    """

    def __init__(
        self, smallest_area: float = 0.4, aspect: float = 1.2, degrees: float = 11.0, flip: bool = True
    ) -> None:
        super().__init__()
        if not 0 < smallest_area <= 1:
            raise ImgcolorError(f"smallest_area: expected a fraction in (0, 1], found {smallest_area}")
        if aspect < 1:
            raise ImgcolorError(f"aspect: expected a factor of at least 1, found {aspect}")
        self.smallest_area = smallest_area
        self.aspect = aspect
        self.degrees = degrees
        self.flip = flip

    def forward(self, pixels: Tensor) -> Tensor:
        """Augment a batch.

        Args:
            pixels: uint8 [B, C, H, W].

        Returns:
            uint8 [B, C, H, W].
        """
        count, device = len(pixels), pixels.device
        zoom = _uniform(count, self.smallest_area, 1.0, device).sqrt()
        stretch = torch.exp(_uniform(count, -1.0, 1.0, device) * math.log(self.aspect)).sqrt()
        width, height = (zoom * stretch).clamp(max=1), (zoom / stretch).clamp(max=1)
        x = (1 - width) * _uniform(count, -1.0, 1.0, device)
        y = (1 - height) * _uniform(count, -1.0, 1.0, device)
        turned = torch.rand(count, device=device) < 1 / 3
        angle = torch.deg2rad(_uniform(count, -self.degrees, self.degrees, device)) * turned
        flipped = (torch.rand(count, device=device) < 0.5) & self.flip
        side = torch.where(flipped, -1.0, 1.0)
        cosine, sine = angle.cos(), angle.sin()
        ratio = pixels.shape[-2] / pixels.shape[-1]  # the grid's units are half the height and half the width
        rows = (
            torch.stack([width * cosine * side, -height * sine * ratio, x], dim=1),
            torch.stack([width * sine * side / ratio, height * cosine, y], dim=1),
        )
        grid = F.affine_grid(torch.stack(rows, dim=1), list(pixels.shape), align_corners=False)
        cropped = F.grid_sample(pixels.float(), grid, padding_mode="reflection", align_corners=False)
        return cropped.round().clamp(0, 255).to(torch.uint8)


class PhotoVariation(nn.Module):
    """Vary grey images as photos vary: sharpness and noise always, signs of old prints for some.

    An old print here has another gamma, contrast and exposure, faded blacks, a slight vignette and grain. Photos also
    differ in how they were resized: some are smooth, some are sharpened. A network that saw one kind alone fails on the
    other.

    Args:
        old_prints: Fraction of the images that become old prints, in [0, 1].
        sharpness: Whether images are blurred or sharpened by a random amount.

    Raises:
        ImgcolorError: If ``old_prints`` is out of range.
    """

    def __init__(self, old_prints: float = 0.3, sharpness: bool = True) -> None:
        super().__init__()
        if not 0 <= old_prints <= 1:
            raise ImgcolorError(f"old_prints: expected a fraction in [0, 1], found {old_prints}")
        self.old_prints = old_prints
        self.sharpness = sharpness

    def forward(self, grey: Tensor) -> Tensor:
        """Vary a batch.

        Args:
            grey: Float [B, 1, H, W] in [0, 1].

        Returns:
            Float [B, 1, H, W] in [0, 1], on one of 256 levels.
        """
        count, device = len(grey), grey.device
        varied = grey
        if self.sharpness:
            amount = _uniform(count, -1.0, 0.7, device)[:, None, None, None]
            varied = varied + amount * (varied - _blur(varied))
        noise = _uniform(count, 0.0, 0.012, device)[:, None, None, None]
        varied = varied + noise * torch.randn_like(varied)
        aged = torch.rand(count, device=device)[:, None, None, None] < self.old_prints
        varied = torch.where(aged, _age(varied), varied)
        return (varied.clamp(0, 1) * 255).round() / 255


def _age(grey: Tensor) -> Tensor:
    """Give grey images the tones, the vignette and the grain of old prints."""
    count, _, height, width = grey.shape
    device = grey.device

    def draw(low: float, high: float) -> Tensor:
        return _uniform(count, low, high, device)[:, None, None, None]

    toned = grey.clamp(1e-4, 1) ** torch.exp(draw(-0.5, 0.5))
    toned = (toned - 0.5) * draw(0.55, 1.2) + 0.5 + draw(-0.15, 0.15)
    y = torch.linspace(-1, 1, height, device=device)[:, None]
    x = torch.linspace(-1, 1, width, device=device)
    toned = toned * (1 - draw(0.0, 0.25) * (x.square() + y.square()))
    return toned + draw(0.0, 0.06) * torch.randn_like(toned)


def _blur(grey: Tensor) -> Tensor:
    """Blur with the binomial kernel of 5 pixels (sigma 1)."""
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=grey.device, dtype=grey.dtype) / 16
    kernel = (row[:, None] * row)[None, None]
    return F.conv2d(F.pad(grey, (2, 2, 2, 2), mode="reflect"), kernel)


def _uniform(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return torch.rand(count, device=device) * (high - low) + low

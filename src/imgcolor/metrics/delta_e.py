"""Colour difference as people see it: CIEDE2000."""

import math

import torch
from torch import Tensor

from imgcolor.colour.spaces import rgb_to_lab
from imgcolor.metrics.image_mean import ImageMean


def ciede2000(first: Tensor, second: Tensor) -> Tensor:
    """CIEDE2000 colour difference of Lab colours, with all three weights 1.

    The formula and its cases (hues of greys, hue differences across 0°) are those of Sharma, Wu and Dalal, "The
    CIEDE2000 Color-Difference Formula: Implementation Notes, Supplementary Test Data, and Mathematical
    Observations", 2005. 1 is about the least difference that an eye tells.

    Args:
        first: Float [..., 3, H, W]: L*, a*, b*.
        second: The same shape.

    Returns:
        Float [..., H, W], 0 or more.
    """
    l1, a1, b1 = first.unbind(-3)
    l2, a2, b2 = second.unbind(-3)
    chroma7 = ((a1.hypot(b1) + a2.hypot(b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * (chroma7 / (chroma7 + 25.0**7)).sqrt()
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = a1.hypot(b1), a2.hypot(b2)
    turn = 2 * math.pi
    h1, h2 = torch.atan2(b1, a1) % turn, torch.atan2(b2, a2) % turn  # 0 for a grey
    grey = c1 * c2 == 0
    hue = h2 - h1
    hue = torch.where(hue > math.pi, hue - turn, torch.where(hue < -math.pi, hue + turn, hue))
    hue = torch.where(grey, 0, hue)
    mean_hue = torch.where((h1 - h2).abs() > math.pi, (h1 + h2 + turn) / 2, (h1 + h2) / 2)
    mean_hue = torch.where(grey, h1 + h2, mean_hue)

    dl, dc = l2 - l1, c2 - c1
    dh = 2 * (c1 * c2).sqrt() * (hue / 2).sin()
    middle = ((l1 + l2) / 2 - 50) ** 2
    mean_chroma = (c1 + c2) / 2
    t = (
        1
        - 0.17 * (mean_hue - math.radians(30)).cos()
        + 0.24 * (2 * mean_hue).cos()
        + 0.32 * (3 * mean_hue + math.radians(6)).cos()
        - 0.20 * (4 * mean_hue - math.radians(63)).cos()
    )
    sl = 1 + 0.015 * middle / (20 + middle).sqrt()
    sc = 1 + 0.045 * mean_chroma
    sh = 1 + 0.015 * mean_chroma * t
    degrees = torch.rad2deg(mean_hue).remainder(360)
    turning = math.radians(60) * (-(((degrees - 275) / 25) ** 2)).exp()
    mean7 = mean_chroma**7
    rotation = -2 * (mean7 / (mean7 + 25.0**7)).sqrt() * turning.sin()
    dl, dc, dh = dl / sl, dc / sc, dh / sh
    return (dl**2 + dc**2 + dh**2 + rotation * dc * dh).clamp(min=0).sqrt()


def delta_e(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean CIEDE2000 colour difference, image by image.

    Args:
        prediction: Float [B, 3, H, W], sRGB in [0, 1]; values outside are clamped.
        target: The same shape.

    Returns:
        Float [B], 0 or more.

    Raises:
        ValueError: If the shapes differ or are no colour images.
    """
    if prediction.shape != target.shape or prediction.ndim != 4 or prediction.shape[1] != 3:
        raise ValueError(
            "prediction and target: expected the same shape [B, 3, H, W], "
            f"found {list(prediction.shape)} and {list(target.shape)}"
        )
    first, second = (rgb_to_lab(images.float().clamp(0, 1)) for images in (prediction, target))
    return ciede2000(first, second).flatten(1).mean(dim=1)


class DeltaE(ImageMean):
    """Mean CIEDE2000 colour difference over images: see :func:`ciede2000`.

    Args:
        sync_on_compute: Whether :meth:`compute` adds up what the processes of a distributed run have counted.
    """

    higher_is_better = False

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count a batch: float [B, 3, H, W] in [0, 1], both."""
        self.count(delta_e(prediction, target))

"""Conversions between sRGB and CIE Lab."""

import torch
from torch import Tensor

from imgcolor.colour.ranges import at_least_single


def rgb_to_lab(images: Tensor) -> Tensor:
    """Convert sRGB to CIE L*a*b* under D65 (kornia's conversion).

    Args:
        images: Float [..., 3, H, W] in [0, 1].

    Returns:
        Float [..., 3, H, W]: L* in [0, 100], a* and b* within about [-108, 99].

    Examples:
        >>> red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
        >>> rgb_to_lab(red).flatten().round().tolist()
        [53.0, 80.0, 67.0]
    """
    import kornia.color  # here because it takes a second to import

    with torch.autocast(images.device.type, enabled=False):  # the error of half precision would be visible
        return kornia.color.rgb_to_lab(at_least_single(images))


def lab_to_rgb(images: Tensor) -> Tensor:
    """Convert CIE L*a*b* under D65 to sRGB, the inverse of :func:`rgb_to_lab` where the colour exists in sRGB.

    Args:
        images: Float [..., 3, H, W], L* in [0, 100].

    Returns:
        Float [..., 3, H, W] in [0, 1]; colours outside sRGB are clamped.

    Examples:
        >>> lab_to_rgb(torch.tensor([100.0, 0.0, 0.0]).view(3, 1, 1)).flatten().round(decimals=2).tolist()
        [1.0, 1.0, 1.0]
    """
    import kornia.color

    with torch.autocast(images.device.type, enabled=False):
        return kornia.color.lab_to_rgb(at_least_single(images), clip=True)

"""Colour spaces beside RGB."""

from typing import Any

import torch
from torch import Tensor

from imgcolor.colour.ranges import at_least_single


def rgb_to_lab(images: Tensor) -> Tensor:
    """Convert sRGB to CIE L*a*b* under D65 (kornia's conversion).

    Args:
        images: Float [..., 3, H, W] in [0, 1].

    Returns:
        Float [..., 3, H, W]: L* in [0, 100], a* and b* within about [-108, 99].
    """
    with torch.autocast(images.device.type, enabled=False):  # half precision is off by more than an eye tells
        lab: Tensor = _kornia_color().rgb_to_lab(at_least_single(images))
    return lab


def lab_to_rgb(images: Tensor) -> Tensor:
    """Convert CIE L*a*b* under D65 to sRGB, the inverse of :func:`rgb_to_lab` where the colour exists in sRGB.

    Args:
        images: Float [..., 3, H, W], L* in [0, 100].

    Returns:
        Float [..., 3, H, W] in [0, 1]; colours outside sRGB are clamped.
    """
    with torch.autocast(images.device.type, enabled=False):
        rgb: Tensor = _kornia_color().lab_to_rgb(at_least_single(images), clip=True)
    return rgb


def _kornia_color() -> Any:
    # Imported here: kornia takes a second that only Lab should cost.
    import kornia.color

    return kornia.color

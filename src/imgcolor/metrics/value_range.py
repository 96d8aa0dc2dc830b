"""The check of images that all metrics share."""

import math

import torch
from torch import Tensor

_ROUNDING = 1e-3
"""How far values may lie outside [0, 1]; for coarse dtypes two steps at 1, which is more."""


def as_unit_range(images: Tensor, name: str) -> Tensor:
    """Return images as floats in [0, 1], and refuse values that are not in this range.

    On a GPU, the check waits for the values.

    Args:
        images: uint8 of any shape, which is divided by 255; or float in [0, 1], with a tolerance for rounding.
        name: The name in the error.

    Returns:
        Float of the same shape: float32 for uint8, else ``images`` itself.

    Raises:
        ValueError: If there are values outside [0, 1] or NaN, or the dtype is another.
    """
    if images.dtype == torch.uint8:
        return images.float() / 255
    if not images.is_floating_point():
        raise ValueError(f"{name}: expected floats in [0, 1] or uint8, found {images.dtype}")
    if images.numel() == 0:
        return images
    lowest, highest = torch.stack(images.detach().aminmax()).tolist()
    tolerance = max(_ROUNDING, 2 * torch.finfo(images.dtype).eps)
    if -tolerance <= lowest and highest <= 1 + tolerance:
        return images
    if math.isnan(lowest):
        raise ValueError(f"{name}: expected numbers in [0, 1], found NaN")
    advice = (
        "divide levels of 0 to 255 by 255" if highest > 2 else "clamp the images or scale them to this range"
    )
    raise ValueError(f"{name}: expected values in [0, 1], found {lowest:.4g} to {highest:.4g}; {advice}")

"""The two ranges that images travel in, [0, 1] and, inside some networks, [-1, 1]; and the least precision."""

import torch
from torch import Tensor


def to_signed(images: Tensor) -> Tensor:
    """Map [0, 1] to [-1, 1]: ``2 x - 1``.

    Args:
        images: Float of any shape in [0, 1].

    Returns:
        Float of the same shape in [-1, 1].
    """
    return images * 2 - 1


def from_signed(images: Tensor) -> Tensor:
    """Map [-1, 1] to [0, 1]: ``(x + 1) / 2``, the inverse of :func:`to_signed`.

    Args:
        images: Float of any shape in [-1, 1].

    Returns:
        Float of the same shape in [0, 1].
    """
    return (images + 1) / 2


def at_least_single(values: Tensor) -> Tensor:
    """Half precision as float32, for what would lose too much in half; float32 and float64 as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))

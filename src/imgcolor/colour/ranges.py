"""Value ranges of images, [0, 1] and [-1, 1], and floating-point precision."""

import torch
from torch import Tensor


def to_signed(images: Tensor) -> Tensor:
    """Map [0, 1] to [-1, 1]: ``2 x - 1``.

    Args:
        images: Float of any shape in [0, 1].

    Returns:
        Float of the same shape in [-1, 1].

    Examples:
        >>> to_signed(torch.tensor([0.0, 0.5, 1.0])).tolist()
        [-1.0, 0.0, 1.0]
    """
    return images * 2 - 1


def from_signed(images: Tensor) -> Tensor:
    """Map [-1, 1] to [0, 1]: ``(x + 1) / 2``, the inverse of :func:`to_signed`.

    Args:
        images: Float of any shape in [-1, 1].

    Returns:
        Float of the same shape in [0, 1].

    Examples:
        >>> from_signed(torch.tensor([-1.0, 0.0, 1.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    return (images + 1) / 2


def at_least_single(values: Tensor) -> Tensor:
    """Convert half precision to float32; float32 and float64 stay."""
    return values.to(torch.promote_types(values.dtype, torch.float32))

"""The two ranges that images travel in: [0, 1] everywhere, [-1, 1] inside networks that want it."""

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

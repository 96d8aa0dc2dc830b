"""A batch of images."""

from typing import Any, NamedTuple

from torch import Tensor

from imgcolor.utils.errors import ImgcolorError


class Batch(NamedTuple):
    """Degraded images, and the original images that a network has to restore.

    Attributes:
        degraded: Float [B, C, h, w] in [0, 1].
        original: Float [B, 3, H, W] in [0, 1].
    """

    degraded: Tensor
    original: Tensor


def as_batch(found: Any) -> Batch:
    """Return what a data loader gives as a batch: a :class:`Batch` itself, or a pair of tensors.

    Args:
        found: A batch, or a list or tuple of the degraded and the original images.

    Raises:
        ImgcolorError: If it is neither.
    """
    if isinstance(found, Batch):
        return found
    parts = tuple(found) if isinstance(found, list | tuple) else (found,)
    if len(parts) == 2 and all(_are_images(part) for part in parts) and parts[1].shape[1] == 3:
        return Batch(*parts)
    names = ", ".join(_describe(part) for part in parts[:4]) + (", ..." if len(parts) > 4 else "")
    raise ImgcolorError(
        "data loader: expected imgcolor.data.Batch(degraded, original) or a pair of tensors, float [B, C, h, w] and "
        f"[B, 3, H, W] in [0, 1], found {type(found).__name__}({names}); return such pairs from your data set"
    )


def _are_images(part: Any) -> bool:
    return isinstance(part, Tensor) and part.ndim == 4 and part.is_floating_point()


def _describe(part: Any) -> str:
    if isinstance(part, Tensor):
        return f"{str(part.dtype).removeprefix('torch.')} {list(part.shape)}"
    return type(part).__name__

"""A batch of images."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Degraded images, and the original images that a network has to restore.

    Attributes:
        degraded: Float [B, C, h, w] in [0, 1].
        original: Float [B, 3, H, W] in [0, 1].
    """

    degraded: Tensor
    original: Tensor

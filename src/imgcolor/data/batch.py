"""What a batch holds."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """A batch of images, degraded and as they were.

    Attributes:
        degraded: Float [B, C, h, w] in [0, 1]: what the network sees.
        original: Float [B, 3, H, W] in [0, 1]: what it must give back.
    """

    degraded: Tensor
    original: Tensor

"""Metrics of colour, averaged over images: CIEDE2000 and colourfulness."""

from torch import Tensor

from imgcolor.metrics.functional import colourfulness, delta_e
from imgcolor.metrics.image_mean import ImageMean


class Colourfulness(ImageMean):
    """Mean :func:`colourfulness` over images.

    Args:
        sync_on_compute: Whether :meth:`compute` adds up the counts of all ranks of a distributed run.
    """

    higher_is_better = None

    def update(self, images: Tensor) -> None:
        """Add a batch: float [B, 3, H, W] in [0, 1], or uint8."""
        self.count(colourfulness(images))


class DeltaE(ImageMean):
    """Mean CIEDE2000 colour difference over images: see :func:`~imgcolor.metrics.functional.ciede2000`.

    Args:
        sync_on_compute: Whether :meth:`compute` adds up the counts of all ranks of a distributed run.
    """

    higher_is_better = False

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch: both float [B, 3, H, W] in [0, 1], or uint8."""
        self.count(delta_e(prediction, target))

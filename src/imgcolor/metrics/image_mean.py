"""Base class of metrics that average over images."""

import torch
from torch import Tensor
from torchmetrics import Metric


class ImageMean(Metric):
    """Averages one value per image over all images.

    It sums the values and counts the images, so a smaller last batch has the right weight. A subclass
    computes the values in ``update``.

    Args:
        sync_on_compute: Whether :meth:`compute` adds up the counts of all ranks of a distributed run.
    """

    is_differentiable = False
    full_state_update = False

    total: Tensor
    images: Tensor

    def __init__(self, sync_on_compute: bool = True) -> None:
        super().__init__(sync_on_compute=sync_on_compute)
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("images", torch.tensor(0), dist_reduce_fx="sum")

    def count(self, values: Tensor) -> None:
        """Add the values of a batch: float [B], one per image."""
        self.total += values.sum()
        self.images += len(values)

    def compute(self) -> Tensor:
        """Return the mean over all images: a scalar."""
        return self.total / self.images

"""What metrics that average over images share."""

import torch
from torch import Tensor
from torchmetrics import Metric


class ImageMean(Metric):
    """Averages a value of each image over all images.

    It sums values and counts images, so a last batch of another size weighs what it should. A subclass says in
    ``update`` what the values are.

    Args:
        sync_on_compute: Whether :meth:`compute` adds up what the processes of a distributed run have counted.
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
        """Count a batch: float [B], a value an image."""
        self.total += values.sum()
        self.images += len(values)

    def compute(self) -> Tensor:
        """The mean over all images so far, a scalar."""
        return self.total / self.images

"""Structural similarity, of small images too."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.image import structural_similarity_index_measure


class StructuralSimilarity(Metric):
    """Mean SSIM over images (Wang et al. 2004), by torchmetrics, with a window that fits.

    The window is a Gaussian of 1.5 pixels, 11 wide; images smaller than that get the narrower one that still
    fits.

    Args:
        sync_on_compute: Whether :meth:`compute` adds up what the processes of a distributed run have counted.
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    similarity_sum: Tensor
    images: Tensor

    def __init__(self, sync_on_compute: bool = True) -> None:
        super().__init__(sync_on_compute=sync_on_compute)
        self.add_state("similarity_sum", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("images", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count a batch.

        Args:
            prediction: Float [B, 3, H, W] in [0, 1].
            target: The same shape.
        """
        # torchmetrics makes the window 2 int(3.5 sigma + 0.5) + 1 wide and mirrors half of it at the borders.
        half = min(5, (min(prediction.shape[-2:]) - 1) // 2)
        if half < 1:
            raise ValueError(f"expected images of at least 3×3 pixels, found {list(prediction.shape[-2:])}")
        similarity = structural_similarity_index_measure(
            prediction.contiguous(),
            target.contiguous(),
            sigma=1.5 * half / 5,
            data_range=1.0,
            reduction="none",
        )
        assert isinstance(similarity, Tensor)  # without full images it is no pair
        self.similarity_sum += similarity.sum()
        self.images += len(prediction)

    def compute(self) -> Tensor:
        """The mean over all images so far, a scalar in [-1, 1]."""
        return self.similarity_sum / self.images

"""Structural similarity, of small images too."""

from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from imgcolor.metrics.image_mean import ImageMean


class StructuralSimilarity(ImageMean):
    """Mean SSIM over images (Wang et al. 2004), by torchmetrics, with a window that fits.

    The window is a Gaussian of 1.5 pixels, 11 wide; images smaller than that get the narrower one that still
    fits.

    Args:
        sync_on_compute: Whether :meth:`compute` adds up what the processes of a distributed run have counted.
    """

    higher_is_better = True

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
        self.count(similarity)

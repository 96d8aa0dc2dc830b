"""Structural similarity (SSIM), also of small images."""

from kornia.metrics import ssim
from torch import Tensor

from imgcolor.metrics.image_mean import ImageMean
from imgcolor.metrics.value_range import as_unit_range


def structural_similarity(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the SSIM of each image (Wang et al. 2004), mean over pixels and channels.

    The window is a Gaussian with a standard deviation of 1.5 pixels and a width of 11, completely inside the
    image. For smaller images it is cropped to the largest odd width that fits.

    Args:
        prediction: Float [B, 3, H, W] in [0, 1], or uint8.
        target: The same shape; float or uint8.

    Returns:
        Float [B], at most 1.

    Raises:
        ValueError: If the images have fewer than 3×3 pixels, or values are outside [0, 1].
    """
    half = min(5, (min(prediction.shape[-2:]) - 1) // 2)
    if half < 1:
        raise ValueError(f"expected images of at least 3×3 pixels, found {list(prediction.shape[-2:])}")
    prediction, target = as_unit_range(prediction, "prediction"), as_unit_range(target, "target")
    # Equal to scikit-image; torchmetrics differs in the fourth digit, and takes five times as long.
    similarity: Tensor = ssim(prediction.float(), target.float(), 2 * half + 1, max_val=1.0, padding="valid")
    return similarity.mean(dim=(1, 2, 3))


class StructuralSimilarity(ImageMean):
    """Mean SSIM over images (Wang et al. 2004), computed by kornia.

    See :func:`structural_similarity`.

    Args:
        sync_on_compute: Whether :meth:`compute` adds up the counts of all ranks of a distributed run.
    """

    higher_is_better = True

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            prediction: Float [B, 3, H, W] in [0, 1], or uint8.
            target: The same shape; float or uint8.
        """
        self.count(structural_similarity(prediction, target))

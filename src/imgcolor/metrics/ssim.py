"""Structural similarity, of small images too."""

from kornia.metrics import ssim
from torch import Tensor

from imgcolor.metrics.image_mean import ImageMean


def structural_similarity(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the SSIM of each image (Wang et al. 2004), mean over pixels and channels.

    The window is a Gaussian of 1.5 pixels, 11 wide, and lies inside the image. For smaller images it is smaller.

    Args:
        prediction: Float [B, 3, H, W] in [0, 1].
        target: The same shape.

    Returns:
        Float [B], at most 1.

    Raises:
        ValueError: If the images have less than 3×3 pixels.
    """
    half = min(5, (min(prediction.shape[-2:]) - 1) // 2)
    if half < 1:
        raise ValueError(f"expected images of at least 3×3 pixels, found {list(prediction.shape[-2:])}")
    # Equal to scikit-image; torchmetrics differs in the fourth digit, and takes five times as long.
    similarity: Tensor = ssim(prediction.float(), target.float(), 2 * half + 1, max_val=1.0, padding="valid")
    return similarity.mean(dim=(1, 2, 3))


class StructuralSimilarity(ImageMean):
    """Mean SSIM over images (Wang et al. 2004), by kornia, with a window that fits.

    The window is a Gaussian of 1.5 pixels, 11 wide, and lies wholly inside the image; smaller images get as much
    of its middle as fits.

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
        self.count(structural_similarity(prediction, target))

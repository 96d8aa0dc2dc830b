"""Margin accuracy: the share of channel values that are nearly right."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from imgcolor.metrics.image_mean import ImageMean


def margin_accuracy(prediction: Tensor, target: Tensor, margin: int = 12) -> Tensor:
    """Share of channel values that differ from the truth by less than a margin, image by image.

    Both sides become whole numbers of 0..255 first (floats are clamped to [0, 1], scaled and rounded), and
    ``|prediction - target| < margin`` is strict: with the margin of 12, a difference of 11 is right and one
    of 12 is wrong. This is the 12-margin accuracy of the CENG 483 homework.

    Args:
        prediction: Float [B, C, H, W] in [0, 1] (values outside count as 0 or 1), or uint8.
        target: The same shape; float or uint8.
        margin: What a difference must stay below, on the scale 0..255.

    Returns:
        Float [B] in [0, 1], one share an image.

    Raises:
        ValueError: If the shapes differ, if a float is NaN, or if a dtype is neither float nor uint8.

    Example:
        >>> truth = torch.full((1, 1, 1, 4), 100, dtype=torch.uint8)
        >>> guess = torch.tensor([[[[100, 111, 112, 88]]]], dtype=torch.uint8)
        >>> margin_accuracy(guess, truth)
        tensor([0.5000])
    """
    # The differences are whole: this is 1 below the margin and 0 from it on, in a third of a comparison's time.
    shares = (margin - _differences(prediction, target)).clamp_(0, 1).flatten(1).mean(dim=1)
    if shares.isnan().any():
        _refuse_nan(prediction, target)
    return shares


def _differences(prediction: Tensor, target: Tensor) -> Tensor:
    """How many levels the values are off: whole numbers in float32, or NaN where either is."""
    if prediction.shape != target.shape or prediction.ndim != 4:
        raise ValueError(
            "prediction and target: expected the same shape [B, C, H, W], "
            f"found {list(prediction.shape)} and {list(target.shape)}"
        )
    return _levels(prediction, "prediction").sub_(_levels(target, "target")).abs_()


def _levels(images: Tensor, name: str) -> Tensor:
    """Images as whole numbers of 0..255, in new float32: exact there, and several times faster than integers."""
    if images.dtype == torch.uint8:
        return images.float()
    if not images.is_floating_point():
        raise ValueError(f"{name}: expected floats in [0, 1] or uint8, found {images.dtype}")
    return images.float().mul(255).round_().clamp_(0, 255)


def _refuse_nan(prediction: Tensor, target: Tensor) -> None:
    for name, images in (("prediction", prediction), ("target", target)):
        if images.isnan().any():
            raise ValueError(f"{name}: expected numbers, found NaN")


class MarginAccuracy(ImageMean):
    """Margin accuracy averaged over images: see :func:`margin_accuracy` for the formula.

    Args:
        margin: What a difference must stay below, on the scale 0..255.

    Example:
        >>> metric = MarginAccuracy(margin=12)
        >>> metric.update(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))
        >>> metric.update(torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4))
        >>> metric.compute()
        tensor(0.6667)
    """

    higher_is_better = True

    def __init__(self, margin: int = 12) -> None:
        super().__init__()
        self.margin = margin

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count a batch.

        Args:
            prediction: Float [B, C, H, W] in [0, 1], or uint8.
            target: The same shape; float or uint8.
        """
        self.count(margin_accuracy(prediction, target, self.margin))


class MarginError(MarginAccuracy):
    """The homework's 12-margin error: 1 minus :class:`MarginAccuracy`.

    Args:
        margin: What a difference must stay below, on the scale 0..255.
    """

    higher_is_better = False

    def compute(self) -> Tensor:
        """The mean share of values that are wrong over all images so far, a scalar in [0, 1]."""
        return 1 - super().compute()


class MarginCurve(Metric):
    """Margin accuracy for every margin at once: how the share of nearly right values grows with the margin.

    ``compute()[m]`` is what :class:`MarginAccuracy` with the margin m gives.

    Args:
        sync_on_compute: Whether :meth:`compute` adds up what the processes of a distributed run have counted.

    Example:
        >>> metric = MarginCurve()
        >>> metric.update(torch.tensor([[[[0.0, 0.1]]]]), torch.zeros(1, 1, 1, 2))  # 0 and 26 levels off
        >>> metric.compute()[[0, 1, 26, 27]]
        tensor([0.0000, 0.5000, 0.5000, 1.0000])
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    shares_sum: Tensor
    images: Tensor

    def __init__(self, sync_on_compute: bool = True) -> None:
        super().__init__(sync_on_compute=sync_on_compute)
        self.add_state("shares_sum", torch.zeros(256), dist_reduce_fx="sum")
        self.add_state("images", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count a batch.

        Args:
            prediction: Float [B, C, H, W] in [0, 1], or uint8.
            target: The same shape; float or uint8.
        """
        _refuse_nan(prediction, target)
        difference = _differences(prediction, target)
        counts = torch.bincount(difference.flatten().long(), minlength=256)
        # Images of a batch have one size, so their mean share is the share of all values.
        self.shares_sum += counts / difference[0].numel()
        self.images += len(prediction)

    def compute(self) -> Tensor:
        """The mean share over all images for the margins 0 to 256: float [257] in [0, 1]."""
        below: Tensor = F.pad(self.shares_sum.cumsum(0), (1, 0)) / self.images
        return below

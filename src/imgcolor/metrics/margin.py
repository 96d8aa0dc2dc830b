"""Margin accuracy, for one margin and for all margins."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from imgcolor.metrics.functional import level_differences, margin_accuracy
from imgcolor.metrics.image_mean import ImageMean


class MarginAccuracy(ImageMean):
    """Mean of :func:`~imgcolor.metrics.functional.margin_accuracy` over images.

    Args:
        margin: Differences below it count as correct, on the scale 0..255.
        validate_args: Whether values outside [0, 1] are refused. False saves a little time, for images that are known
            to be in the range.

    Examples:
        >>> metric = MarginAccuracy(margin=12)
        >>> metric.update(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))
        >>> metric.update(torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4))
        >>> metric.compute()
        tensor(0.6667)
    """

    higher_is_better = True

    def __init__(self, margin: int = 12, validate_args: bool = True) -> None:
        super().__init__()
        self.margin = margin
        self.validate_args = validate_args

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            prediction: Float [B, C, H, W] in [0, 1], or uint8.
            target: The same shape; float or uint8.
        """
        self.count(margin_accuracy(prediction, target, self.margin, self.validate_args))


class MarginError(MarginAccuracy):
    """The homework's 12-margin error: 1 minus :class:`MarginAccuracy`.

    Args:
        margin: Differences below it count as correct, on the scale 0..255.
        validate_args: See :class:`MarginAccuracy`.
    """

    higher_is_better = False

    def compute(self) -> Tensor:
        """Return the mean fraction of wrong values over all images: a scalar in [0, 1]."""
        return 1 - super().compute()


class MarginCurve(Metric):
    """Margin accuracy for all margins: ``compute()[m]`` is :class:`MarginAccuracy` with the margin m.

    Args:
        sync_on_compute: Whether :meth:`compute` adds up the counts of all ranks of a distributed run.

    Examples:
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
        """Add a batch.

        Args:
            prediction: Float [B, C, H, W] in [0, 1], or uint8.
            target: The same shape; float or uint8.
        """
        difference = level_differences(prediction, target)
        counts = torch.bincount(difference.flatten().long(), minlength=256)
        # The images of a batch have one size, so the mean of their fractions is the fraction of all values.
        self.shares_sum += counts / difference[0].numel()
        self.images += len(prediction)

    def compute(self) -> Tensor:
        """Return the mean over all images for the margins 0 to 256: float [257] in [0, 1]."""
        below: Tensor = F.pad(self.shares_sum.cumsum(0), (1, 0)) / self.images
        return below

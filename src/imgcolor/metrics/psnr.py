"""Peak signal-to-noise ratio of images in [0, 1]."""

from torch import Tensor
from torchmetrics import MeanSquaredError

from imgcolor.metrics.value_range import as_unit_range


class PeakSignalNoiseRatio(MeanSquaredError):  # noqa: N818  # a metric and no exception
    """Peak signal-to-noise ratio in dB: -10 log10 of the mean squared error over all values of all images.

    torchmetrics' class gives the same for a data range of 1. This one shares its state with
    ``MeanSquaredError``, so that a ``MetricCollection`` of both computes the squared errors once.

    Args:
        validate_args: Whether values outside [0, 1] are refused. False saves a little time, for images that are known
            to be in the range.

    Examples:
        >>> import torch
        >>> metric = PeakSignalNoiseRatio()
        >>> metric.update(torch.full((1, 3, 2, 2), 0.1), torch.zeros(1, 3, 2, 2))
        >>> metric.compute()
        tensor(20.)
    """

    higher_is_better = True

    def __init__(self, validate_args: bool = True) -> None:
        super().__init__()
        self.validate_args = validate_args

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            preds: Float [B, C, H, W] in [0, 1], or uint8.
            target: The same shape; float or uint8.

        Raises:
            ValueError: If values are outside [0, 1].
        """
        if self.validate_args:
            preds, target = as_unit_range(preds, "preds"), as_unit_range(target, "target")
        super().update(preds, target)

    def compute(self) -> Tensor:
        """Return the ratio over all images: a scalar, infinite if all images are equal to their targets."""
        return -10 * super().compute().log10()

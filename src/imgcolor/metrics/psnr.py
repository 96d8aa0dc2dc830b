"""Peak signal-to-noise ratio of images in [0, 1]."""

from torch import Tensor
from torchmetrics import MeanSquaredError


class PeakSignalNoiseRatio(MeanSquaredError):  # noqa: N818  # a metric and no exception
    """Peak signal-to-noise ratio in dB: -10 log10 of the mean squared error over all values of all images.

    torchmetrics' class gives the same for a data range of 1. This one shares its state with
    ``MeanSquaredError``, so that a ``MetricCollection`` of both computes the squared errors once.

    Examples:
        >>> import torch
        >>> metric = PeakSignalNoiseRatio()
        >>> metric.update(torch.full((1, 3, 2, 2), 0.1), torch.zeros(1, 3, 2, 2))
        >>> metric.compute()
        tensor(20.)
    """

    higher_is_better = True

    def compute(self) -> Tensor:
        """Return the ratio over all images: a scalar, infinite if all images are equal to their targets."""
        return -10 * super().compute().log10()

"""Peak signal-to-noise ratio of images in [0, 1]."""

from torch import Tensor
from torchmetrics import MeanSquaredError


class PeakSignalNoiseRatio(MeanSquaredError):  # noqa: N818  # a metric and no exception
    """-10 log10 of the mean squared error over all values of all images, in dB.

    It is torchmetrics' own for a data range of 1, but counts what its ``MeanSquaredError`` counts, so that a
    ``MetricCollection`` of both counts once.

    Example:
        >>> import torch
        >>> metric = PeakSignalNoiseRatio()
        >>> metric.update(torch.full((1, 3, 2, 2), 0.1), torch.zeros(1, 3, 2, 2))
        >>> metric.compute()
        tensor(20.)
    """

    higher_is_better = True

    def compute(self) -> Tensor:
        """Of all images so far: a scalar; infinite where all are right."""
        return -10 * super().compute().log10()

"""The metrics that tasks log, and the images that they display."""

from torch import Tensor
from torchmetrics import MeanMetric, MeanSquaredError, Metric, MetricCollection

from imgcolor.baselines import matching_baselines
from imgcolor.data import Batch
from imgcolor.metrics import MarginAccuracy, MarginError, PeakSignalNoiseRatio


class MeanLoss(MeanMetric):
    """Mean of the losses of batches over all images.

    ``MeanMetric`` searches each value for NaN, which takes time at each step, and on a GPU a synchronisation; without
    that search (``nan_strategy="disable"``) it ignores the weights (torchmetrics 1.9). A task checks its losses itself.
    """

    mean_value: Tensor
    weight: Tensor

    def update(self, value: float | Tensor, weight: float | Tensor | None = None) -> None:
        """Add a batch.

        Args:
            value: Its loss, a scalar.
            weight: Its number of images; one by default.
        """
        weight = 1 if weight is None else weight
        self.mean_value += value * weight
        self.weight += weight


def make_metrics(prefix: str, validate_args: bool = True) -> MetricCollection:
    """Return new metrics of images, whose names start with the prefix.

    Args:
        prefix: Such as ``val/``.
        validate_args: Whether the metrics check that their images are in [0, 1].
    """
    metrics: dict[str, Metric | MetricCollection] = {
        "mse": MeanSquaredError(),
        "psnr": PeakSignalNoiseRatio(validate_args),
        "margin12": MarginAccuracy(12, validate_args),
        "margin12_error": MarginError(12, validate_args),
    }
    return MetricCollection(metrics, prefix=prefix)


def images_with_prediction(batch: Batch, prediction: Tensor) -> dict[str, Tensor]:
    """Return the images of a batch and a prediction; for enlargement, also two baselines.

    Args:
        batch: The degraded images and the originals.
        prediction: Float [B, 3, H, W] in [0, 1].

    Returns:
        Name to float [B, C, h, w] in [0, 1], in the order of display.
    """
    if batch.degraded.shape[-2:] == batch.original.shape[-2:]:
        return {"input": batch.degraded, "prediction": prediction, "target": batch.original}
    baselines = matching_baselines(batch.degraded, batch.original)
    return {
        "input": batch.degraded,
        "target": batch.original,
        "prediction": prediction,
        **{name: baselines[name](batch.degraded) for name in ("bilinear", "bicubic")},
    }

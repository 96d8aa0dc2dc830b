"""torchmetrics classes with a functional half, one file each."""

from imgcolor.metrics.margin import MarginAccuracy, MarginError, margin_accuracy

__all__ = ["MarginAccuracy", "MarginError", "margin_accuracy"]

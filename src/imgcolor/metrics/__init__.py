"""torchmetrics classes with a functional half, one file each."""

from imgcolor.metrics.margin import MarginAccuracy, margin_accuracy

__all__ = ["MarginAccuracy", "margin_accuracy"]

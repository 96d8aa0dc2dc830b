"""What happens around training: pictures, curves, files."""

from imgcolor.callbacks.curves import CurvePlot
from imgcolor.callbacks.images import ImageLogger
from imgcolor.callbacks.metrics_files import MetricsFiles
from imgcolor.callbacks.predictions import PredictionWriter

__all__ = ["CurvePlot", "ImageLogger", "MetricsFiles", "PredictionWriter"]

"""What happens around training: pictures, files."""

from imgcolor.callbacks.images import ImageLogger
from imgcolor.callbacks.metrics_files import MetricsFiles
from imgcolor.callbacks.predictions import PredictionWriter

__all__ = ["ImageLogger", "MetricsFiles", "PredictionWriter"]

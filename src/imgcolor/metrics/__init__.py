"""torchmetrics classes with a functional half, one file each; they stand on their own in other projects."""

from imgcolor.metrics.colourfulness import Colourfulness, colourfulness
from imgcolor.metrics.delta_e import DeltaE, ciede2000, delta_e
from imgcolor.metrics.margin import MarginAccuracy, MarginCurve, MarginError, margin_accuracy
from imgcolor.metrics.peak_signal_noise_ratio import PeakSignalNoiseRatio
from imgcolor.metrics.perceptual_similarity import perceptual_similarity
from imgcolor.metrics.structural_similarity import StructuralSimilarity

__all__ = [
    "Colourfulness",
    "DeltaE",
    "MarginAccuracy",
    "MarginCurve",
    "MarginError",
    "PeakSignalNoiseRatio",
    "StructuralSimilarity",
    "ciede2000",
    "colourfulness",
    "delta_e",
    "margin_accuracy",
    "perceptual_similarity",
]

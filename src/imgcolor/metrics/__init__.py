"""Metrics as torchmetrics classes, one file each, and as functions.

Names are imported on first use: the functions need no torchmetrics. No module may have the name of a function
here, since importing the module would replace the function.
"""

from typing import TYPE_CHECKING

from imgcolor.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from imgcolor.metrics.colour import Colourfulness, DeltaE
    from imgcolor.metrics.functional import (
        ciede2000,
        colourfulness,
        delta_e,
        margin_accuracy,
        peak_signal_noise_ratio,
    )
    from imgcolor.metrics.lpips import perceptual_similarity
    from imgcolor.metrics.margin import MarginAccuracy, MarginCurve, MarginError
    from imgcolor.metrics.psnr import PeakSignalNoiseRatio
    from imgcolor.metrics.ssim import StructuralSimilarity
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "colour": ["Colourfulness", "DeltaE"],
            "functional": [
                "ciede2000",
                "colourfulness",
                "delta_e",
                "margin_accuracy",
                "peak_signal_noise_ratio",
            ],
            "lpips": ["perceptual_similarity"],
            "margin": ["MarginAccuracy", "MarginCurve", "MarginError"],
            "psnr": ["PeakSignalNoiseRatio"],
            "ssim": ["StructuralSimilarity"],
        },
    )

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
    "peak_signal_noise_ratio",
    "perceptual_similarity",
]

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
    from imgcolor.metrics.luma_quality import LumaPSNR, LumaSSIM, luma_levels, luma_psnr, luma_ssim
    from imgcolor.metrics.margin import MarginAccuracy, MarginCurve, MarginError
    from imgcolor.metrics.psnr import PeakSignalNoiseRatio
    from imgcolor.metrics.scores import image_scores
    from imgcolor.metrics.ssim import StructuralSimilarity, structural_similarity
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
            "scores": ["image_scores"],
            "lpips": ["perceptual_similarity"],
            "luma_quality": ["LumaPSNR", "LumaSSIM", "luma_levels", "luma_psnr", "luma_ssim"],
            "margin": ["MarginAccuracy", "MarginCurve", "MarginError"],
            "psnr": ["PeakSignalNoiseRatio"],
            "ssim": ["StructuralSimilarity", "structural_similarity"],
        },
    )

__all__ = [
    "Colourfulness",
    "DeltaE",
    "LumaPSNR",
    "LumaSSIM",
    "MarginAccuracy",
    "MarginCurve",
    "MarginError",
    "PeakSignalNoiseRatio",
    "StructuralSimilarity",
    "ciede2000",
    "colourfulness",
    "delta_e",
    "image_scores",
    "luma_levels",
    "luma_psnr",
    "luma_ssim",
    "margin_accuracy",
    "peak_signal_noise_ratio",
    "perceptual_similarity",
    "structural_similarity",
]

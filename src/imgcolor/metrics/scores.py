"""All metrics of one image at once, for tables that compare folders of images."""

import torch
from torch import Tensor

from imgcolor.colour.chroma import luma_of
from imgcolor.metrics.functional import colourfulness, delta_e, margin_accuracy
from imgcolor.metrics.ssim import structural_similarity
from imgcolor.metrics.value_range import as_unit_range


def image_scores(prediction: Tensor, target: Tensor) -> dict[str, float]:
    """Compare one image with the original.

    Args:
        prediction: Float [3, H, W] in [0, 1], or uint8.
        target: The original: the same shape; float or uint8.

    Returns:
        ``mse`` (on the scale [0, 1]), ``psnr`` (dB), ``ssim``, ``delta_e`` (CIEDE2000, mean over pixels), ``margin12``,
        ``colourfulness`` and ``colourfulness_original``, ``delta_e_grey`` (of the original's own luma), and
        ``closer_than_grey``: 1 where ``delta_e`` is below ``delta_e_grey``, else 0.

    Raises:
        ValueError: If the shapes differ or are not [3, H, W], or values are outside [0, 1].
    """
    if prediction.shape != target.shape or prediction.ndim != 3:
        raise ValueError(
            f"prediction and target: expected the same shape [3, H, W], found {list(prediction.shape)} and "
            f"{list(target.shape)}"
        )
    images = as_unit_range(prediction, "prediction")[None]
    originals = as_unit_range(target, "target")[None]
    grey = (luma_of(originals) * 255).round().div(255).expand(-1, 3, -1, -1)
    mse = (images - originals).square().mean()
    scores = {
        "mse": mse,
        "psnr": -10 * torch.log10(mse),
        "ssim": structural_similarity(images, originals),
        "delta_e": delta_e(images, originals),
        "margin12": margin_accuracy(images, originals, 12),
        "colourfulness": colourfulness(images),
        "colourfulness_original": colourfulness(originals),
        "delta_e_grey": delta_e(grey, originals),
    }
    values = {name: float(value) for name, value in scores.items()}
    return {**values, "closer_than_grey": float(values["delta_e"] < values["delta_e_grey"])}

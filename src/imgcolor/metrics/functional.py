"""Metrics as functions of tensors. They need no torchmetrics.

Images are float in [0, 1] or uint8. Other values are refused, such as levels of 0 to 255 as floats.
"""

import math

import torch
from torch import Tensor

from imgcolor.colour.spaces import rgb_to_lab
from imgcolor.metrics.value_range import as_unit_range


def peak_signal_noise_ratio(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of each image in dB: -10 log10 of its mean squared error.

    Args:
        prediction: Float [B, C, H, W] in [0, 1], or uint8.
        target: The same shape; float or uint8.

    Returns:
        Float [B]; infinite for images that are equal.

    Raises:
        ValueError: If values are outside [0, 1].

    Examples:
        >>> peak_signal_noise_ratio(torch.full((1, 3, 2, 2), 0.1), torch.zeros(1, 3, 2, 2))
        tensor([20.])
    """
    prediction, target = as_unit_range(prediction, "prediction"), as_unit_range(target, "target")
    ratio: Tensor = -10 * (prediction.float() - target.float()).square().flatten(1).mean(dim=1).log10()
    return ratio


def margin_accuracy(
    prediction: Tensor, target: Tensor, margin: int = 12, validate_args: bool = True
) -> Tensor:
    """Return the fraction of channel values that differ from the target by less than a margin, for each image.

    Both images are converted to whole numbers in 0..255 first (floats are scaled and rounded).
    ``|prediction - target| < margin`` is strict: with the margin of 12, a difference of 11 is right and one of
    12 is wrong. This is the 12-margin accuracy of the CENG 483 homework.

    Args:
        prediction: Float [B, C, H, W] in [0, 1], or uint8.
        target: The same shape; float or uint8.
        margin: Differences below it count as correct, on the scale 0..255.
        validate_args: Whether values outside [0, 1] are refused. Otherwise they count as 0 or 1; only NaN is refused.

    Returns:
        Float [B] in [0, 1], one fraction per image.

    Raises:
        ValueError: If the shapes differ, values are outside [0, 1] or NaN, or a dtype is neither float nor uint8.

    Examples:
        >>> original = torch.full((1, 1, 1, 4), 100, dtype=torch.uint8)
        >>> guess = torch.tensor([[[[100, 111, 112, 88]]]], dtype=torch.uint8)
        >>> margin_accuracy(guess, original)
        tensor([0.5000])
    """
    # For whole differences this equals `differences < margin`, in a third of the time.
    differences = level_differences(prediction, target, validate_args)
    accuracies = (margin - differences).clamp_(0, 1).flatten(1).mean(dim=1)
    if accuracies.isnan().any():
        refuse_nan(prediction, target)
    return accuracies


def level_differences(prediction: Tensor, target: Tensor, validate_args: bool = True) -> Tensor:
    """Return the absolute differences of two images in levels of 0..255, as float32.

    Args:
        prediction: Float [B, C, H, W] in [0, 1], or uint8.
        target: The same shape; float or uint8.
        validate_args: Whether values outside [0, 1] and NaN are refused. Otherwise NaN remains NaN.
    """
    if prediction.shape != target.shape or prediction.ndim != 4:
        raise ValueError(
            "prediction and target: expected the same shape [B, C, H, W], "
            f"found {list(prediction.shape)} and {list(target.shape)}"
        )
    if validate_args:
        for images, name in ((prediction, "prediction"), (target, "target")):
            if images.dtype != torch.uint8:
                as_unit_range(images, name)
    return _levels(prediction, "prediction").sub_(_levels(target, "target")).abs_()


def _levels(images: Tensor, name: str) -> Tensor:
    """Return images as whole numbers in 0..255, as new float32 tensors, which are faster than integers."""
    if images.dtype == torch.uint8:
        return images.float()
    if not images.is_floating_point():
        raise ValueError(f"{name}: expected floats in [0, 1] or uint8, found {images.dtype}")
    return images.float().mul(255).round_().clamp_(0, 255)


def refuse_nan(prediction: Tensor, target: Tensor) -> None:
    """Raise a ValueError that names the image with NaN, if there is one."""
    for name, images in (("prediction", prediction), ("target", target)):
        if images.isnan().any():
            raise ValueError(f"{name}: expected numbers, found NaN")


def ciede2000(first: Tensor, second: Tensor) -> Tensor:
    """Return the CIEDE2000 colour difference of Lab colours, with all three weights 1.

    The formula and its cases (hues of greys, hue differences across 0°) are those of Sharma, Wu and Dalal, "The
    CIEDE2000 Color-Difference Formula: Implementation Notes, Supplementary Test Data, and Mathematical
    Observations", 2005. A difference of 1 is just visible.

    Args:
        first: Float [..., 3, H, W]: L*, a*, b*.
        second: The same shape.

    Returns:
        Float [..., H, W], 0 or more.
    """
    l1, a1, b1 = first.unbind(-3)
    l2, a2, b2 = second.unbind(-3)
    chroma7 = ((a1.hypot(b1) + a2.hypot(b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * (chroma7 / (chroma7 + 25.0**7)).sqrt()
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = a1.hypot(b1), a2.hypot(b2)
    turn = 2 * math.pi
    h1, h2 = torch.atan2(b1, a1) % turn, torch.atan2(b2, a2) % turn  # 0 for a grey
    grey = c1 * c2 == 0
    hue = h2 - h1
    hue = torch.where(hue > math.pi, hue - turn, torch.where(hue < -math.pi, hue + turn, hue))
    hue = torch.where(grey, 0, hue)
    mean_hue = torch.where((h1 - h2).abs() > math.pi, (h1 + h2 + turn) / 2, (h1 + h2) / 2)
    mean_hue = torch.where(grey, h1 + h2, mean_hue)

    dl, dc = l2 - l1, c2 - c1
    dh = 2 * (c1 * c2).sqrt() * (hue / 2).sin()
    middle = ((l1 + l2) / 2 - 50) ** 2
    mean_chroma = (c1 + c2) / 2
    t = (
        1
        - 0.17 * (mean_hue - math.radians(30)).cos()
        + 0.24 * (2 * mean_hue).cos()
        + 0.32 * (3 * mean_hue + math.radians(6)).cos()
        - 0.20 * (4 * mean_hue - math.radians(63)).cos()
    )
    sl = 1 + 0.015 * middle / (20 + middle).sqrt()
    sc = 1 + 0.045 * mean_chroma
    sh = 1 + 0.015 * mean_chroma * t
    degrees = torch.rad2deg(mean_hue).remainder(360)
    turning = math.radians(60) * (-(((degrees - 275) / 25) ** 2)).exp()
    mean7 = mean_chroma**7
    rotation = -2 * (mean7 / (mean7 + 25.0**7)).sqrt() * turning.sin()
    dl, dc, dh = dl / sl, dc / sc, dh / sh
    return (dl**2 + dc**2 + dh**2 + rotation * dc * dh).clamp(min=0).sqrt()


def delta_e(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean CIEDE2000 colour difference of each image.

    Args:
        prediction: Float [B, 3, H, W], sRGB in [0, 1], or uint8.
        target: The same shape; float or uint8.

    Returns:
        Float [B], 0 or more.

    Raises:
        ValueError: If the shapes differ or are not [B, 3, H, W], or values are outside [0, 1].
    """
    if prediction.shape != target.shape or prediction.ndim != 4 or prediction.shape[1] != 3:
        raise ValueError(
            "prediction and target: expected the same shape [B, 3, H, W], "
            f"found {list(prediction.shape)} and {list(target.shape)}"
        )
    pair = as_unit_range(prediction, "prediction"), as_unit_range(target, "target")
    first, second = (rgb_to_lab(images.float().clamp(0, 1)) for images in pair)
    return ciede2000(first, second).flatten(1).mean(dim=1)


def colourfulness(images: Tensor) -> Tensor:
    """Return the colourfulness of each image, as Hasler and Süsstrunk define it.

    The paper is "Measuring colourfulness in natural images", 2003. With ``rg = R - G`` and
    ``yb = (R + G) / 2 - B`` on the scale of 0 to 255, it is the norm of their standard deviations over the pixels
    plus 0.3 times the norm of their means. Grey images have 0. The authors' test persons called 15 slightly, 33
    moderately and 82 highly colourful.

    Args:
        images: Float [B, 3, H, W] in [0, 1], or uint8.

    Returns:
        Float [B], 0 or more.

    Raises:
        ValueError: If the shape is not [B, 3, H, W], or values are outside [0, 1].
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images: expected the shape [B, 3, H, W], found {list(images.shape)}")
    images = as_unit_range(images, "images")
    red, green, blue = (images.float().clamp(0, 1) * 255).flatten(2).unbind(1)
    opponents = torch.stack([red - green, (red + green) / 2 - blue])
    deviations, means = opponents.std(dim=-1, correction=0), opponents.mean(dim=-1)
    score: Tensor = torch.hypot(*deviations) + 0.3 * torch.hypot(*means)
    return score

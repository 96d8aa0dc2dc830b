"""PSNR and SSIM on luma, as super-resolution papers report them."""

import torch
from kornia.metrics import ssim
from torch import Tensor

from imgcolor.metrics.image_mean import ImageMean
from imgcolor.metrics.value_range import as_unit_range

_LEVELS = 255.0


def luma_levels(images: Tensor) -> Tensor:
    """Return the luma Y of ITU-R BT.601 in studio range.

    Y = 16 + 65.481 R + 128.553 G + 24.966 B, for R, G and B in [0, 1]; the formula of MATLAB's ``rgb2ycbcr``, without
    rounding.

    Args:
        images: Float [B, 3, H, W] in [0, 1], or uint8.

    Returns:
        Float [B, 1, H, W] in [16, 235].

    Raises:
        ValueError: If values are outside [0, 1].

    Examples:
        >>> luma_levels(torch.ones(1, 3, 1, 1)).item()
        235.0
    """
    return _luma_levels(as_unit_range(images, "images"))


def _luma_levels(images: Tensor) -> Tensor:
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=images.dtype, device=images.device)
    return 16 + (images * weights[:, None, None]).sum(dim=1, keepdim=True)


def luma_psnr(prediction: Tensor, target: Tensor, border: int) -> Tensor:
    """Return the PSNR on luma of each image: 10 log10(255² / mean squared error of Y).

    The protocol is that of BasicSR and of most papers on super-resolution: Y of BT.601 in [16, 235], a border left out.

    Args:
        prediction: Float [B, 3, H, W] in [0, 1], or uint8.
        target: The same shape; float or uint8.
        border: Pixels left out at each side; by convention the scale factor.

    Returns:
        Float [B], dB; infinite where the images are equal.

    Raises:
        ValueError: If the shapes differ, are not [B, 3, H, W] or leave no pixel inside the border, or values are
            outside [0, 1].

    Examples:
        >>> round(luma_psnr(torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8), border=2).item(), 2)
        1.32
    """
    prediction, target = _inner_luma(prediction, target, border, smallest=1)
    error = (prediction - target).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(_LEVELS**2 / error)


def luma_ssim(prediction: Tensor, target: Tensor, border: int) -> Tensor:
    """Return the SSIM on luma of each image (Wang et al. 2004), with a Gaussian window of 11 pixels, sigma 1.5.

    Args:
        prediction: Float [B, 3, H, W] in [0, 1], or uint8.
        target: The same shape; float or uint8.
        border: Pixels left out at each side; by convention the scale factor.

    Returns:
        Float [B], at most 1.

    Raises:
        ValueError: If the shapes differ, are not [B, 3, H, W] or leave less than 11×11 pixels inside the border, or
            values are outside [0, 1].
    """
    prediction, target = _inner_luma(prediction, target, border, smallest=11)
    similarity: Tensor = ssim(prediction.double(), target.double(), 11, max_val=_LEVELS, padding="valid")
    return similarity.mean(dim=(1, 2, 3)).to(prediction.dtype)


def _inner_luma(prediction: Tensor, target: Tensor, border: int, smallest: int) -> tuple[Tensor, Tensor]:
    if prediction.shape != target.shape or prediction.ndim != 4 or prediction.shape[1] != 3:
        raise ValueError(
            "prediction and target: expected the same shape [B, 3, H, W], "
            f"found {list(prediction.shape)} and {list(target.shape)}"
        )
    height, width = (size - 2 * border for size in prediction.shape[-2:])
    if border < 0 or min(height, width) < smallest:
        raise ValueError(
            f"border: expected at least {smallest}×{smallest} pixels inside a border of {border}, "
            f"found images of {list(prediction.shape[-2:])}"
        )
    inside = (..., slice(border, border + height), slice(border, border + width))
    pair = as_unit_range(prediction, "prediction"), as_unit_range(target, "target")
    first, second = (_luma_levels(images.float())[inside] for images in pair)
    return first, second


class _LumaMean(ImageMean):
    """Base of the classes below: a mean over images, without a border."""

    higher_is_better = True

    def __init__(self, border: int, sync_on_compute: bool = True) -> None:
        super().__init__(sync_on_compute)
        self.border = border


class LumaPSNR(_LumaMean):
    """Mean over images of :func:`luma_psnr`.

    Args:
        border: Pixels left out at each side; by convention the scale factor.
        sync_on_compute: Whether :meth:`compute` adds up the counts of all ranks of a distributed run.
    """

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count a batch: both float [B, 3, H, W] in [0, 1], or uint8."""
        self.count(luma_psnr(prediction, target, self.border))


class LumaSSIM(_LumaMean):
    """Mean over images of :func:`luma_ssim`; the arguments are those of :class:`LumaPSNR`."""

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count a batch: both float [B, 3, H, W] in [0, 1], or uint8."""
        self.count(luma_ssim(prediction, target, self.border))

"""Luma and chroma (Y'CbCr of ITU-R BT.601, full range, as in JPEG), and edge-aware upsampling of chroma."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from imgcolor.colour.codings import OutputCoding

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Weights of R, G and B in the luma; Pillow's mode L has the same."""

_CB_SCALE = 2 * (1 - LUMA_WEIGHTS[2])
_CR_SCALE = 2 * (1 - LUMA_WEIGHTS[0])
_GUIDE_EPSILON = 1e-3
_LARGEST_SIZE = 4096


def luma_of(images: Tensor) -> Tensor:
    """Return the luma of RGB images.

    Args:
        images: Float [..., 3, H, W] in [0, 1].

    Returns:
        Float [..., 1, H, W] in [0, 1].
    """
    weights = torch.tensor(LUMA_WEIGHTS, dtype=images.dtype, device=images.device)
    return (images * weights[:, None, None]).sum(dim=-3, keepdim=True)


def chroma_of(images: Tensor) -> Tensor:
    """Return Cb and Cr of RGB images.

    Args:
        images: Float [..., 3, H, W] in [0, 1].

    Returns:
        Float [..., 2, H, W] in [-0.5, 0.5]; 0 for grey.

    Examples:
        >>> blue = torch.tensor([0.0, 0.0, 1.0]).view(3, 1, 1)
        >>> [round(float(value), 4) for value in chroma_of(blue).flatten()]
        [0.5, -0.0813]
    """
    luma = luma_of(images)
    red, blue = images[..., :1, :, :], images[..., 2:, :, :]
    return torch.cat([(blue - luma) / _CB_SCALE, (red - luma) / _CR_SCALE], dim=-3)


def join_luma_chroma(luma: Tensor, chroma: Tensor) -> Tensor:
    """Return RGB images that have exactly the given luma.

    Where a colour lies outside the RGB cube, its chroma is reduced until it fits; hue and luma stay. Black and white
    are therefore always neutral.

    Args:
        luma: Float [B, 1, H, W] in [0, 1].
        chroma: Float [B, 2, H, W]: Cb and Cr.

    Returns:
        Float [B, 3, H, W] in [0, 1].

    Examples:
        >>> white = join_luma_chroma(torch.ones(1, 1, 1, 1), torch.full((1, 2, 1, 1), 0.3))
        >>> white.flatten().tolist()
        [1.0, 1.0, 1.0]
    """
    return join_luma_offset(luma, chroma_offset(chroma))


def join_luma_offset(luma: Tensor, offset: Tensor) -> Tensor:
    """Add to each channel its difference from the luma, and keep the luma of the sum.

    Where a colour lies outside the RGB cube, the offset is reduced until it fits; other colours are the plain sum.
    Black and white are therefore always neutral.

    Args:
        luma: Float [B, 1, H, W] in [0, 1].
        offset: Float [B, 3, H, W]: RGB minus its own luma, for any weights of the channels.

    Returns:
        Float [B, 3, H, W] in [0, 1].

    Examples:
        >>> light = torch.full((1, 1, 1, 1), 0.875)
        >>> yellow = torch.tensor([0.25, 0.25, -1.0]).view(1, 3, 1, 1)
        >>> join_luma_offset(light, yellow).flatten().tolist()
        [1.0, 1.0, 0.375]
    """
    highest = offset.amax(dim=-3, keepdim=True).clamp(min=1e-12)
    lowest = offset.amin(dim=-3, keepdim=True).clamp(max=-1e-12)
    fraction = torch.minimum((1 - luma) / highest, -luma / lowest).clamp(max=1)
    return (luma + fraction * offset).clamp(0, 1)


def chroma_offset(chroma: Tensor) -> Tensor:
    """Return what chroma adds to the luma of each channel: float [..., 2, H, W] to float [..., 3, H, W]."""
    blue, red = chroma[..., :1, :, :] * _CB_SCALE, chroma[..., 1:, :, :] * _CR_SCALE
    green = -(LUMA_WEIGHTS[2] * blue + LUMA_WEIGHTS[0] * red) / LUMA_WEIGHTS[1]
    return torch.cat([red, green, blue], dim=-3)


def upsample_chroma(chroma: Tensor, luma: Tensor) -> Tensor:
    """Upsample chroma so that its edges follow those of the luma: the fast guided filter (He and Sun 2015).

    In windows of 3×3 low-resolution pixels the chroma is modelled as a linear function of the luma. The coefficients of
    these functions are averaged, upsampled bilinearly and applied to the luma of full size.

    Args:
        chroma: Float [B, 2, h, w].
        luma: Float [B, 1, H, W] in [0, 1], the guide.

    Returns:
        Float [B, 2, H, W].
    """
    guide = _reduce(luma, chroma.shape[-2:])
    mean_guide, mean_chroma = _box_mean(guide), _box_mean(chroma)
    covariance = _box_mean(guide * chroma) - mean_guide * mean_chroma
    variance = _box_mean(guide * guide) - mean_guide * mean_guide
    slope = covariance / (variance + _GUIDE_EPSILON)
    intercept = mean_chroma - slope * mean_guide
    size = luma.shape[-2:]
    slope = F.interpolate(_box_mean(slope), size, mode="bilinear")
    return slope.mul_(luma).add_(F.interpolate(_box_mean(intercept), size, mode="bilinear"))


def _reduce(luma: Tensor, size: Sequence[int]) -> Tensor:
    """Reduce luma to a size: by block means for whole ratios, which ONNX supports, else by an antialiasing filter."""
    # As integers, because a trace for ONNX has tensors for the sizes.
    (height, width), (rows, columns) = map(int, luma.shape[-2:]), map(int, size)
    ratio = height // rows
    if (height, width) == (ratio * rows, ratio * columns):
        return F.avg_pool2d(luma, ratio)
    return F.interpolate(luma, size, mode="bilinear", antialias=True)


def _box_mean(values: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(values, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


class ChromaCoding(OutputCoding):
    """Cb and Cr at a fraction of the resolution, joined with the exact luma of the input.

    Args:
        reduction: Ratio of the size of the image to the size of the chroma, along height and width.
        working_sizes: Lengths of the shorter side at which the network sees a photo; the predictions are averaged.
        saturation: Factor of the predicted chroma in :meth:`to_rgb`: 0 gives grey, more than 1 bolder colours.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self, reduction: int = 4, working_sizes: Sequence[int] = (64,), saturation: float = 1.0
    ) -> None:
        super().__init__()
        if reduction < 1:
            raise ValueError(f"reduction: expected at least 1, found {reduction}")
        if not working_sizes or not all(1 <= size <= _LARGEST_SIZE for size in working_sizes):
            raise ValueError(
                f"working_sizes: expected one or more numbers from 1 to {_LARGEST_SIZE}, found {working_sizes}"
            )
        if not 0 <= saturation < math.inf:
            raise ValueError(f"saturation: expected a number of at least 0, found {saturation}")
        self.reduction = reduction
        self.working_sizes = tuple(working_sizes)
        self.saturation = saturation

    def target(self, original: Tensor) -> Tensor:
        """Return the mean chroma of each block.

        Args:
            original: Float [B, 3, H, W] in [0, 1].

        Returns:
            Float [B, 2, H / reduction, W / reduction]: Cb and Cr.
        """
        return F.avg_pool2d(chroma_of(original), self.reduction)

    def to_rgb(
        self, output: Tensor, degraded: Tensor | None = None, saturation: float | None = None
    ) -> Tensor:
        """Join chroma with the luma of the input.

        Args:
            output: Float [B, 2, h, w]: Cb and Cr.
            degraded: Float [B, 1, H, W] in [0, 1]: the luma that the result keeps.
            saturation: Factor of the chroma; None for the coding's own.

        Returns:
            Float [B, 3, H, W] in [0, 1].

        Raises:
            ValueError: If ``degraded`` is missing.
        """
        if degraded is None:
            raise ValueError("degraded: expected the grey images that the chroma is joined with, found None")
        factor = self.saturation if saturation is None else saturation
        return join_luma_chroma(degraded, upsample_chroma(factor * output, degraded))

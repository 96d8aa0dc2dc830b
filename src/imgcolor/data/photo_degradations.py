"""Degradations of photos: bicubic downsampling as in super-resolution benchmarks, JPEG compression."""

import io

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from imgcolor.utils.errors import ImgcolorError

_MARGIN = 4
"""Pixels of the result that are computed beyond each border and cut off; the filter reaches 2."""


class BicubicDownsample(nn.Module):
    """Downsample images by bicubic interpolation with antialiasing, as MATLAB's ``imresize`` does.

    The low-resolution images of Set5, Set14, B100 and other benchmarks were made in this way. The result is rounded to
    256 levels.

    Args:
        scale_factor: Ratio of the size of the input to the size of the output.

    Raises:
        ImgcolorError: If ``scale_factor`` is below 2.
    """

    def __init__(self, scale_factor: int = 4) -> None:
        super().__init__()
        if scale_factor < 2:
            raise ImgcolorError(f"scale_factor: expected at least 2, such as 2, 3 or 4, found {scale_factor}")
        self.scale_factor = scale_factor

    def forward(self, images: Tensor) -> Tensor:
        """Downsample a batch.

        Args:
            images: Float [B, 3, H, W] in [0, 1]; rows and columns beyond a multiple of the factor are cut off.

        Returns:
            Float [B, 3, H // scale_factor, W // scale_factor] in [0, 1].

        Raises:
            ImgcolorError: If the images are smaller than ``scale_factor``.
        """
        height, width = (size // self.scale_factor for size in images.shape[-2:])
        if not height or not width:
            raise ImgcolorError(
                f"scale_factor: expected images of at least {self.scale_factor} pixels, found {list(images.shape[-2:])}"
            )
        whole = images[..., : height * self.scale_factor, : width * self.scale_factor]
        padded = _pad_symmetrically(whole, _MARGIN * self.scale_factor)
        size = (height + 2 * _MARGIN, width + 2 * _MARGIN)
        small = F.interpolate(padded, size, mode="bicubic", antialias=True, align_corners=False)
        small = small[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
        return (small.clamp(0, 1) * 255).round() / 255


def _pad_symmetrically(images: Tensor, margin: int) -> Tensor:
    """Continue images beyond their borders by their mirror images, as ``imresize`` does."""
    rows, columns = (_mirrored_indices(size, margin, images.device) for size in images.shape[-2:])
    return images[..., rows, :][..., columns]


def _mirrored_indices(size: int, margin: int, device: torch.device) -> Tensor:
    index = torch.arange(-margin, size + margin, device=device).remainder(2 * size)
    return torch.minimum(index, 2 * size - 1 - index)


class JPEGCompression(nn.Module):
    """Save images as JPEG and read them again, each with a random quality.

    Args:
        lowest: Lowest quality, from 1.
        highest: Highest quality, to 100.
        chroma_subsampling: Whether half of the images are saved with chroma of half the height and width.

    Raises:
        ImgcolorError: If the qualities are out of range.
    """

    def __init__(self, lowest: int = 35, highest: int = 96, chroma_subsampling: bool = True) -> None:
        super().__init__()
        if not 1 <= lowest <= highest <= 100:
            raise ImgcolorError(
                f"lowest and highest: expected 1 <= lowest <= highest <= 100 (qualities), found {lowest} and {highest}"
            )
        self.lowest = lowest
        self.highest = highest
        self.chroma_subsampling = chroma_subsampling

    def forward(self, images: Tensor) -> Tensor:
        """Compress a batch; float [B, 3, H, W] in [0, 1], in and out."""
        levels = (images * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        qualities = torch.randint(self.lowest, self.highest + 1, (len(levels),)).tolist()
        subsampled = (torch.rand(len(levels)) < 0.5).tolist()
        compressed = [
            _through_jpeg(image, quality, 2 if half and self.chroma_subsampling else 0)
            for image, quality, half in zip(levels, qualities, subsampled, strict=True)
        ]
        return torch.from_numpy(np.stack(compressed)).permute(0, 3, 1, 2).to(images.device).float() / 255


def _through_jpeg(image: np.ndarray, quality: int, subsampling: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(buffer).convert("RGB"))

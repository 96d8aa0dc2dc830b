"""Photos as people have them: any size, grey or colour, with or without alpha, 8 or 16 bits, turned by EXIF."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from imgcolor.data.image_files import MAX_PIXELS, decode
from imgcolor.data.image_io import deep_grey
from imgcolor.utils.errors import ImgcolorError

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
"""Endings of files that are written, with Pillow's names."""


@dataclass(frozen=True, eq=False)
class Photo:
    """An image with what a network does not see.

    Attributes:
        pixels: Float [1 or 3, H, W] in [0, 1].
        alpha: Pillow's alpha channel, or None.
    """

    pixels: Tensor
    alpha: Image.Image | None = None

    @classmethod
    def from_image(cls, image: Image.Image) -> "Photo":
        """A photo of a Pillow image of any mode but ``F``.

        Raises:
            ImgcolorError: If the image holds floating-point values, values beyond 16 bits, or no pixel.
        """
        if 0 in image.size:
            raise ImgcolorError(f"image: expected at least one pixel, found {image.width}x{image.height}")
        deep = deep_grey(image)
        if deep is not None:
            return cls(torch.from_numpy(deep.astype(np.float32) / 65535)[None])
        alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
        image = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
        pixels = torch.from_numpy(np.array(image)).float().div_(255)
        return cls(pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1), alpha)

    @classmethod
    def read(cls, path: Path, most: int = MAX_PIXELS, formats: tuple[str, ...] | None = None) -> "Photo":
        """A photo from a file. Pillow may warn of odd files: see :func:`imgcolor.data.image_files.quiet_pillow`.

        Args:
            path: The file.
            most: The number of pixels up to which it is decoded.
            formats: Pillow's names of the kinds of files that are opened; all that it knows by default.

        Raises:
            ImgcolorError: If the file is missing, damaged, no image, of another kind, or has more pixels.
        """
        return decode(path, cls.from_image, most, formats)

    def with_pixels(self, pixels: Tensor) -> "Photo":
        """The same photo with other pixels, float [1 or 3, H, W] in [0, 1]; alpha is brought to their size."""
        size = (pixels.shape[-1], pixels.shape[-2])
        alpha = self.alpha
        if alpha is not None and alpha.size != size:
            alpha = alpha.resize(size, Image.Resampling.BICUBIC)
        return replace(self, pixels=pixels, alpha=alpha)

    def within(self, pixels: int) -> "Photo":
        """The same photo, made smaller where it has more pixels than that; its shape stays as it is."""
        height, width = self.pixels.shape[-2:]
        factor = (pixels / (height * width)) ** 0.5
        if factor >= 1:
            return self
        # A line, whose height or width is at its least already, becomes as much shorter along the other.
        height = max(1, int(height * factor))
        width = max(1, min(int(width * factor), pixels // height))
        height = max(1, min(height, pixels // width))
        small = F.interpolate(self.pixels[None], (height, width), mode="bilinear", antialias=True)
        return self.with_pixels(small[0].clamp(0, 1))

    def to_image(self) -> Image.Image:
        """A Pillow image of mode ``L``, ``RGB``, ``LA`` or ``RGBA``, 8 bits a channel."""
        levels = (self.pixels * 255).round_().to(torch.uint8).cpu()
        image = Image.fromarray(levels[0].numpy() if len(levels) == 1 else levels.permute(1, 2, 0).numpy())
        if self.alpha is not None:
            image.putalpha(self.alpha)
        return image

"""A photo in memory: its pixels as a tensor, its alpha channel, and the metadata of its file."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from imgcolor.data.image_files import MAX_PIXELS, WRITABLE_FORMATS, decode, print_note
from imgcolor.data.image_io import grey_16_bit, on_white
from imgcolor.pipelines.metadata import Metadata
from imgcolor.pipelines.sixteen_bit_files import SIXTEEN_BIT_FORMATS, encode_16_bit, read_16_bit
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import atomic_write

_ENCODER_OPTIONS: dict[str, dict[str, Any]] = {
    # A third of the time of Pillow's default for coloured photos of 256×256, in files of about the same size.
    "PNG": {"compress_level": 2},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_lzw"},
}


@dataclass(frozen=True, eq=False)
class Photo:
    """The pixels of an image for a network, and the alpha channel, which the network does not see.

    Attributes:
        pixels: Float [1 or 3, H, W] in [0, 1].
        alpha: Pillow's alpha channel, or None.
        bits: Bits per channel of the file, 8 or 16; the result is written with as many where its format can hold them.
        metadata: The metadata of the file, which the result gets too.
    """

    pixels: Tensor
    alpha: Image.Image | None = None
    bits: int = 8
    metadata: Metadata = field(default_factory=Metadata)

    @classmethod
    def from_image(cls, image: Image.Image, note: Callable[[str], None] = lambda _: None) -> "Photo":
        """Convert a Pillow image of any mode but ``F``. EXIF rotation and colour profile are not applied.

        Args:
            image: The image.
            note: Called with a message without the path if a part cannot be used.

        Raises:
            ImgcolorError: If the image holds floating-point values or values above 16 bits, or has no pixels.
        """
        if 0 in image.size:
            raise ImgcolorError(f"image: expected at least one pixel, found {image.width}x{image.height}")
        levels = grey_16_bit(image)
        if levels is not None:
            pixels = torch.from_numpy(levels.astype(np.float32) / 65535)[None]
            return cls(pixels, bits=16, metadata=Metadata.from_image(image, note))
        alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
        image = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
        values = torch.from_numpy(np.array(image))
        values = values[None] if values.ndim == 2 else values.permute(2, 0, 1)
        pixels = values.contiguous().float().div_(255)
        return cls(pixels, alpha, metadata=Metadata.from_image(image, note))

    @classmethod
    def read(
        cls,
        path: Path,
        max_pixels: int = MAX_PIXELS,
        formats: tuple[str, ...] | None = None,
        page: int | None = None,
    ) -> "Photo":
        """Read an image file, with EXIF rotation and colour profile applied.

        One line on stderr names what is not used, such as a damaged profile.

        Use it inside :func:`~imgcolor.data.image_files.quiet_pillow` to hide Pillow's warnings.

        Args:
            path: The file.
            max_pixels: Files with more pixels are refused before they are decoded.
            formats: Pillow's names of the accepted formats; all that it reads by default.
            page: The page of a TIFF file, from 0. None takes the first.

        Raises:
            ImgcolorError: If the file is missing, damaged, not an image, not in an accepted format, or too large.
        """
        note = partial(print_note, path)
        photo = decode(path, partial(cls.from_image, note=note), max_pixels, formats, page=page)
        # Pillow reads 16-bit RGB as 8-bit RGB, and 16-bit grey with alpha as 8-bit RGBA.
        levels = read_16_bit(path, page or 0, note) if len(photo.pixels) == 3 else None
        if levels is None:
            return photo
        pixels = torch.from_numpy(levels.astype(np.float32) / 65535).permute(2, 0, 1)
        return replace(photo, pixels=pixels, bits=16)

    def with_pixels(self, pixels: Tensor) -> "Photo":
        """Return this photo with other pixels, float [1 or 3, H, W] in [0, 1]; alpha is resized to fit."""
        size = (pixels.shape[-1], pixels.shape[-2])
        alpha = self.alpha
        if alpha is not None and alpha.size != size:
            alpha = alpha.resize(size, Image.Resampling.BICUBIC)
        return replace(self, pixels=pixels, alpha=alpha)

    def shrink_to(self, max_pixels: int) -> "Photo":
        """Return this photo, made smaller if it has more pixels than `max_pixels`; the aspect ratio is kept."""
        height, width = self.pixels.shape[-2:]
        factor = (max_pixels / (height * width)) ** 0.5
        if factor >= 1:
            return self
        # For very long images, one side stays at 1 pixel, and the other must become shorter.
        height = max(1, int(height * factor))
        width = max(1, min(int(width * factor), max_pixels // height))
        height = max(1, min(height, max_pixels // width))
        small = F.interpolate(self.pixels[None], (height, width), mode="bilinear", antialias=True)
        return self.with_pixels(small[0].clamp(0, 1))

    def to_image(self) -> Image.Image:
        """Return a Pillow image of mode ``L``, ``RGB``, ``LA`` or ``RGBA``, with 8 bits per channel."""
        levels = (self.pixels * 255).round_().to(torch.uint8).cpu()
        image = Image.fromarray(levels[0].numpy() if len(levels) == 1 else levels.permute(1, 2, 0).numpy())
        if self.alpha is not None:
            image.putalpha(self.alpha)
        return image


def save_photo(photo: Photo, path: Path) -> None:
    """Write a photo in the format of the file's extension; a file of that name is replaced.

    JPEG has no alpha channel, so transparent photos are put on white there. Photos of 16 bits keep them in PNG and TIFF
    files. One line on stderr names what the format cannot hold.

    Args:
        photo: The photo.
        path: The file. Its extension is one of :data:`~imgcolor.data.image_files.WRITABLE_FORMATS`.

    Raises:
        ImgcolorError: If the file cannot be written.
        OSError: If the format cannot hold the image, such as a JPEG of 65,536 columns.
        ValueError: Likewise.
    """
    kind = WRITABLE_FORMATS[path.suffix.lower()]
    note = partial(print_note, path)
    if photo.bits == 16 and kind in SIXTEEN_BIT_FORMATS:
        atomic_write(path, encode_16_bit(_sixteen_bit_levels(photo), kind, photo.metadata, note))
        return
    if photo.bits == 16:
        note(f"has 8 bits per channel, and the photo 16, because {kind} cannot hold more; PNG and TIFF can")
    save_image(photo.to_image(), path, **photo.metadata.options(kind, len(photo.pixels) == 1, note))


def save_image(image: Image.Image, path: Path, **options: Any) -> None:
    """Write a Pillow image in the format of the file's extension; see :func:`save_photo`.

    Args:
        image: An image of mode ``L``, ``RGB``, ``LA`` or ``RGBA``.
        path: The file.
        **options: Further options of Pillow's ``save``.

    Raises:
        ImgcolorError: See :func:`save_photo`.
        OSError: Likewise.
        ValueError: Likewise.
    """
    kind = WRITABLE_FORMATS[path.suffix.lower()]
    if kind == "JPEG":
        image = on_white(image)
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **(_ENCODER_OPTIONS[kind] | options))
    atomic_write(path, buffer.getvalue())


def _sixteen_bit_levels(photo: Photo) -> np.ndarray:
    """Return the pixels and alpha of a photo as uint16 [H, W, channels]."""
    levels = (photo.pixels * 65535).round_().cpu().numpy().astype(np.uint16).transpose(1, 2, 0)
    if photo.alpha is None:
        return levels
    return np.dstack([levels, np.asarray(photo.alpha, np.uint16) * 257])

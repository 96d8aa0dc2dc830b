"""Draw labelled grids of images, comparisons and palettes. Values are never normalised."""

import io
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from imgcolor.utils.files import atomic_write

_GAP = 2
_LABEL = 22
"""Height of a line of text with space around it."""

_MARGIN = 8
_COLUMN_GAP = 4
_GROUP_GAP = 24
_INK = (32, 32, 32)
_PALE_INK = (96, 96, 96)
_PAPER = (255, 255, 255)


def image_grid(rows: Mapping[str, Tensor], cell: int = 96) -> Image.Image:
    """Draw images in labelled rows, one image per column.

    Args:
        rows: Label to float images [B, 1 or 3, h, w] in [0, 1] (values outside are clamped). Rows may differ in
            size: all images are resized to the largest height and width, without interpolation.
        cell: Height and width that images have at least; smaller images are enlarged by a whole factor.

    Returns:
        An RGB image.
    """
    height = max(images.shape[-2] for images in rows.values())
    width = max(images.shape[-1] for images in rows.values())
    factor = max(1, math.ceil(cell / min(height, width)))
    height, width = height * factor, width * factor
    columns = max(len(images) for images in rows.values())
    font = ImageFont.load_default(size=14)
    margin = max(math.ceil(font.getlength(label)) for label in rows) + 12
    size = (margin + columns * (width + _GAP), len(rows) * (height + _GAP))
    canvas = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(canvas)
    for row, (label, images) in enumerate(rows.items()):
        top = row * (height + _GAP)
        draw.text((4, top + height // 2), label, fill=_INK, font=font, anchor="lm")
        for column, image in enumerate(images):
            scaled = to_image(image).resize((width, height), Image.Resampling.NEAREST)
            canvas.paste(scaled, (margin + column * (width + _GAP), top))
    return canvas


def side_by_side(*images: Tensor) -> Image.Image:
    """Put images of one size next to each other in a row, without labels.

    Args:
        *images: Float [1 or 3, H, W] in [0, 1] (values outside are clamped), or uint8.

    Returns:
        An RGB image of height H, with two white columns between images.
    """
    parts = [to_image(image) for image in images]
    width, height = parts[0].size
    canvas = Image.new("RGB", (len(parts) * (width + _GAP) - _GAP, height), _PAPER)
    for column, part in enumerate(parts):
        canvas.paste(part, (column * (width + _GAP), 0))
    return canvas


def comparison_sheet(groups: Mapping[str, Mapping[str, Image.Image]], width: int = 2000) -> Image.Image:
    """Draw groups of images in a grid, with a caption above each image and the name of the group below.

    Args:
        groups: Name to caption to image, of any sizes; the beginning of a long name is left out.
        width: Width up to which groups are placed next to each other.

    Returns:
        An RGB image. All groups have one width, and each row of groups has the height of its highest image.
    """
    font, small = ImageFont.load_default(size=14), ImageFont.load_default(size=12)
    widths = {
        name: [max(image.width, math.ceil(small.getlength(caption))) for caption, image in images.items()]
        for name, images in groups.items()
    }
    group = max(sum(columns) + (len(columns) - 1) * _COLUMN_GAP for columns in widths.values())
    across = min(len(groups), max(1, (width + _GROUP_GAP) // (group + _GROUP_GAP)))
    named = list(groups.items())
    lines = [named[start : start + across] for start in range(0, len(named), across)]
    heights = [
        max(image.height for _, images in line for image in images.values()) + 2 * _LABEL for line in lines
    ]
    size = (
        2 * _MARGIN + across * (group + _GROUP_GAP) - _GROUP_GAP,
        2 * _MARGIN + sum(heights) + (len(lines) - 1) * _GROUP_GAP,
    )
    canvas = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(canvas)
    top = _MARGIN
    for line, height in zip(lines, heights, strict=True):
        for number, (name, images) in enumerate(line):
            left = _MARGIN + number * (group + _GROUP_GAP)
            start = left
            for (caption, image), column in zip(images.items(), widths[name], strict=True):
                draw.text((start, top + _LABEL // 2), caption, fill=_PALE_INK, font=small, anchor="lm")
                canvas.paste(image, (start, top + _LABEL))
                start += column + _COLUMN_GAP
            bottom = top + _LABEL + max(image.height for image in images.values())
            label = name.encode(errors="replace").decode()  # a file name may contain bytes that are no text
            while font.getlength(label) > group and len(label) > 2:
                label = f"…{label[2:]}"
            draw.text((left, bottom + _LABEL // 2), label, fill=_INK, font=font, anchor="lm")
        top += height + _GROUP_GAP
    return canvas


def to_image(image: Tensor) -> Image.Image:
    """Convert a tensor to a Pillow image.

    Args:
        image: Float [1 or 3, H, W] in [0, 1] (values outside are clamped), or uint8.

    Returns:
        An RGB image of W x H pixels; floats are rounded to the nearest of 256 levels.
    """
    if image.dtype != torch.uint8:
        image = image.detach().float().clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(image.expand(3, -1, -1).permute(1, 2, 0).contiguous().cpu().numpy())


def draw_palette(colours: Tensor, columns: int = 8, cell: int = 72) -> Image.Image:
    """Draw a palette as numbered squares.

    Args:
        colours: Float [k, 3] in [0, 1].
        columns: Number of squares in a row.
        cell: Width and height of a square in pixels.

    Returns:
        An RGB image; each square shows its number and its colour in hexadecimal.
    """
    columns = min(columns, len(colours))
    rows = math.ceil(len(colours) / columns)
    canvas = Image.new("RGB", (columns * cell, rows * cell), _PAPER)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=13)
    for number, colour in enumerate(colours.mul(255).round().int().tolist()):
        left, top = number % columns * cell, number // columns * cell
        draw.rectangle((left, top, left + cell - 1, top + cell - 1), fill=tuple(colour))
        ink = _PAPER if sum(colour) < 3 * 128 else _INK
        text = f"{number}\n#{bytes(colour).hex()}"
        draw.text((left + cell / 2, top + cell / 2), text, fill=ink, font=font, anchor="mm", align="center")
    return canvas


def save_image(image: Image.Image, path: Path) -> None:
    """Write a PNG file, and create its folder if needed. An interrupted write leaves no partial file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    atomic_write(path, buffer.getvalue())

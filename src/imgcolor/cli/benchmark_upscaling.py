"""Measure a model that enlarges on sets of images."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from imgcolor.cli.benchmark_common import (
    Row,
    as_rgb,
    describe_time,
    mean,
    read_pixels,
    rounded,
    time_per_pixel,
    timed,
    with_progress,
    write_result,
)
from imgcolor.cli.benchmark_sets import BenchmarkSet, Entry
from imgcolor.cli.published import published_images, published_values
from imgcolor.data.image_files import image_size
from imgcolor.metrics.luma_quality import luma_psnr, luma_ssim
from imgcolor.pipelines import Upscaler
from imgcolor.pipelines.photo import Photo
from imgcolor.pretrained import cards
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.text import count_of

_SSIM_WINDOW = 11


def benchmark_upscaler(
    upscaler: Upscaler, sets: Sequence[BenchmarkSet], quality: int | None, output: Path | None
) -> list[Row]:
    """Measure a model on sets, and print a table for each.

    Args:
        upscaler: The model.
        sets: The sets.
        quality: Quality of JPEG through which the low-resolution images go; None: they do not.
        output: A folder for the results.

    Returns:
        The values of each image.

    Raises:
        ImgcolorError: If the sizes of a set do not fit the scale factor.
    """
    cut = {images.name: _check_sizes(upscaler, images) for images in sets}
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 110
    rows: list[Row] = []
    upscaler.upscale_batch(_small(upscaler, sets[0].entries[0], quality)[None])  # the first run is slower
    for images in sets:
        measured: list[Row] = []
        for entry in with_progress(images):
            row, large = _measure(upscaler, entry, quality)
            measured.append({"set": images.name, "image": entry.name, **row})
            if output is not None:
                write_result(output, images.name, entry.name, large)
        _print_table(console, upscaler, images, measured, quality, cut[images.name])
        rows += measured
    border = upscaler.scale_factor
    print(f"PSNR and SSIM on the luma of BT.601 (16 to 235) of 8-bit results, without {border} pixels at each border; "
          "means over images.")  # fmt: skip
    print(describe_time("the low-resolution image"))
    return rows


def _check_sizes(upscaler: Upscaler, images: BenchmarkSet) -> int:
    """Refuse images whose sizes do not fit; return how many originals must be cut to a multiple."""
    scale_factor = upscaler.scale_factor
    smallest = _SSIM_WINDOW + 2 * scale_factor
    cut = 0
    for entry in images.entries:
        width, height = image_size(entry.original)
        if min(height, width) - min(height, width) % scale_factor < smallest:
            raise ImgcolorError(
                f"{entry.original}: expected at least {smallest}×{smallest} pixels, for SSIM without a border, found "
                f"{width}×{height}"
            )
        cut += bool(height % scale_factor or width % scale_factor)
        if entry.degraded is None:
            continue
        found = image_size(entry.degraded)
        expected = (width // scale_factor, height // scale_factor)
        if found != expected:
            raise ImgcolorError(
                f"{entry.degraded}: expected {expected[0]}×{expected[1]} pixels for {upscaler.name}, which has the "
                f"scale factor {scale_factor}, and an original of {width}×{height}, found {found[0]}×{found[1]}; "
                "choose a set or a model of another scale factor"
            )
    return cut


def _original(upscaler: Upscaler, entry: Entry) -> Tensor:
    pixels = read_pixels(entry.original)
    height, width = (side - side % upscaler.scale_factor for side in pixels.shape[1:])
    return pixels[:, :height, :width]


def _small(upscaler: Upscaler, entry: Entry, quality: int | None) -> Tensor:
    """Return the low-resolution image: float [1 or 3, h, w] in [0, 1], in whole levels."""
    if entry.degraded is None:
        small = rounded(upscaler.degradation(_original(upscaler, entry)[None])[0])
    else:
        small = read_pixels(entry.degraded)
    if quality is None:
        return small
    buffer = io.BytesIO()
    Photo(small).to_image().save(buffer, "JPEG", quality=quality)
    return Photo.from_image(Image.open(buffer)).pixels


def _measure(upscaler: Upscaler, entry: Entry, quality: int | None) -> tuple[Row, Tensor]:
    """Return the values of an image, and the result of the model."""
    original, small = _original(upscaler, entry), _small(upscaler, entry, quality)
    large, columns = timed(upscaler.upscale_batch, small)
    large = rounded(large)
    bicubic = _bicubic(small, upscaler.scale_factor)
    border = upscaler.scale_factor
    return {
        "psnr_y": float(luma_psnr(as_rgb(large), as_rgb(original), border)),
        "ssim_y": float(luma_ssim(as_rgb(large), as_rgb(original), border)),
        "bicubic_psnr_y": float(luma_psnr(as_rgb(bicubic), as_rgb(original), border)),
        "bicubic_ssim_y": float(luma_ssim(as_rgb(bicubic), as_rgb(original), border)),
        **columns,
    }, large


def _bicubic(small: Tensor, scale_factor: int) -> Tensor:
    image = Photo(small).to_image()
    size = (image.width * scale_factor, image.height * scale_factor)
    return Photo.from_image(image.resize(size, Image.Resampling.BICUBIC)).pixels


def _print_table(
    console: Console,
    upscaler: Upscaler,
    images: BenchmarkSet,
    rows: Sequence[Row],
    quality: int | None,
    cut: int,
) -> None:
    scale_factor = upscaler.scale_factor
    made_by = type(upscaler.degradation).__name__
    origin = "the set's own LR/ files" if images.has_own_files else f"made from HR/ by {made_by}"
    jpeg = "" if quality is None else f", saved as JPEG of quality {quality}"
    print(
        f"{images.name} ×{scale_factor}: {count_of(len(rows), 'image')}; low-resolution images: {origin}{jpeg}"
    )
    if cut:
        print(f"  originals cut to a multiple of {scale_factor} pixels: {cut}")
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for column in ("PSNR (dB)", "SSIM", "µs per pixel"):
        table.add_column(column, justify="right")
    for column in ("training images", "published in"):
        table.add_column(column)
    table.add_row(
        "bicubic (Pillow)", f"{mean(rows, 'bicubic_psnr_y'):.2f}", f"{mean(rows, 'bicubic_ssim_y'):.4f}"
    )
    card = cards().get(upscaler.name)
    table.add_row(
        f"{upscaler.name}, self-ensemble" if upscaler.self_ensemble else upscaler.name,
        f"{mean(rows, 'psnr_y'):.2f}",
        f"{mean(rows, 'ssim_y'):.4f}",
        time_per_pixel(rows),
        card.data if card else "",
    )
    reason = _why_not_comparable(images, quality)
    published = published_values(images.name, scale_factor)
    for value in [] if reason else published:
        table.add_row(value.method, f"{value.psnr:.2f}", "", "", value.training, value.source)
    console.print(table)
    if published and reason:
        print(f"  published values left out: {reason}")
    print()


def _why_not_comparable(images: BenchmarkSet, quality: int | None) -> str | None:
    """Return why published values do not hold for these images, or None if they do."""
    count = published_images(images.name)
    if not images.has_own_files:
        return "they hold for the set's own LR/ files"
    if quality is not None:
        return "they hold for low-resolution images without JPEG"
    if len(images.entries) != count:
        return f"they hold for the {count} images of the whole set"
    return None

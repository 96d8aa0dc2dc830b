"""What the benchmarks of both tasks share: reading, rounding, time, and writing of results."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.progress import track
from torch import Tensor

from imgcolor.cli.benchmark_sets import BenchmarkSet, Entry
from imgcolor.data.image_files import decode
from imgcolor.data.image_io import to_rgb
from imgcolor.pipelines.photo import Photo, save_photo
from imgcolor.utils.provenance import hardware

Row = dict[str, float | str]
"""The values of one image."""


def read_pixels(path: Path) -> Tensor:
    """Read an image file as 8 bits: float [1 or 3, H, W] in [0, 1]; transparent parts are put on white."""

    def to_tensor(image: Image.Image) -> Tensor:
        return Photo.from_image(image if image.mode in ("1", "L") else to_rgb(image)).pixels

    return decode(path, to_tensor)


def rounded(pixels: Tensor) -> Tensor:
    """Round pixels in [0, 1] to 8 bits, as a file would be."""
    return (pixels.clamp(0, 1) * 255).round().div(255)


def as_rgb(pixels: Tensor) -> Tensor:
    """Return [1 or 3, H, W] as a batch of RGB images, [1, 3, H, W]."""
    return pixels.expand(3, -1, -1)[None]


def timed(run: Callable[[Tensor], Tensor], pixels: Tensor) -> tuple[Tensor, Row]:
    """Apply a function of batches to one image.

    Args:
        run: The function.
        pixels: [C, H, W].

    Returns:
        The result, [C', H', W'], and the columns for the number of pixels and for the wall time and the processor time
        in seconds.
    """
    start, processor_start = time.perf_counter(), time.process_time()
    result = run(pixels[None])[0]
    seconds, processor_seconds = time.perf_counter() - start, time.process_time() - processor_start
    return result, {
        "pixels": pixels.shape[1] * pixels.shape[2],
        "seconds": round(seconds, 6),
        "processor_seconds": round(processor_seconds, 6),
    }


def time_per_pixel(rows: Sequence[Mapping[str, float | str]]) -> str:
    """Return the processor time in µs per input pixel over all images, as text."""
    seconds = sum(float(row["processor_seconds"]) for row in rows)
    return f"{1e6 * seconds / sum(float(row['pixels']) for row in rows):.3g}"


def mean(rows: Sequence[Mapping[str, float | str]], name: str) -> float:
    """Return the mean of a value over images."""
    return statistics.fmean(float(row[name]) for row in rows)


def describe_time(image: str) -> str:
    """Return a line that says what was timed on which hardware; `image` is the one whose pixels are counted."""
    return f"Time per pixel of {image}: processor time of the model alone, {hardware()}."


def write_result(output: Path, set_name: str, image: str, pixels: Tensor) -> None:
    """Write a result as OUTPUT/SET/IMAGE.png."""
    save_photo(Photo(pixels), output / set_name / f"{image}.png")


def with_progress(images: BenchmarkSet) -> Iterator[Entry]:
    """Yield the images of a set, with a progress bar if stderr is a terminal."""
    console = Console(stderr=True)
    hidden = not console.is_terminal
    yield from track(images.entries, images.name, console=console, transient=True, disable=hidden)

"""Measure a model that colourizes on sets of images."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from torch import Tensor

from imgcolor.cli.benchmark_common import (
    Row,
    as_rgb,
    describe_time,
    read_pixels,
    rounded,
    time_per_pixel,
    timed,
    with_progress,
    write_result,
)
from imgcolor.cli.benchmark_sets import BenchmarkSet, Entry
from imgcolor.cli.folder_scores import summary
from imgcolor.data.image_files import image_size
from imgcolor.metrics.scores import image_scores
from imgcolor.pipelines import Colourizer
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.text import count_of

_LEFT_GREY = "grey_"
"""Start of the columns with the values of the grey image."""

_OF_THE_ORIGINAL = ("delta_e_grey", "colourfulness_original")
"""Values that do not depend on the result."""


def benchmark_colourizer(
    colourizer: Colourizer, sets: Sequence[BenchmarkSet], output: Path | None
) -> list[Row]:
    """Measure a model on sets, and print a table for each.

    Args:
        colourizer: The model.
        sets: The sets.
        output: A folder for the results.

    Returns:
        The values of each image.

    Raises:
        ImgcolorError: If a grey image and its original differ in size.
    """
    for images in sets:
        for entry in images.entries:
            _check_sizes(entry)
    rows: list[Row] = []
    colourizer.colourize_batch(_grey(colourizer, sets[0].entries[0])[None])  # the first run is slower
    for images in sets:
        measured: list[Row] = []
        for entry in with_progress(images):
            row, coloured = _measure(colourizer, entry)
            measured.append({"set": images.name, "image": entry.name, **row})
            if output is not None:
                write_result(output, images.name, entry.name, coloured)
        _print_table(colourizer, images, measured)
        rows += measured
    print("The metrics are those of `imgcolor evaluate`, of 8-bit results.")
    print(describe_time("the image"))
    return rows


def _check_sizes(entry: Entry) -> None:
    if entry.degraded is None:
        return
    expected, found = (image_size(file) for file in (entry.original, entry.degraded))
    if found != expected:
        raise ImgcolorError(
            f"{entry.degraded}: expected the size of its original, {expected[0]}×{expected[1]}, found "
            f"{found[0]}×{found[1]}"
        )


def _grey(colourizer: Colourizer, entry: Entry) -> Tensor:
    """Return the grey image: float [1, H, W] in [0, 1], in whole levels."""
    pixels = read_pixels(entry.degraded or entry.original)
    return rounded(colourizer.to_grey(pixels[None])[0])


def _measure(colourizer: Colourizer, entry: Entry) -> tuple[Row, Tensor]:
    """Return the values of an image, and the result of the model."""
    grey = _grey(colourizer, entry)
    original = as_rgb(read_pixels(entry.original))[0]
    coloured, columns = timed(colourizer.colourize_batch, grey)
    coloured = rounded(coloured)
    left_grey = image_scores(as_rgb(grey)[0], original)
    return {
        **image_scores(coloured, original),
        **{_LEFT_GREY + name: value for name, value in left_grey.items() if name not in _OF_THE_ORIGINAL},
        **columns,
    }, coloured


def _print_table(colourizer: Colourizer, images: BenchmarkSet, rows: Sequence[Row]) -> None:
    made_by = type(colourizer.degradation).__name__
    origin = "the set's own grey/ files" if images.has_own_files else f"made from the photos by {made_by}"
    print(f"{images.name}: {count_of(len(rows), 'image')}; grey images: {origin}")
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for column in ("left grey", colourizer.name):
        table.add_column(column, justify="right")
    grey = summary([{name: row.get(_LEFT_GREY + name, row[name]) for name in row} for row in rows])
    for (name, value), left_grey in zip(summary(rows).items(), grey.values(), strict=True):
        table.add_row(name, left_grey, value)
    table.add_row("µs per pixel", "", time_per_pixel(rows))
    Console(width=100, highlight=False).print(table)
    print()

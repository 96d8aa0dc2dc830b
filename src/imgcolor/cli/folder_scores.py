"""Compare a folder of images with a folder of their originals."""

import math
import os
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from imgcolor.cli.image_pairs import image_pairs
from imgcolor.data.image_files import decode, quiet_pillow
from imgcolor.data.image_io import to_rgb
from imgcolor.metrics.scores import image_scores
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import write_rows
from imgcolor.utils.text import count_of


def compare_folders(originals: Path, results: Path, output: Path | None = None) -> None:
    """Score every image of a folder against the original of the same name, and print a table.

    Files belong together if their paths within the folders are equal but for the extension.

    Args:
        originals: The folder of the original images.
        results: The folder of the images to score.
        output: A CSV file for the scores of each image.

    Raises:
        ImgcolorError: If a folder is missing or empty, no names match, or two images differ in size.
    """
    pairs = image_pairs(originals, results)
    threads = torch.get_num_threads()
    # One image per thread: on small images, threads inside each of the many operations take longer than they save.
    pool = ThreadPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,))
    try:
        with quiet_pillow():
            console = Console(stderr=True)
            found = pool.map(_score, pairs)
            rows = list(track(found, "Scoring", len(pairs), console=console, transient=True))
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C, do not score the other images
        torch.set_num_threads(threads)
    if output is not None:
        write_rows(output, rows)
    Console(width=100).print(_table(f"{count_of(len(rows), 'image')} of {results} against {originals}", rows))
    if output is not None:
        print(f"  scores of each image  {output}")


def _score(pair: tuple[str, Path, Path]) -> dict[str, float | str]:
    """Return the name and the scores of one image."""
    name, original, result = pair
    first, second = _read(original), _read(result)
    if first.shape != second.shape:
        raise ImgcolorError(
            f"{result}: expected the size of its original, {first.shape[2]}×{first.shape[1]}, found "
            f"{second.shape[2]}×{second.shape[1]}"
        )
    return {"image": name, **image_scores(second, first)}


def _read(path: Path) -> torch.Tensor:
    def to_tensor(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(to_rgb(image))).permute(2, 0, 1).float().div(255)

    return decode(path, to_tensor)


def _table(title: str, rows: Sequence[dict[str, float | str]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, show_header=False)
    for name, value in summary(rows).items():
        table.add_row(name, value)
    return table


def summary(rows: Sequence[Mapping[str, float | str]]) -> dict[str, str]:
    """Return the means over images of :func:`~imgcolor.metrics.image_scores`: name to value, as text."""

    def mean(name: str) -> float:
        return statistics.fmean(float(row[name]) for row in rows)

    # An image that equals its original has an infinite PSNR.
    finite = [float(row["psnr"]) for row in rows if float(row["psnr"]) != math.inf]
    psnr = statistics.fmean(finite) if finite else math.inf
    equal = len(rows) - len(finite)
    without = f", without {equal} equal to the original" if equal and finite else ""
    mse = torch.tensor(mean("mse"), dtype=torch.float64)
    return {
        f"PSNR, mean over images{without} (dB)": f"{psnr:.2f}",
        "PSNR of the mean squared error (dB)": f"{float(-10 * torch.log10(mse)):.2f}",
        "SSIM": f"{mean('ssim'):.4f}",
        "CIEDE2000, mean": f"{mean('delta_e'):.2f}",
        "CIEDE2000 of the original's grey": f"{mean('delta_e_grey'):.2f}",
        "images closer than their grey": f"{mean('closer_than_grey'):.1%}",
        "12-margin accuracy": f"{mean('margin12'):.4f}",
        "colourfulness": f"{mean('colourfulness'):.1f}",
        "colourfulness of the originals": f"{mean('colourfulness_original'):.1f}",
    }

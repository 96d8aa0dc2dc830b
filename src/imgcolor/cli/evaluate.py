"""imgcolor evaluate: compare images with their originals."""

import os
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgcolor.cli.options import CommandParser, UsageError
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.text import count_of

if TYPE_CHECKING:
    from torch import Tensor


def add_arguments(parser: CommandParser) -> None:
    """Declare the arguments of ``imgcolor evaluate``."""
    parser.description = (
        "Compare a folder of images with the folder of their originals: PSNR, SSIM, CIEDE2000, 12-margin accuracy, "
        "colourfulness. With three arguments: the margin accuracy of an array of images, as the face homework "
        "measures it."
    )
    parser.usage = (
        f"{parser.prog} ORIGINALS RESULTS [--output CSV]\n"
        f"       {parser.prog} ESTIMATIONS NAMES ORIGINALS [--margin N]"
    )
    parser.example = "imgcolor evaluate photos coloured --output scores.csv"
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="two folders; or a .npy file of uint8 [N, H, W, 3] from `imgcolor predict`, a text file with the "
        "name of each image, one per line, and the folder of the originals",
    )
    parser.add_argument(
        "--output", type=Path, metavar="CSV", help="for two folders: a file for the scores of each image"
    )
    parser.add_argument(
        "--margin",
        type=int,
        help="for an array: a value is right if its error is below so many levels of 255 (default: 12)",
    )


def run(arguments: Namespace) -> None:
    """Compare two folders, or an array of images with a folder.

    Raises:
        ImgcolorError: If a file is missing or has another form, or two images differ in size.
    """
    paths: list[Path] = arguments.paths
    if len(paths) == 2 and arguments.margin is not None:
        raise UsageError(
            "--margin: expected three paths, found two folders, whose table has the 12-margin accuracy"
        )
    if len(paths) == 3 and arguments.output is not None:
        raise UsageError("--output: expected two folders, found three paths")
    if len(paths) == 2:
        from imgcolor.cli.folder_scores import compare_folders

        compare_folders(paths[0], paths[1], arguments.output)
    elif len(paths) == 3:
        margin = 12 if arguments.margin is None else arguments.margin
        _score_array(paths[0], paths[1], paths[2], margin)
    else:
        raise UsageError(
            f"evaluate: expected ORIGINALS RESULTS, or ESTIMATIONS NAMES ORIGINALS, found {len(paths)} paths"
        )


def _score_array(estimations: Path, names: Path, root: Path, margin: int) -> None:
    predicted = _estimations(estimations)
    try:
        lines = map(os.fsdecode, names.read_bytes().splitlines())
    except OSError as error:
        raise ImgcolorError(f"{names}: expected a text file with one name per line ({error})") from error
    listed = [line for line in lines if line]
    if len(listed) != len(predicted):
        raise ImgcolorError(
            f"{names}: expected a name for each of the {len(predicted)} images in {estimations}, "
            f"found {len(listed)}"
        )
    import torch
    from rich.console import Console
    from rich.progress import track

    from imgcolor.metrics import MarginAccuracy

    metric = MarginAccuracy(margin)
    for name, image in zip(
        track(listed, console=Console(stderr=True), transient=True), predicted, strict=True
    ):
        original = _original(root / name, image.shape[:2])
        metric.update(torch.from_numpy(image.copy()).permute(2, 0, 1)[None], original[None])
    accuracy = float(metric.compute())
    print(
        f"{count_of(len(listed), 'image')}: {margin}-margin accuracy {accuracy:.4f}, error {1 - accuracy:.4f}"
    )


def _estimations(path: Path) -> np.ndarray:
    try:
        # Mapped, so that a large file need not fit into memory; no pickles, so that it cannot run code.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # what a damaged header makes NumPy raise is nearly anything
        raise ImgcolorError(f"{path}: expected a NumPy file of uint8 [N, H, W, 3] ({error})") from error
    if (
        not isinstance(array, np.ndarray)
        or array.dtype != np.uint8
        or array.ndim != 4
        or array.shape[-1] != 3
    ):
        found = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "several arrays"
        raise ImgcolorError(f"{path}: expected uint8 [N, H, W, 3], found {found}")
    if len(array) == 0:
        raise ImgcolorError(f"{path}: expected at least one image, found none")
    return array


def _original(path: Path, shape: tuple[int, ...]) -> "Tensor":
    """Return the true image, uint8 [3, H, W]."""
    from imgcolor.data.image_files import image_size, quiet_pillow
    from imgcolor.data.image_io import read_image

    with quiet_pillow():
        found = image_size(path)[::-1]
    if found != shape or found[0] != found[1]:
        raise ImgcolorError(
            f"{path}: expected a square image of {list(shape)} pixels as its estimation, found {found}"
        )
    return read_image(path, found[0])

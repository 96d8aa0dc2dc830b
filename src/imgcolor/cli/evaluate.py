"""imgcolor evaluate: score predicted images as the face homework does."""

import os
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgcolor.cli.options import CommandParser
from imgcolor.utils.errors import ImgcolorError

if TYPE_CHECKING:
    from torch import Tensor


def add_arguments(parser: CommandParser) -> None:
    """Declare the arguments of ``imgcolor evaluate``."""
    parser.description = "Measure predicted images by their margin accuracy, averaged over the images."
    parser.example = "imgcolor evaluate out/estimations.npy out/names.txt faces/val"
    parser.add_argument(
        "estimations",
        type=Path,
        metavar="ESTIMATIONS",
        help="a .npy file of uint8 [N, H, W, 3], such as `imgcolor predict` writes",
    )
    parser.add_argument(
        "names", type=Path, metavar="NAMES", help="a text file with the name of each image, one per line"
    )
    parser.add_argument("root", type=Path, metavar="ROOT", help="the folder of the true images")
    parser.add_argument(
        "--margin",
        type=int,
        default=12,
        help="a value is right if its error is below so many levels of 255 (default: %(default)s)",
    )


def run(arguments: Namespace) -> None:
    """Compare the predicted images with the true ones.

    Raises:
        ImgcolorError: If a file is missing or has another form, or a true image has another size.
    """
    estimations, names, root, margin = (
        arguments.estimations,
        arguments.names,
        arguments.root,
        arguments.margin,
    )
    predicted = _estimations(estimations)
    try:
        lines = map(os.fsdecode, names.read_bytes().splitlines())
    except OSError as error:
        raise ImgcolorError(f"{names}: expected a text file with a name a line ({error})") from error
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
        truth = _truth(root / name, image.shape[:2])
        metric.update(torch.from_numpy(image.copy()).permute(2, 0, 1)[None], truth[None])
    accuracy = float(metric.compute())
    print(f"{len(listed)} images: {margin}-margin accuracy {accuracy:.4f}, error {1 - accuracy:.4f}")


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


def _truth(path: Path, shape: tuple[int, ...]) -> "Tensor":
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

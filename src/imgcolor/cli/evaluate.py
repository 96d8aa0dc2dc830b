"""imgcolor evaluate: score predicted images as the face homework does."""

import os
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from imgcolor.data.image_files import image_size, quiet_pillow
from imgcolor.data.image_io import read_image
from imgcolor.metrics import MarginAccuracy
from imgcolor.utils.errors import ImgcolorError


def evaluate(estimations: Path, names: Path, root: Path, margin: int = 12) -> None:
    """Score predicted images by their margin accuracy, averaged over images.

    Args:
        estimations: A .npy file of uint8 [N, H, W, 3], such as `imgcolor predict` writes.
        names: A text file with the name of each image, one a line, in the same order.
        root: The folder that the names lead on from, with the true images.
        margin: What a difference of levels must stay below.

    Raises:
        ImgcolorError: If a file is missing or of another form, or a true image is of another size.
    """
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


def _truth(path: Path, shape: tuple[int, ...]) -> torch.Tensor:
    with quiet_pillow():
        found = image_size(path)[::-1]
    if found != shape or found[0] != found[1]:
        raise ImgcolorError(
            f"{path}: expected a square image of {list(shape)} pixels as its estimation, found {found}"
        )
    return read_image(path, found[0])

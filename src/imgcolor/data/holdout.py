"""Hold out a part of the training images for validation."""

import numpy as np
import torch

from imgcolor.data import disk_cache
from imgcolor.data.sources.base import ImageSet
from imgcolor.utils.errors import ImgcolorError


def split_holdout(images: ImageSet, fraction: float) -> tuple[ImageSet, ImageSet]:
    """Split training images into those that are trained on and those that are held out.

    The split is the same in every run. Both parts keep the order of the images.

    Args:
        images: The training images.
        fraction: Fraction that is held out, in (0, 1).

    Returns:
        The images to train on, and the held-out images.

    Raises:
        ImgcolorError: If a part would be empty, or the memory does not suffice for a copy of the images.
    """
    count = round(fraction * len(images))
    if not 0 < count < len(images):
        raise ImgcolorError(
            f"data.holdout: expected a fraction that leaves images in both parts, found {fraction} of "
            f"{len(images)} training images"
        )
    if images.pixels.nbytes > disk_cache.free_memory():
        raise ImgcolorError(
            f"data.holdout: expected {images.pixels.nbytes / 2**30:.2f} GiB of free memory for a copy of the "
            "training images, found less; move the images to hold out into the val/ of another folder, or use a "
            "smaller data.size"
        )
    order = np.random.default_rng(0).permutation(len(images))
    train, holdout = np.sort(order[count:]), np.sort(order[:count])
    return _select(images, train), _select(images, holdout)


def _select(images: ImageSet, indices: np.ndarray) -> ImageSet:
    chosen = torch.from_numpy(indices)
    groups = None if images.groups is None else images.groups[chosen]
    return ImageSet(images.pixels[chosen], tuple(images.names[index] for index in indices), groups)

"""Drawn images."""

from collections.abc import Callable

import torch

from imgcolor.data.sources.base import ImageSet, Split
from imgcolor.utils.errors import check_positive


class SyntheticSource:
    """Drawn images, which depend only on the seed; no files and no download."""

    def __init__(
        self,
        draw: Callable[[int, int, int], torch.Tensor],
        size: int,
        train_images: int = 2000,
        val_images: int = 500,
        seed: int = 0,
    ) -> None:
        """Choose the drawing function; nothing is drawn yet.

        Args:
            draw: Function of count, size and seed that returns uint8 [count, 3, size, size].
            size: Height and width of the images.
            train_images: Number of images of ``train``.
            val_images: Number of images of ``val`` and of ``test``.
            seed: Seed of all splits.

        Raises:
            ImgcolorError: If ``size`` or a number of images is below 1.
        """
        check_positive("image size", size)
        check_positive("train_images", train_images)
        check_positive("val_images", val_images)
        self.draw = draw
        self.size = size
        self.counts: dict[Split, int] = {"train": train_images, "val": val_images, "test": val_images}
        self.seed = seed

    def load(self, split: Split) -> ImageSet:
        """Draw the images of a split, named ``train_00000``, ``train_00001`` and so on.

        Returns:
            uint8 [N, 3, size, size].

        Raises:
            ImgcolorError: If ``draw`` returns another number of images, or another type.
        """
        count = self.counts[split]
        # Three seeds per source, so that no split has the images of another split or of the next seed.
        pixels = self.draw(count, self.size, 3 * self.seed + list(self.counts).index(split))
        return ImageSet(pixels, tuple(f"{split}_{index:05d}" for index in range(count)))

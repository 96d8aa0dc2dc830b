"""Images that are read in chunks during training, from a folder or a URL."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from imgcolor.data.sources.base import ImageSet, Split
from imgcolor.utils.errors import ImgcolorError, check_positive, one_line_error

if TYPE_CHECKING:
    from imgcolor.data.streaming import ImageChunks, StreamLoader

_SAMPLE_BYTES = 100_000_000
"""Bytes of the training images that stay in memory, to fit palettes and lookup tables to."""


class StreamSource:
    """Images in chunks, in ``ROOT/train``, ``ROOT/val`` and, if it exists, ``ROOT/test``.

    ``imgcolor stream`` or :func:`~imgcolor.data.stream_writer.write_stream` makes them. Training images are read while
    the network trains, and take the same memory for any number of images. The images of the other splits must fit
    in memory.

    Args:
        root: A folder, or the URL of one: ``s3://``, ``gs://``, ``azure://``, ``r2://``, ``hf://``, ``https://``.
        size: Height and width of the images in pixels.

    Raises:
        ImgcolorError: If ``size`` is below 1.
    """

    def __init__(self, root: Path | str, size: int) -> None:
        check_positive("image size", size)
        self.root = str(root) if "://" in str(root) else str(Path(root).expanduser())
        self.size = size

    def load(self, split: Split) -> ImageSet:
        """Read the images of a split, of ``train`` only a sample of at most 100 MB.

        ``test`` is ``val`` if there is no ``test``.

        Returns:
            uint8 [N, 3, size, size], named as by the source from whose images the stream was made.

        Raises:
            ImgcolorError: If litdata is missing, there is no stream, or its images have another size.
        """
        limit = math.ceil(_SAMPLE_BYTES / (3 * self.size**2)) if split == "train" else 2**63
        try:
            chunks = self._chunks(split)
        except ImgcolorError:
            if split != "test":
                raise
            chunks = self._chunks("val")
        names, pixels = chunks.read(limit)
        if pixels.shape[1:] != (3, self.size, self.size):
            raise one_line_error(
                f"{chunks.place}: expected images of {self.size}×{self.size} pixels, as --data.size, found "
                f"{pixels.shape[-1]}×{pixels.shape[-2]}; set --data.size, or make the stream again"
            )
        return ImageSet(pixels, tuple(names))

    def training_loader(
        self, batch_size: int, shuffle: bool, seed: int, workers: int, epoch: Callable[[], int]
    ) -> "StreamLoader":
        """Return the batches of all training images; see :class:`~imgcolor.data.streaming.StreamLoader`."""
        return self._chunks("train").loader(batch_size, shuffle, seed, workers, epoch)

    def _chunks(self, split: Split) -> "ImageChunks":
        try:
            from imgcolor.data.streaming import ImageChunks
        except ImportError as error:
            raise ImgcolorError(
                f"data.source stream: needs litdata, found none ({error}); install it with pip install "
                "'imgcolor[stream]'"
            ) from error
        return ImageChunks(f"{self.root.rstrip('/')}/{split}")

"""The DataModule of faces."""

from pathlib import Path
from typing import Literal

from torch import nn

from imgcolor.data.datamodule import ImageDataModule
from imgcolor.data.degradations import LumaGrey
from imgcolor.data.sources import (
    FolderSource,
    ImageSource,
    LFWSource,
    SyntheticSource,
)
from imgcolor.data.sources.drawn_faces import draw_faces
from imgcolor.utils.errors import ImgcolorError


class FaceColourizationDataModule(ImageDataModule):
    """Faces whose grey is Pillow's luma: the CENG 483 homework's task.

    Args:
        source: ``folder`` (``ROOT/train/**``, ``ROOT/val/**`` and, where there is one, ``ROOT/test/**``),
            ``lfw`` (Labeled Faces in the Wild, placed by hand), ``synthetic`` (drawn faces; nothing to
            download), or, in Python, any object with ``load(split) -> ImageSet``.
        root: The folder of the images.
        size: Height and width; images of another size are resized and centre-cropped.
        train_images: Number of drawn training images.
        val_images: Number of drawn validation images.
        batch_size: Images a training batch.
        eval_batch_size: Images a batch of validation, test and prediction; no result depends on it.
        seed: Decides the order of training images, epoch by epoch. None takes the run's own seed
            (``seed_everything``), or 0 where there is none.
        shuffle: Whether training images come in a new order every epoch. A fixed order makes the loss fall
            smoothly from epoch to epoch, which a rule that compares epochs needs (``EpsilonPatience``).
        augmentation: A module from uint8 [B, 3, H, W] to the same that changes training images, such as
            :class:`~imgcolor.data.FlipAndShift`.
        holdout: Share of the training images, in [0, 1), that a fit validates on in place of the validation
            images and does not train on. The same images in every run; choose settings by them, and the
            validation images stay untouched.
        memory_limit: GiB that the images of a folder's split may take in memory; more are decoded once into a
            file in the cache (``XDG_CACHE_HOME``), and read from there. Half of the free memory by default.

    Raises:
        ImgcolorError: If an argument is out of range, or the source's name is unknown.
    """

    def __init__(
        self,
        source: Literal["lfw", "folder", "synthetic"] | ImageSource = "synthetic",
        root: Path = Path("data"),
        size: int = 80,
        train_images: int = 1000,
        val_images: int = 250,
        batch_size: int = 16,
        eval_batch_size: int = 100,
        seed: int | None = None,
        shuffle: bool = True,
        augmentation: nn.Module | None = None,
        holdout: float = 0.0,
        memory_limit: float | None = None,
    ) -> None:
        if source == "lfw":
            source = LFWSource(root, size)
        elif source == "folder":
            source = FolderSource(root, size, memory_limit)
        elif source == "synthetic":
            source = SyntheticSource(draw_faces, size, train_images, val_images)
        elif isinstance(source, str):
            raise ImgcolorError(f"data.source: expected lfw, folder or synthetic, found {source!r}")
        super().__init__(
            source, LumaGrey(), batch_size, eval_batch_size, seed, shuffle, augmentation, holdout
        )

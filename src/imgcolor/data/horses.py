"""DataModules of horses: colourization and super-resolution."""

from pathlib import Path
from typing import Literal

from torch import nn

from imgcolor.data.datamodule import ImageDataModule
from imgcolor.data.degradations import BoxDownsample, MeanGrey
from imgcolor.data.sources import (
    Cifar10Source,
    FolderSource,
    ImageSource,
    SyntheticSource,
)
from imgcolor.data.sources.drawn_horses import draw_horses
from imgcolor.utils.errors import ImgcolorError


class HorseColourizationDataModule(ImageDataModule):
    """Small colour images whose grey is the plain mean of R, G and B: the CSC2516 assignment's task.

    Args:
        source: ``cifar10`` (one category of CIFAR-10, downloaded where it is missing), ``folder``
            (``ROOT/train/**``, ``ROOT/val/**`` and, where there is one, ``ROOT/test/**``), ``synthetic``
            (drawn horses; nothing to download), or, in Python, any object with ``load(split) -> ImageSet``.
        root: The folder of the images; where CIFAR-10 is downloaded to.
        category: Which of CIFAR-10's ten categories.
        size: Height and width; images of another size are resized and centre-cropped. CIFAR-10's is 32.
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
        ImgcolorError: If an argument is out of range, or the source's name or category is unknown.
    """

    def __init__(
        self,
        source: Literal["cifar10", "folder", "synthetic"] | ImageSource = "synthetic",
        root: Path = Path("data"),
        category: str = "horse",
        size: int = 32,
        train_images: int = 2000,
        val_images: int = 500,
        batch_size: int = 100,
        eval_batch_size: int = 250,
        seed: int | None = None,
        shuffle: bool = True,
        augmentation: nn.Module | None = None,
        holdout: float = 0.0,
        memory_limit: float | None = None,
    ) -> None:
        images = _horse_source(source, root, category, size, train_images, val_images, memory_limit)
        super().__init__(
            images, MeanGrey(), batch_size, eval_batch_size, seed, shuffle, augmentation, holdout
        )


class HorseSuperResolutionDataModule(ImageDataModule):
    """Small colour images of which a network sees the means of square blocks: the assignment's problem D.

    Args:
        scale_factor: Height and width of a block: 4 makes 8×8 of 32×32.
        source: ``cifar10`` (one category of CIFAR-10, downloaded where it is missing), ``folder``
            (``ROOT/train/**``, ``ROOT/val/**`` and, where there is one, ``ROOT/test/**``), ``synthetic``
            (drawn horses; nothing to download), or, in Python, any object with ``load(split) -> ImageSet``.
        root: The folder of the images; where CIFAR-10 is downloaded to.
        category: Which of CIFAR-10's ten categories.
        size: Height and width; images of another size are resized and centre-cropped. CIFAR-10's is 32.
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
        ImgcolorError: If an argument is out of range, ``size`` is no multiple of ``scale_factor``, or the source's
            name or category is unknown.
    """

    def __init__(
        self,
        scale_factor: int = 4,
        source: Literal["cifar10", "folder", "synthetic"] | ImageSource = "synthetic",
        root: Path = Path("data"),
        category: str = "horse",
        size: int = 32,
        train_images: int = 2000,
        val_images: int = 500,
        batch_size: int = 100,
        eval_batch_size: int = 250,
        seed: int | None = None,
        shuffle: bool = True,
        augmentation: nn.Module | None = None,
        holdout: float = 0.0,
        memory_limit: float | None = None,
    ) -> None:
        degradation = BoxDownsample(scale_factor)
        if size % scale_factor:
            raise ImgcolorError(
                f"data.size: expected a multiple of the scale_factor {scale_factor}, found {size}"
            )
        images = _horse_source(source, root, category, size, train_images, val_images, memory_limit)
        super().__init__(
            images, degradation, batch_size, eval_batch_size, seed, shuffle, augmentation, holdout
        )


def _horse_source(
    source: str | ImageSource,
    root: Path,
    category: str,
    size: int,
    train_images: int,
    val_images: int,
    memory_limit: float | None,
) -> ImageSource:
    if source == "cifar10":
        if size != 32:
            raise ImgcolorError(f"data.size: expected 32 with the source cifar10, found {size}; leave it out")
        return Cifar10Source(root, category)
    if source == "folder":
        return FolderSource(root, size, memory_limit)
    if source == "synthetic":
        return SyntheticSource(draw_horses, size, train_images, val_images)
    if isinstance(source, str):
        raise ImgcolorError(f"data.source: expected cifar10, folder or synthetic, found {source!r}")
    return source

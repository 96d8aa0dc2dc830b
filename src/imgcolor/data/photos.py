"""DataModules for photos: colourization and super-resolution."""

from pathlib import Path
from typing import Any, Literal

from torch import nn

from imgcolor.data.augmentations import RandomSquareCrop
from imgcolor.data.datamodule import ImageDataModule
from imgcolor.data.degradations import LumaGrey
from imgcolor.data.photo_degradations import BicubicDownsample
from imgcolor.data.sources import (
    FolderSource,
    ImageSource,
    MixedFolderSource,
    PhotoPatchSource,
    SyntheticSource,
    draw_horses,
)
from imgcolor.utils.errors import ImgcolorError


class PhotoColourizationDataModule(ImageDataModule):
    """Grey photos (Pillow's luma) and their originals, from one folder or a mix.

    Args:
        source: ``folder`` (``ROOT/train/**``, ``ROOT/val/**`` and, if it exists, ``ROOT/test/**``, for ``root``
            or each of ``roots``), ``stream`` (chunks, see :class:`~imgcolor.data.StreamSource`), ``synthetic`` (drawn
            horses, no download), or, in Python, an object with ``load(split) -> ImageSet``.
        roots: Folders that are mixed, in place of ``root``.
        weights: How often training images of each of the ``roots`` are used, in relation to each other: with 9
            and 1, nine of ten images of an epoch are from the first folder. By default all images are used
            equally often. Validation uses each image once.
        **kwargs: See :class:`ImageDataModule`.

    Raises:
        ImgcolorError: See :class:`ImageDataModule`; also if there is not one weight for each of the ``roots``.
    """

    def __init__(
        self,
        source: Literal["folder", "stream", "synthetic"] | ImageSource = "folder",
        roots: list[Path] | None = None,
        weights: list[float] | None = None,
        *,
        size: int = 64,
        batch_size: int = 64,
        **kwargs: Any,
    ) -> None:
        if weights is not None and len(weights) != len(roots or []):
            raise ImgcolorError(
                f"data.weights: expected one number for each of the {len(roots or [])} folders in data.roots, found "
                f"{len(weights)}"
            )
        if roots and source != "folder":
            raise ImgcolorError(
                f"data.roots: expected the source folder with several folders, found {source}"
            )
        self.roots = roots
        self.weights = weights
        super().__init__(source, LumaGrey(), size=size, batch_size=batch_size, **kwargs)

    def make_source(self, name: str) -> ImageSource:
        """Return the source ``folder`` or ``synthetic``."""
        if name == "folder" and self.roots:
            return MixedFolderSource(self.roots, self.size, self.memory_limit)
        if name == "folder":
            return FolderSource(self.root, self.size, self.memory_limit)
        if name == "synthetic":
            return SyntheticSource(draw_horses, self.size, self.train_images, self.val_images)
        raise ImgcolorError(f"data.source: expected folder, stream or synthetic, found {name!r}")

    def group_weights(self) -> list[float] | None:
        """Return the weights of the folders."""
        return self.weights


class PhotoSuperResolutionDataModule(ImageDataModule):
    """Low-resolution photos (bicubic, antialiased) and their originals.

    The photos are cut into patches of ``size`` × ``size`` pixels, which overlap by half in training. Each step
    trains on a random crop of each patch in one of its eight flips and rotations. Validation uses whole patches.

    For photos as cameras and websites save them, pass ``variations``, such as
    :class:`~imgcolor.data.JPEGCompression`, ``torchvision.transforms.v2.GaussianNoise`` or ``GaussianBlur``: they
    change the low-resolution crops in training.

    Args:
        source: ``folder`` (``ROOT/train/**``, ``ROOT/val/**`` and, if it exists, ``ROOT/test/**``), ``stream`` (chunks,
            see :class:`~imgcolor.data.StreamSource`), ``synthetic`` (drawn horses, no download), or, in Python, an
            object with ``load(split) -> ImageSet``.
        scale_factor: Ratio of the size of the original to the size of the low-resolution image.
        crop_size: Height and width of the training crops in pixels of the original; at most ``size``. Not used with
            another ``augmentation``.
        scales: Factors by which the training photos are resized; see :class:`~imgcolor.data.PhotoPatchSource`.
        size: Height and width of the patches in pixels.
        **kwargs: See :class:`ImageDataModule`.

    Raises:
        ImgcolorError: See :class:`ImageDataModule`; also if ``size`` or ``crop_size`` is not a multiple of
            ``scale_factor``, or ``crop_size`` is larger than ``size``.
    """

    def __init__(
        self,
        source: Literal["folder", "stream", "synthetic"] | ImageSource = "folder",
        scale_factor: int = 4,
        crop_size: int = 96,
        scales: list[float] | None = None,
        *,
        size: int = 144,
        batch_size: int = 16,
        augmentation: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        degradation = BicubicDownsample(scale_factor)
        for name, value in (("size", size), ("crop_size", crop_size)):
            if value % scale_factor:
                raise ImgcolorError(
                    f"data.{name}: expected a multiple of the scale_factor {scale_factor}, found {value}"
                )
        if crop_size > size:
            raise ImgcolorError(f"data.crop_size: expected at most data.size, {size}, found {crop_size}")
        self.crop_size = crop_size
        self.scales = scales or [1.0]
        augmentation = RandomSquareCrop(crop_size) if augmentation is None else augmentation
        super().__init__(
            source, degradation, size=size, batch_size=batch_size, augmentation=augmentation, **kwargs
        )

    def make_source(self, name: str) -> ImageSource:
        """Return the source ``folder`` or ``synthetic``."""
        if name == "folder":
            return PhotoPatchSource(self.root, self.size, self.scales, self.memory_limit)
        if name == "synthetic":
            return SyntheticSource(draw_horses, self.size, self.train_images, self.val_images)
        raise ImgcolorError(f"data.source: expected folder, stream or synthetic, found {name!r}")

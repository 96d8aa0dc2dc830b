"""DataModules for horses: colourization and super-resolution."""

from typing import Any, Literal

from torch import nn

from imgcolor.data.datamodule import ImageDataModule
from imgcolor.data.degradations import BoxDownsample, MeanGrey
from imgcolor.data.sources import Cifar10Source, FolderSource, ImageSource, SyntheticSource, draw_horses
from imgcolor.utils.errors import ImgcolorError


class _HorseDataModule(ImageDataModule):
    """Images of horses with any degradation.

    Args:
        degradation: See :class:`ImageDataModule`.
        source: ``cifar10`` (one category of CIFAR-10, downloaded to ``root`` if it is not there), ``folder``
            (``ROOT/train/**``, ``ROOT/val/**`` and, if it exists, ``ROOT/test/**``), ``stream`` (chunks, see
            :class:`~imgcolor.data.StreamSource`), ``synthetic`` (drawn horses, no download), or, in Python, an object
            with ``load(split) -> ImageSet``.
        category: Category of CIFAR-10.
        **kwargs: See :class:`ImageDataModule`.
    """

    def __init__(
        self,
        degradation: nn.Module,
        source: Literal["cifar10", "folder", "stream", "synthetic"] | ImageSource = "synthetic",
        category: str = "horse",
        **kwargs: Any,
    ) -> None:
        self.category = category
        super().__init__(source, degradation, **kwargs)

    def make_source(self, name: str) -> ImageSource:
        """Return the source ``cifar10``, ``folder`` or ``synthetic``."""
        if name == "cifar10":
            if self.size != 32:
                raise ImgcolorError(
                    f"data.size: expected 32 with the source cifar10, found {self.size}; leave it out"
                )
            return Cifar10Source(self.root, self.category)
        if name == "folder":
            return FolderSource(self.root, self.size, self.memory_limit)
        if name == "synthetic":
            return SyntheticSource(draw_horses, self.size, self.train_images, self.val_images)
        raise ImgcolorError(f"data.source: expected cifar10, folder, stream or synthetic, found {name!r}")


class HorseColourizationDataModule(_HorseDataModule):
    """Horses in grey, the plain mean of red, green and blue: the task of the CSC2516 assignment.

    Args:
        **kwargs: See :class:`ImageDataModule`; also ``source`` and ``category``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(MeanGrey(), **kwargs)


class HorseSuperResolutionDataModule(_HorseDataModule):
    """Horses at a low resolution, the means of square blocks: problem D of the assignment.

    Args:
        scale_factor: Height and width of a block in pixels: 4 makes 8×8 images from 32×32 ones.
        **kwargs: See :class:`ImageDataModule`; also ``source`` and ``category``.

    Raises:
        ImgcolorError: See :class:`ImageDataModule`; also if ``size`` is not a multiple of ``scale_factor``.
    """

    def __init__(self, scale_factor: int = 4, **kwargs: Any) -> None:
        super().__init__(BoxDownsample(scale_factor), **kwargs)
        if self.size % scale_factor:
            raise ImgcolorError(
                f"data.size: expected a multiple of the scale_factor {scale_factor}, found {self.size}"
            )

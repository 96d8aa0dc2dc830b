"""DataModule for faces: colourization."""

from typing import Any, Literal

from imgcolor.data.datamodule import ImageDataModule
from imgcolor.data.degradations import LumaGrey
from imgcolor.data.sources import FolderSource, ImageSource, LFWSource, SyntheticSource, draw_faces
from imgcolor.utils.errors import ImgcolorError


class FaceColourizationDataModule(ImageDataModule):
    """Faces in grey, Pillow's luma: the task of the CENG 483 homework.

    Args:
        source: ``folder`` (``ROOT/train/**``, ``ROOT/val/**`` and, if it exists, ``ROOT/test/**``), ``lfw``
            (Labeled Faces in the Wild, which you place in ``ROOT/lfw-py``), ``stream`` (chunks, see
            :class:`~imgcolor.data.StreamSource`), ``synthetic`` (drawn faces, no download), or, in Python, an object
            with ``load(split) -> ImageSet``.
        size: Height and width of the images in pixels.
        train_images: Training images of the source ``synthetic``.
        val_images: Validation images of the source ``synthetic``.
        batch_size: Images per training batch.
        eval_batch_size: Images per batch of validation, test and prediction.
        **kwargs: See :class:`ImageDataModule`, which also explains the arguments from ``size`` on.
    """

    def __init__(
        self,
        source: Literal["lfw", "folder", "stream", "synthetic"] | ImageSource = "synthetic",
        size: int = 80,
        train_images: int = 1000,
        val_images: int = 250,
        batch_size: int = 16,
        eval_batch_size: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            source,
            LumaGrey(),
            size=size,
            train_images=train_images,
            val_images=val_images,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            **kwargs,
        )

    def make_source(self, name: str) -> ImageSource:
        """Return the source ``lfw``, ``folder`` or ``synthetic``."""
        if name == "lfw":
            return LFWSource(self.root, self.size)
        if name == "folder":
            return FolderSource(self.root, self.size, self.memory_limit)
        if name == "synthetic":
            return SyntheticSource(draw_faces, self.size, self.train_images, self.val_images)
        raise ImgcolorError(f"data.source: expected lfw, folder, stream or synthetic, found {name!r}")

"""Where pixels come from, and what a batch holds."""

from imgcolor.data.augmentations import FlipAndShift
from imgcolor.data.batch import Batch
from imgcolor.data.datamodule import ImageDataModule
from imgcolor.data.degradations import BoxDownsample, LumaGrey, MeanGrey
from imgcolor.data.faces import FaceColourizationDataModule
from imgcolor.data.horses import HorseColourizationDataModule, HorseSuperResolutionDataModule
from imgcolor.data.sources import (
    Cifar10Source,
    FolderSource,
    ImageSet,
    ImageSource,
    LFWSource,
    SyntheticSource,
)

__all__ = [
    "Batch",
    "BoxDownsample",
    "Cifar10Source",
    "FaceColourizationDataModule",
    "FlipAndShift",
    "FolderSource",
    "HorseColourizationDataModule",
    "HorseSuperResolutionDataModule",
    "ImageDataModule",
    "ImageSet",
    "ImageSource",
    "LFWSource",
    "LumaGrey",
    "MeanGrey",
    "SyntheticSource",
]

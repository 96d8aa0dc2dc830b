"""Where pixels come from, and what a batch holds."""

from imgcolor.data.batch import Batch
from imgcolor.data.datamodules import HorseColourization, ImageDataModule
from imgcolor.data.degradations import MeanGrey
from imgcolor.data.sources import Cifar10Source, FolderSource, ImageSet, ImageSource, SyntheticSource

__all__ = [
    "Batch",
    "Cifar10Source",
    "FolderSource",
    "HorseColourization",
    "ImageDataModule",
    "ImageSet",
    "ImageSource",
    "MeanGrey",
    "SyntheticSource",
]

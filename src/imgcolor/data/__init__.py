"""DataModules, image sources, degradations and batches.

Names are imported on first use: the DataModules need Lightning, which trained models do without.
"""

from typing import TYPE_CHECKING

from imgcolor.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from imgcolor.data.augmentations import FlipAndShift, RandomSquareCrop
    from imgcolor.data.batch import Batch
    from imgcolor.data.datamodule import ImageDataModule
    from imgcolor.data.degradations import BoxDownsample, LumaGrey, MeanGrey
    from imgcolor.data.faces import FaceColourizationDataModule
    from imgcolor.data.horses import HorseColourizationDataModule, HorseSuperResolutionDataModule
    from imgcolor.data.photo_augmentations import PhotoVariation, RandomPhotoCrop
    from imgcolor.data.photo_degradations import BicubicDownsample, JPEGCompression
    from imgcolor.data.photos import PhotoColourizationDataModule, PhotoSuperResolutionDataModule
    from imgcolor.data.sources import (
        Cifar10Source,
        FolderSource,
        ImageSet,
        ImageSource,
        LFWSource,
        MixedFolderSource,
        PhotoPatchSource,
        StreamSource,
        SyntheticSource,
    )
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "augmentations": ["FlipAndShift", "RandomSquareCrop"],
            "batch": ["Batch"],
            "datamodule": ["ImageDataModule"],
            "degradations": ["BoxDownsample", "LumaGrey", "MeanGrey"],
            "faces": ["FaceColourizationDataModule"],
            "horses": ["HorseColourizationDataModule", "HorseSuperResolutionDataModule"],
            "photo_augmentations": ["PhotoVariation", "RandomPhotoCrop"],
            "photo_degradations": ["BicubicDownsample", "JPEGCompression"],
            "photos": ["PhotoColourizationDataModule", "PhotoSuperResolutionDataModule"],
            "sources": [
                "Cifar10Source",
                "FolderSource",
                "ImageSet",
                "ImageSource",
                "LFWSource",
                "MixedFolderSource",
                "PhotoPatchSource",
                "StreamSource",
                "SyntheticSource",
            ],
        },
    )

__all__ = [
    "Batch",
    "BicubicDownsample",
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
    "JPEGCompression",
    "LFWSource",
    "LumaGrey",
    "MeanGrey",
    "MixedFolderSource",
    "PhotoColourizationDataModule",
    "PhotoPatchSource",
    "PhotoSuperResolutionDataModule",
    "PhotoVariation",
    "RandomPhotoCrop",
    "RandomSquareCrop",
    "StreamSource",
    "SyntheticSource",
]

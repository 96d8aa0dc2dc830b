"""Sources of images: CIFAR-10, Labeled Faces in the Wild, folders of image files, chunks, drawings.

Names are imported on first use: CIFAR-10 and LFW need torchvision, which the drawings in the demo do without.
"""

from typing import TYPE_CHECKING

from imgcolor.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from imgcolor.data.sources.base import ImageSet, ImageSource, Split
    from imgcolor.data.sources.cifar10 import Cifar10Source
    from imgcolor.data.sources.drawn_faces import draw_faces
    from imgcolor.data.sources.drawn_horses import draw_horses
    from imgcolor.data.sources.folder import FolderSource, MixedFolderSource
    from imgcolor.data.sources.lfw import LFWSource
    from imgcolor.data.sources.photo_patches import PhotoPatchSource
    from imgcolor.data.sources.stream import StreamSource
    from imgcolor.data.sources.synthetic import SyntheticSource
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "base": ["ImageSet", "ImageSource", "Split"],
            "cifar10": ["Cifar10Source"],
            "drawn_faces": ["draw_faces"],
            "drawn_horses": ["draw_horses"],
            "folder": ["FolderSource", "MixedFolderSource"],
            "lfw": ["LFWSource"],
            "photo_patches": ["PhotoPatchSource"],
            "stream": ["StreamSource"],
            "synthetic": ["SyntheticSource"],
        },
    )

__all__ = [
    "Cifar10Source",
    "FolderSource",
    "ImageSet",
    "ImageSource",
    "LFWSource",
    "MixedFolderSource",
    "PhotoPatchSource",
    "Split",
    "StreamSource",
    "SyntheticSource",
    "draw_faces",
    "draw_horses",
]

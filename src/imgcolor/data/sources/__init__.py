"""Sources of images: CIFAR-10, Labeled Faces in the Wild, a folder of image files, or drawings."""

from imgcolor.data.sources.base import ImageSet, ImageSource, Split
from imgcolor.data.sources.cifar10 import Cifar10Source
from imgcolor.data.sources.drawn_faces import draw_faces
from imgcolor.data.sources.drawn_horses import draw_horses
from imgcolor.data.sources.folder import FolderSource
from imgcolor.data.sources.lfw import LFWSource
from imgcolor.data.sources.synthetic import SyntheticSource

__all__ = [
    "Cifar10Source",
    "FolderSource",
    "ImageSet",
    "ImageSource",
    "LFWSource",
    "Split",
    "SyntheticSource",
    "draw_faces",
    "draw_horses",
]

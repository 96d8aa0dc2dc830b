"""Images in one folder or in several."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from imgcolor.data.disk_cache import read_or_map
from imgcolor.data.image_files import cannot_list, image_files
from imgcolor.data.image_io import read_images
from imgcolor.data.sources.base import ImageSet, Split
from imgcolor.utils.errors import check_positive, one_line_error, shorten


class FolderSource:
    """Image files in ``ROOT/train/**``, ``ROOT/val/**`` and, if it exists, ``ROOT/test/**``."""

    def __init__(self, root: Path | str, size: int, memory_limit: float | None = None) -> None:
        """Choose the folder; nothing is read yet.

        Args:
            root: The folder with ``train``, ``val`` and optionally ``test``, each with images at any depth.
            size: Height and width of the images in pixels. Other images are resized and cropped; see
                :func:`~imgcolor.data.image_io.read_image`.
            memory_limit: GiB of memory that the images of a split may take. A larger split is decoded once
                into a file (see :mod:`imgcolor.data.disk_cache`). Half of the free memory by default.

        Raises:
            ImgcolorError: If ``size`` is below 1, or the limit below 0.
        """
        check_positive("image size", size)
        check_memory_limit(memory_limit)
        self.root = Path(root).expanduser()
        self.size = size
        self.memory_limit = memory_limit

    def load(self, split: Split) -> ImageSet:
        """Read all images of a split, in the order of their relative paths.

        ``test`` is ``val`` if there is no folder ``test``, and the root itself if there are no folders of
        splits. All files with an extension that Pillow can read are images, in upper or lower case, except
        hidden ones.

        Returns:
            uint8 [N, 3, size, size], named by the paths relative to the folder of the split, such as
            ``horse/0001.png``.

        Raises:
            ImgcolorError: If a folder is missing or has no images, or an image cannot be read or changes
                while it is read.
        """
        folder, files = split_files(self.root, split)
        pixels = _read(files, split, self.size, self.memory_limit)
        return ImageSet(pixels, _names(files, folder))


class MixedFolderSource:
    """Image files of several folders, each with ``train/**``, ``val/**`` and, if it exists, ``test/**``."""

    def __init__(self, roots: Sequence[Path | str], size: int, memory_limit: float | None = None) -> None:
        """Choose the folders; nothing is read yet.

        Args:
            roots: The folders, each as in :class:`FolderSource`.
            size: Height and width of the images in pixels; see :class:`FolderSource`.
            memory_limit: See :class:`FolderSource`; for the images of all folders together.

        Raises:
            ImgcolorError: If there is no folder, ``size`` is below 1, or the limit below 0.
        """
        if not roots:
            raise one_line_error("data.roots: expected one folder or more, found none")
        self.folders = [FolderSource(root, size, memory_limit) for root in roots]

    def load(self, split: Split) -> ImageSet:
        """Read all images of a split, folder by folder, each as :class:`FolderSource` does.

        Returns:
            uint8 [N, 3, size, size], named by the number of the folder, counted from 0, and the path in the folder of
            the split, such as ``0/horse/0001.png``; the groups are the numbers of the folders.

        Raises:
            ImgcolorError: See :meth:`FolderSource.load`.
        """
        found = [split_files(source.root, split) for source in self.folders]
        files = [file for _, files in found for file in files]
        names = [f"{n}/{name}" for n, (folder, files) in enumerate(found) for name in _names(files, folder)]
        counts = torch.tensor([len(files) for _, files in found])
        groups = torch.repeat_interleave(torch.arange(len(found)), counts)
        first = self.folders[0]
        return ImageSet(_read(files, split, first.size, first.memory_limit), tuple(names), groups)


def check_memory_limit(memory_limit: float | None) -> None:
    """Refuse a limit below 0, or one that is no number."""
    if memory_limit is not None and not memory_limit >= 0:
        raise one_line_error(f"memory_limit: expected 0 or more GiB, found {memory_limit}")


def split_files(root: Path, split: Split) -> tuple[Path, list[Path]]:
    """Return the folder of a split and its image files; see :meth:`FolderSource.load`.

    Raises:
        ImgcolorError: If a folder is missing, cannot be listed or has no images.
    """
    try:
        folder = _split_folder(root, split)
    except OSError as error:
        raise cannot_list(root, error) from error
    return folder, image_files(folder, hint="pass another --data.root")


def _read(files: Sequence[Path], split: Split, size: int, memory_limit: float | None) -> torch.Tensor:
    return read_or_map(files, (3, size, size), partial(read_images, files, what=split), memory_limit)


def _names(files: Sequence[Path], folder: Path) -> tuple[str, ...]:
    return tuple(file.relative_to(folder).as_posix() for file in files)


def _split_folder(root: Path, split: Split) -> Path:
    layout = f"expected image folders {root}/train and {root}/val, and {root}/test if wanted"
    way_out = "arrange the images in this way, or pass another --data.root"
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise one_line_error(f"{root}: {layout}, found {found} at {root}; {way_out}")
    folder = root / split
    if split == "test" and not folder.exists():
        # A folder of photos for prediction needs no folders of splits.
        folder = root / "val" if any((root / name).exists() for name in ("train", "val")) else root
    if not folder.is_dir():
        found = shorten(path.name for path in root.glob("[!.]*") if path.is_dir())
        raise one_line_error(f"{folder} is not a folder: {layout}, found the folders: {found}; {way_out}")
    return folder

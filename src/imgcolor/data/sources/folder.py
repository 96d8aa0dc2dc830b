"""Images in a folder."""

from functools import partial
from pathlib import Path

from imgcolor.data.disk_cache import read_or_map
from imgcolor.data.image_files import cannot_list, image_files, shorten
from imgcolor.data.image_io import read_images
from imgcolor.data.sources.base import ImageSet, Split
from imgcolor.utils.errors import check_positive, one_line_error


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
        if memory_limit is not None and not memory_limit >= 0:
            raise one_line_error(f"memory_limit: expected 0 or more GiB, found {memory_limit}")
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
        try:
            folder = self._folder(split)
        except OSError as error:
            raise cannot_list(self.root, error) from error
        files = image_files(folder, hint="pass another --data.root")
        pixels = read_or_map(
            files, (3, self.size, self.size), partial(read_images, files, what=split), self.memory_limit
        )
        return ImageSet(pixels, tuple(file.relative_to(folder).as_posix() for file in files))

    def _folder(self, split: Split) -> Path:
        root = self.root
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

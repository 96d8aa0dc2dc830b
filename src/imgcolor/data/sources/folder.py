"""Images from a folder of image files."""

from functools import partial
from pathlib import Path

from imgcolor.data.disk_cache import read_or_map
from imgcolor.data.image_files import cannot_list, image_files, shorten
from imgcolor.data.image_io import read_images
from imgcolor.data.sources.base import ImageSet, Split
from imgcolor.utils.errors import check_positive, one_line_error


class FolderSource:
    """Image files in `ROOT/train/**` and `ROOT/val/**`, and in `ROOT/test/**` where there is one."""

    def __init__(self, root: Path | str, size: int, memory_limit: float | None = None) -> None:
        """Name the folder; nothing is read yet.

        Args:
            root: The folder that holds `train`, `val` and perhaps `test`, each with images at any depth.
            size: Height and width of the images it gives; see `read_image` for how others are fitted.
            memory_limit: GiB that the images of a split may take in memory; more are kept in a file on disk, which
                is made once (see :mod:`imgcolor.data.disk_cache`). Half of the free memory by default.

        Raises:
            ImgcolorError: `size` is not at least 1, or the limit is below 0.
        """
        check_positive("image size", size)
        if memory_limit is not None and not memory_limit >= 0:
            raise one_line_error(f"memory_limit: expected 0 or more GiB, found {memory_limit}")
        self.root = Path(root).expanduser()
        self.size = size
        self.memory_limit = memory_limit

    def load(self, split: Split) -> ImageSet:
        """Read every image of a split, sorted by relative path.

        "test" means "val" where there is no test, and the root itself where there is no split at all.

        Files with an ending that Pillow can read count, in upper or lower case, but hidden ones do not.

        Returns:
            uint8 [N, 3, size, size], named by the paths below the split's folder, such as `horse/0001.png`.

        Raises:
            ImgcolorError: The folders are laid out otherwise, hold no image, or an image cannot be read, or
                vanishes or changes meanwhile.
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
        way_out = "lay the images out so or pass another --data.root"
        if not root.is_dir():
            found = "a file" if root.exists() else "nothing"
            raise one_line_error(f"{root}: {layout}, found {found} at {root}; {way_out}")
        folder = root / split
        if split == "test" and not folder.exists():
            # A folder of photos to predict need not be laid out for training.
            folder = root / "val" if any((root / name).exists() for name in ("train", "val")) else root
        if not folder.is_dir():
            found = shorten(path.name for path in root.glob("[!.]*") if path.is_dir())
            raise one_line_error(f"{folder} is no folder: {layout}, found the folders: {found}; {way_out}")
        return folder

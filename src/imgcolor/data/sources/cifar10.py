"""One category of CIFAR-10."""

import contextlib
import http.client
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import check_integrity, download_and_extract_archive

from imgcolor.data.sources.base import ImageSet, Split
from imgcolor.utils.errors import one_line_error, reason_of

CATEGORIES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Cifar10Source:
    """One category of CIFAR-10: the 5,000 training images; val and test are the 1,000 test images."""

    def __init__(self, root: Path | str, category: str = "horse") -> None:
        """Choose the category; nothing is downloaded yet.

        Args:
            root: Folder of ``cifar-10-batches-py`` or ``cifar-10-python.tar.gz``; CIFAR-10 is downloaded to
                it if both are missing.
            category: One of ``CATEGORIES``.

        Raises:
            ImgcolorError: If CIFAR-10 has no such category.
        """
        if category not in CATEGORIES:
            raise one_line_error(
                f"CIFAR-10 category: expected one of {', '.join(CATEGORIES)}, found {category!r}"
            )
        self.root = Path(root).expanduser()
        self.category = category

    def load(self, split: Split) -> ImageSet:
        """Return the images of the category in the official order, named ``horse_0000``, ``horse_0001`` and so on.

        Returns:
            uint8 [N, 3, 32, 32].

        Raises:
            ImgcolorError: If the download fails, or the files in ``root`` are incomplete or changed.
        """
        self.prepare()
        folder = self.root / CIFAR10.base_folder
        try:
            with warnings.catch_warnings():
                # NumPy 2.4.0 to 2.4.4 warn about the pickle format of the official files.
                warnings.filterwarnings("ignore", message=r"dtype\(\): align")
                dataset = CIFAR10(self.root, train=split == "train")
        except (OSError, RuntimeError) as error:
            raise one_line_error(
                f"{folder}: expected the official CIFAR-10 files, found {_cifar10_fault(folder, error)}; "
                "delete the folder to have it downloaded again"
            ) from error
        wanted = np.asarray(dataset.targets) == CATEGORIES.index(self.category)
        # Indexing copies, so the other nine categories are freed with the data set.
        pixels = torch.from_numpy(dataset.data[wanted]).permute(0, 3, 1, 2).contiguous()
        return ImageSet(pixels, tuple(f"{self.category}_{index:04d}" for index in range(len(pixels))))

    def prepare(self) -> None:
        """Unpack CIFAR-10 in ``root``, from an archive there or a download. On errors nothing is left there.

        Raises:
            ImgcolorError: If the download fails, or the archive in ``root`` is incomplete or another file.
        """
        folder = self.root / CIFAR10.base_folder
        archive = self.root / CIFAR10.filename
        new_root = False
        try:
            if folder.exists():
                return
            new_root = not self.root.exists()
            self.root.mkdir(parents=True, exist_ok=True)
            by_hand = archive.exists()
            if by_hand and not check_integrity(archive, CIFAR10.tgz_md5):
                raise one_line_error(
                    f"{archive}: expected the official archive, md5 {CIFAR10.tgz_md5}, found an incomplete "
                    "or another file; replace it, or delete it to have it downloaded"
                )
            with tempfile.TemporaryDirectory(dir=self.root, prefix=".cifar10-") as temporary:
                # torchvision does not download an archive that exists.
                download_root = self.root if by_hand else temporary
                download_and_extract_archive(
                    CIFAR10.url, download_root, temporary, filename=CIFAR10.filename, md5=CIFAR10.tgz_md5
                )
                try:
                    (Path(temporary) / CIFAR10.base_folder).replace(folder)
                except OSError:
                    if not folder.is_dir():  # otherwise another process was faster
                        raise
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            if new_root:
                with contextlib.suppress(OSError):  # not empty
                    self.root.rmdir()
            reason = reason_of(error)
            if type(error) is RuntimeError:  # torchvision raises this only for a wrong md5
                reason = f"the download is incomplete or not the archive with md5 {CIFAR10.tgz_md5}"
            raise one_line_error(
                f"{self.root}: expected CIFAR-10 there or a download of {CIFAR10.url}, found: {reason}; "
                f"copy the archive to {archive} or its content to {folder}, "
                "or use --data.source folder or --data.source synthetic, which need no download"
            ) from error


def _cifar10_fault(folder: Path, error: Exception) -> str:
    if isinstance(error, RuntimeError):  # torchvision does not name the file
        files = [*CIFAR10.train_list, *CIFAR10.test_list, (CIFAR10.meta["filename"], CIFAR10.meta["md5"])]
        for name, md5 in files:
            if not check_integrity(folder / name, md5):
                return f"{name} {'damaged' if (folder / name).exists() else 'missing'}"
    return reason_of(error)

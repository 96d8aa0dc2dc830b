"""Faces of Labeled Faces in the Wild (LFW)."""

from pathlib import Path
from typing import ClassVar, Literal

import torch
from torchvision.datasets import LFWPeople

from imgcolor.data.image_io import read_images
from imgcolor.data.sources.base import ImageSet, Split
from imgcolor.utils.errors import check_positive, one_line_error, reason_of


class LFWSource:
    """Labeled Faces in the Wild: 9,525 training images; val and test are 3,708 images of other people.

    Attributes:
        CROP: Fraction of height and width that is kept around the centre, 150 of 250 pixels: the face without
            most of the background.
    """

    CROP: ClassVar[float] = 150 / 250

    def __init__(
        self,
        root: Path | str,
        size: int,
        image_set: Literal["original", "funneled", "deepfunneled"] = "funneled",
    ) -> None:
        """Choose the folder; nothing is read yet.

        Args:
            root: The folder with ``lfw-py``, in torchvision's layout: the lists ``peopleDevTrain.txt`` and
                ``peopleDevTest.txt``, and the folder of the images.
            size: Height and width of the images in pixels.
            image_set: Alignment of the faces; the folders are ``lfw``, ``lfw_funneled`` and
                ``lfw-deepfunneled``.

        Raises:
            ImgcolorError: If ``size`` is below 1, or the image set is unknown.
        """
        check_positive("image size", size)
        if image_set not in LFWPeople.file_dict:
            expected = ", ".join(LFWPeople.file_dict)
            raise one_line_error(f"LFW image_set: expected one of {expected}, found {image_set!r}")
        self.root = Path(root).expanduser()
        self.size = size
        self.image_set = image_set

    def load(self, split: Split) -> ImageSet:
        """Read the images of all people on the list of a split, in its order.

        The images are cropped to ``CROP`` around the centre and resized with Lanczos.

        Returns:
            uint8 [N, 3, size, size], with names such as ``George_W_Bush/George_W_Bush_0001.jpg``.

        Raises:
            ImgcolorError: If the list or an image is missing or damaged.
        """
        # torchvision's LFWPeople needs the archive of a download that no longer exists, so the list is read
        # here.
        base = self.root / LFWPeople.base_folder
        folder = base / LFWPeople.file_dict[self.image_set][0]
        people = base / f"peopleDev{'Train' if split == 'train' else 'Test'}.txt"
        try:
            names = _lfw_names(people)
            missing = [name for name in names if not (folder / name).exists()]
            if missing:
                raise FileNotFoundError(
                    f"no {folder / missing[0]}, {len(missing):,} of {len(names):,} images missing"
                )
        except (OSError, ValueError) as error:
            raise one_line_error(
                f"{base}: expected Labeled Faces in the Wild: the lists peopleDevTrain.txt and peopleDevTest.txt, and "
                f"the images as {folder}/NAME/NAME_0001.jpg; found {reason_of(error)}. "
                "The data set can no longer be downloaded automatically: copy the two lists and unpack "
                f"{LFWPeople.file_dict[self.image_set][1]} there, pass another --data.root, "
                "or use --data.source folder or --data.source synthetic, which need no download"
            ) from error
        pixels = torch.empty((len(names), 3, self.size, self.size), dtype=torch.uint8)
        read_images([folder / name for name in names], pixels, split, self.CROP)
        return ImageSet(pixels, tuple(names))


def _lfw_names(people: Path) -> list[str]:
    """Return the names of the images of a list: the number of people, then name and number of images of each."""
    if not people.parent.is_dir():
        raise FileNotFoundError(f"no folder {people.parent}")
    if not people.is_file():
        raise FileNotFoundError(f"no file {people}")
    try:
        announced, *entries = people.read_text("utf-8").split()
        count = int(announced)
        persons = list(zip(entries[::2], map(int, entries[1::2]), strict=True))
    except ValueError as error:
        raise ValueError(f"{people} damaged ({error})") from error
    if not persons or count != len(persons):
        raise ValueError(f"{people} damaged ({count} people announced, {len(persons)} listed)")
    # Names have four digits, and a damaged number could otherwise take all memory.
    if not all(1 <= images <= 9999 for _, images in persons):
        raise ValueError(f"{people} damaged (a person without images, or with more than 9,999)")
    return [f"{name}/{name}_{number:04d}.jpg" for name, images in persons for number in range(1, images + 1)]

"""Faces from Labeled Faces in the Wild."""

from pathlib import Path
from typing import ClassVar, Literal

import torch
from torchvision.datasets import LFWPeople

from imgcolor.data.image_io import read_images
from imgcolor.data.sources.base import ImageSet, Split
from imgcolor.utils.errors import check_positive, one_line_error, reason_of


class LFWSource:
    """Labeled Faces in the Wild: 9,525 images to train on; val and test are the 3,708 of other people.

    Attributes:
        CROP: The share of each side that is kept about the centre, 150 of the 250 pixels: the face without
            most of its background.
    """

    CROP: ClassVar[float] = 150 / 250

    def __init__(
        self,
        root: Path | str,
        size: int,
        image_set: Literal["original", "funneled", "deepfunneled"] = "funneled",
    ) -> None:
        """Name the folder; nothing is read yet.

        Args:
            root: The folder that holds `lfw-py`, as torchvision lays it out: the lists `peopleDevTrain.txt`
                and `peopleDevTest.txt`, and the images' folder.
            size: Height and width of the images it gives.
            image_set: How the faces are aligned; their folder is `lfw`, `lfw_funneled` or `lfw-deepfunneled`.

        Raises:
            ImgcolorError: `size` is not at least 1, or there is no such image set.
        """
        check_positive("image size", size)
        if image_set not in LFWPeople.file_dict:
            expected = ", ".join(LFWPeople.file_dict)
            raise one_line_error(f"LFW image_set: expected one of {expected}, found {image_set!r}")
        self.root = Path(root).expanduser()
        self.size = size
        self.image_set = image_set

    def load(self, split: Split) -> ImageSet:
        """Read the images of everybody on a split's list, in its order.

        They are cut to the middle `CROP` and resized with Lanczos, as in `read_image`.

        Returns:
            uint8 [N, 3, size, size], named such as `George_W_Bush/George_W_Bush_0001.jpg`.

        Raises:
            ImgcolorError: The list or an image is missing or damaged.
        """
        # LFWPeople wants the packed archive too, with the md5 of a download that is no longer offered.
        # What it does with the list is little enough to do here, for any copy of the images.
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
                f"{base}: expected Labeled Faces in the Wild, placed by hand: the lists peopleDevTrain.txt and "
                f"peopleDevTest.txt, and the images as {folder}/NAME/NAME_0001.jpg; found {reason_of(error)}. "
                "The data set has no automatic download any more: copy the two lists and unpack "
                f"{LFWPeople.file_dict[self.image_set][1]} there from a copy of it, pass another --data.root, "
                "or use --data.source folder or --data.source synthetic, which need none"
            ) from error
        pixels = torch.empty((len(names), 3, self.size, self.size), dtype=torch.uint8)
        read_images([folder / name for name in names], pixels, split, self.CROP)
        return ImageSet(pixels, tuple(names))


def _lfw_names(people: Path) -> list[str]:
    """Return the images that a list of people stands for: their number, then each one's name and images."""
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
    # Four digits; a list of as many names as any number says would take all memory.
    if not all(1 <= images <= 9999 for _, images in persons):
        raise ValueError(f"{people} damaged (a person without images, or with more than 9,999)")
    return [f"{name}/{name}_{number:04d}.jpg" for name, images in persons for number in range(1, images + 1)]

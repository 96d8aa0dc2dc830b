"""Colour hints: known colours at some places of a photo. Importing this does not import torch."""

import re
from dataclasses import dataclass
from typing import Self

from imgcolor.utils.errors import ImgcolorError


@dataclass(frozen=True)
class Hint:
    """A colour that is known at one place of an image.

    Attributes:
        x: Column in the image as it is shown (after EXIF rotation), from 0 at the left.
        y: Row in the image, from 0 at the top.
        colour: Red, green and blue in 0..255. Only its hue and saturation are used; the luma is that of the image.

    Raises:
        ImgcolorError: If a value is out of range.
    """

    x: int
    y: int
    colour: tuple[int, int, int]

    def __post_init__(self) -> None:
        if self.x < 0 or self.y < 0 or len(self.colour) != 3 or not all(0 <= c <= 255 for c in self.colour):
            raise ImgcolorError(
                f"hint: expected a place from 0,0 on and three values in 0..255, found {self.x},{self.y} and "
                f"{self.colour}"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a hint from text, such as ``120,45,#c08040``.

        Args:
            text: Column, row and colour.

        Raises:
            ImgcolorError: If the text has another form.
        """
        match = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*#?([0-9a-fA-F]{6})\s*", text)
        if match is None:
            raise ImgcolorError(f"hint: expected X,Y,#RRGGBB such as 120,45,#c08040, found {text!r}")
        red, green, blue = bytes.fromhex(match[3])
        return cls(int(match[1]), int(match[2]), (red, green, blue))

"""Palette, colour spaces and output codings."""

from imgcolor.colour.codings import OutputCoding, PaletteCoding, RGBCoding, Space, ValueRange
from imgcolor.colour.palette import Decoding, Palette
from imgcolor.colour.ranges import from_signed, to_signed
from imgcolor.colour.spaces import lab_to_rgb, rgb_to_lab

__all__ = [
    "Decoding",
    "OutputCoding",
    "Palette",
    "PaletteCoding",
    "RGBCoding",
    "Space",
    "ValueRange",
    "from_signed",
    "lab_to_rgb",
    "rgb_to_lab",
    "to_signed",
]

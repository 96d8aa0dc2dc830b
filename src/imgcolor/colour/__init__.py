"""Palette, colour spaces and output codings."""

from imgcolor.colour.chroma import ChromaCoding, chroma_of, join_luma_chroma, luma_of, upsample_chroma
from imgcolor.colour.codings import OutputCoding, PaletteCoding, RGBCoding, Space, ValueRange
from imgcolor.colour.palette import Decoding, Palette
from imgcolor.colour.ranges import from_signed, to_signed
from imgcolor.colour.spaces import lab_to_rgb, rgb_to_lab

__all__ = [
    "ChromaCoding",
    "Decoding",
    "OutputCoding",
    "Palette",
    "PaletteCoding",
    "RGBCoding",
    "Space",
    "ValueRange",
    "chroma_of",
    "from_signed",
    "join_luma_chroma",
    "lab_to_rgb",
    "luma_of",
    "rgb_to_lab",
    "to_signed",
    "upsample_chroma",
]

"""Colour as numbers."""

from imgcolor.colour.palette import Decoding, Palette
from imgcolor.colour.ranges import from_signed, to_signed

__all__ = ["Decoding", "Palette", "from_signed", "to_signed"]

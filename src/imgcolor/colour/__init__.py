"""Colour as numbers."""

from imgcolor.colour.palette import Decoding, Palette
from imgcolor.colour.ranges import from_signed, to_signed
from imgcolor.colour.spaces import lab_to_rgb, rgb_to_lab

__all__ = ["Decoding", "Palette", "from_signed", "lab_to_rgb", "rgb_to_lab", "to_signed"]

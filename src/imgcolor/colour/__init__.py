"""Colour as numbers."""

from imgcolor.colour.palette import Decoding, Palette

__all__ = ["Decoding", "Palette"]

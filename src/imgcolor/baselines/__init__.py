"""Baselines: what colourizes or enlarges images without training, or after one pass over the training images."""

from imgcolor.baselines.grey_copy import GreyCopy
from imgcolor.baselines.grey_lookup import GreyLookup
from imgcolor.baselines.interpolation import Interpolation
from imgcolor.baselines.matching import matching_baselines

__all__ = ["GreyCopy", "GreyLookup", "Interpolation", "matching_baselines"]

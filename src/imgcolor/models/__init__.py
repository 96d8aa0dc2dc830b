"""Models for anyone's photos: those that come with the package, and checkpoints."""

from imgcolor.models.model import Model, Scale
from imgcolor.models.shipped import Card, cards, load

__all__ = ["Card", "Model", "Scale", "cards", "load"]

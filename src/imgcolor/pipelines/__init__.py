"""Models for anyone's photos: those that come with the package, and checkpoints."""

from imgcolor.cards import Card, cards
from imgcolor.models.model import Model, Scale, load

__all__ = ["Card", "Model", "Scale", "cards", "load"]

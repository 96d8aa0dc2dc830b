"""The models that come with the package: their cards and weights."""

from imgcolor.pretrained.registry import Card, cards, weights_of

__all__ = ["Card", "cards", "weights_of"]

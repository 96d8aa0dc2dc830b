"""The trained models that come with the package: weights and model cards."""

from imgcolor.pretrained.registry import Card, cards, weights_path

__all__ = ["Card", "cards", "weights_path"]

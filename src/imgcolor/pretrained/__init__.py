"""The trained models that come with the package: weights and model cards."""

from imgcolor.pretrained.registry import DEFAULT_COLOURIZER, DEFAULT_UPSCALER, Card, cards, weights_path

__all__ = ["DEFAULT_COLOURIZER", "DEFAULT_UPSCALER", "Card", "cards", "weights_path"]

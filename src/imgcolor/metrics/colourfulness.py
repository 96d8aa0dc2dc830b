"""How colourful images are, whatever they should have been."""

import torch
from torch import Tensor

from imgcolor.metrics.image_mean import ImageMean


def colourfulness(images: Tensor) -> Tensor:
    """Colourfulness of Hasler and Süsstrunk ("Measuring colourfulness in natural images", 2003), image by image.

    With ``rg = R - G`` and ``yb = (R + G) / 2 - B`` on the scale of 0 to 255: the length of their standard
    deviations (over pixels) plus 0.3 times the length of their means. 0 is grey; the authors' viewers called 15
    slightly, 33 moderately and 82 highly colourful.

    Args:
        images: Float [B, 3, H, W] in [0, 1]; values outside are clamped.

    Returns:
        Float [B], 0 or more.

    Raises:
        ValueError: If the shape is another.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images: expected the shape [B, 3, H, W], found {list(images.shape)}")
    red, green, blue = (images.float().clamp(0, 1) * 255).flatten(2).unbind(1)
    opponents = torch.stack([red - green, (red + green) / 2 - blue])
    deviations, means = opponents.std(dim=-1, correction=0), opponents.mean(dim=-1)
    score: Tensor = torch.hypot(*deviations) + 0.3 * torch.hypot(*means)
    return score


class Colourfulness(ImageMean):
    """Mean :func:`colourfulness` over images.

    Args:
        sync_on_compute: Whether :meth:`compute` adds up what the processes of a distributed run have counted.
    """

    higher_is_better = None

    def update(self, images: Tensor) -> None:
        """Count a batch: float [B, 3, H, W] in [0, 1]."""
        self.count(colourfulness(images))

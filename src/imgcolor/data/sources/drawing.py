"""Tools for drawn images: random numbers, pixel coordinates, and shapes as signed distances to their edges."""

from collections.abc import Callable
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from imgcolor.utils.errors import ImgcolorError

_SMALLEST = 8


class Dice:
    """Random numbers for a chunk of N images; each call gives one value per image."""

    def __init__(self, generator: torch.Generator, images: int) -> None:
        self.generator = generator
        self.images = images

    def between(self, low: float, high: float) -> Tensor:
        """Return uniform numbers in [low, high): [N, 1, 1, 1]."""
        return torch.rand(self.images, 1, 1, 1, generator=self.generator) * (high - low) + low

    def chance(self, probability: float) -> Tensor:
        """Return 1 with the probability ``probability``, otherwise 0: [N, 1, 1, 1]."""
        return (self.between(0, 1) < probability).float()

    def row(self, table: tuple[object, ...]) -> Tensor:
        """Return random row numbers of a table: [N]."""
        return torch.randint(len(table), (self.images,), generator=self.generator)

    def tinted(self, colour: Tensor) -> Tensor:
        """Return colours [N, 3, 1, 1] with small random changes of brightness and hue."""
        hue = torch.rand(self.images, 3, 1, 1, generator=self.generator) * 0.06 + 0.97
        return colour * hue * self.between(0.85, 1.12)


class Canvas(NamedTuple):
    """Pixel centres in [0, 1]: x to the right [1, 1, 1, W], y down [1, 1, H, 1]; W and H equal ``size``."""

    x: Tensor
    y: Tensor
    size: int

    def cover(self, distance: Tensor) -> Tensor:
        """Return the fraction of each pixel that a shape covers, from the distance to its edge (negative inside)."""
        return (0.5 - distance * self.size).clamp_(0, 1)


def draw(
    what: str,
    scenes: Callable[[Canvas, Dice, torch.Generator], Tensor],
    count: int,
    size: int,
    seed: int,
    chunk: int,
) -> Tensor:
    """Draw images in chunks, so that image i depends only on the seed, i and the size.

    Args:
        what: Name of the function, for errors.
        scenes: Draws one chunk, uint8 [chunk, 3, size, size]. Its ``Dice`` are for the scenes, its generator
            is for noise, because the number of noise values depends on the size.
        count: Number of images, at least 1.
        size: Height and width of the images in pixels, at least 8.
        seed: Seed of the images.
        chunk: Number of images that are drawn at a time, small enough for the cache of the processor. Another
            number gives other images.

    Returns:
        RGB images, uint8 [count, 3, size, size] in [0, 255].

    Raises:
        ImgcolorError: If ``count`` or ``size`` is too small.
    """
    if count < 1:
        raise ImgcolorError(f"{what}: count: expected at least 1, found {count}")
    if size < _SMALLEST:
        raise ImgcolorError(f"{what}: size: expected at least {_SMALLEST} pixels, found {size}")
    dice = Dice(torch.Generator().manual_seed(seed), chunk)
    # A separate generator for noise, so that the size does not change the scenes.
    grain = torch.Generator().manual_seed(int(torch.randint(2**31, (), generator=dice.generator)))
    centres = (torch.arange(size) + 0.5) / size
    canvas = Canvas(centres.view(1, 1, 1, size), centres.view(1, 1, size, 1), size)
    images = torch.empty(count, 3, size, size, dtype=torch.uint8)
    for start in range(0, count, chunk):
        # The last chunk is drawn completely, so that image i does not depend on the number of images after
        # it.
        images[start : start + chunk] = scenes(canvas, dice, grain)[: count - start]
    return images


def paint(image: Tensor, colour: Tensor, cover: Tensor) -> Tensor:
    """Return an image with a colour painted over it where ``cover`` is above 0."""
    return torch.lerp(image, colour, cover)


def oval(across: Tensor, down: Tensor, wide: Tensor | float, high: Tensor | float) -> Tensor:
    """Return the distance to the edge of an ellipse, from the offset to its centre and its half-axes; negative inside.

    It is exact only along the shorter axis, which is enough for drawing.
    """
    wide, high = torch.as_tensor(wide), torch.as_tensor(high)
    return ((across / wide).square() + (down / high).square()).sqrt().sub(1).mul(torch.minimum(wide, high))


def union(*distances: Tensor) -> Tensor:
    """Return the distance to the nearest of several shapes."""
    return reduce(torch.minimum, distances)


def columns(table: object, rows: Tensor) -> tuple[Tensor, ...]:
    """Return the columns of a table of colours for one row per image, each [N, 3, 1, 1]."""
    return torch.tensor(table, dtype=torch.float32)[rows].unsqueeze(-1).unsqueeze(-1).unbind(1)

"""What drawings are made with: dice, a canvas, shapes as distances to their edges, and paint."""

from collections.abc import Callable
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from imgcolor.utils.errors import ImgcolorError

_SMALLEST = 8


class Dice:
    """Random numbers for a chunk of so many images, one value an image and call."""

    def __init__(self, generator: torch.Generator, images: int) -> None:
        self.generator = generator
        self.images = images

    def between(self, low: float, high: float) -> Tensor:
        """[N, 1, 1, 1], uniform in [low, high)."""
        return torch.rand(self.images, 1, 1, 1, generator=self.generator) * (high - low) + low

    def chance(self, share: float) -> Tensor:
        """[N, 1, 1, 1], 1 for about that share of the images, else 0."""
        return (self.between(0, 1) < share).float()

    def row(self, table: tuple[object, ...]) -> Tensor:
        """[N], the number of a row of the table."""
        return torch.randint(len(table), (self.images,), generator=self.generator)

    def tinted(self, colour: Tensor) -> Tensor:
        """The colours [N, 3, 1, 1], each moved a little in brightness and hue: no two bays are the same."""
        hue = torch.rand(self.images, 3, 1, 1, generator=self.generator) * 0.06 + 0.97
        return colour * hue * self.between(0.85, 1.12)


class Canvas(NamedTuple):
    """Pixel centres in [0, 1]: x to the right [1, 1, 1, W], y down [1, 1, H, 1]; size of them a side."""

    x: Tensor
    y: Tensor
    size: int

    def cover(self, distance: Tensor) -> Tensor:
        """How much of each pixel a shape covers: a one-pixel ramp about its edge, where the distance is 0."""
        return (0.5 - distance * self.size).clamp_(0, 1)


def draw(
    what: str,
    scenes: Callable[[Canvas, Dice, torch.Generator], Tensor],
    count: int,
    size: int,
    seed: int,
    chunk: int,
) -> Tensor:
    """Draw images chunk by chunk, so that image i depends on the seed, i and the size alone.

    Args:
        what: The function that errors name.
        scenes: Draws one chunk, uint8 [chunk, 3, size, size]; of its two streams of random numbers the dice are
            for the scenes and the generator for a grain, whose numbers depend on the size.
        count: The number of images, at least 1.
        size: The images' height and width in pixels, at least 8.
        seed: Says which images.
        chunk: The number of images worked on at a time: few enough to stay in the processor's cache. Another
            number draws other images.

    Returns:
        RGB images, uint8 [count, 3, size, size] in [0, 255].

    Raises:
        ImgcolorError: If count or size is too small.
    """
    if count < 1:
        raise ImgcolorError(f"{what}: count must be at least 1, got {count}")
    if size < _SMALLEST:
        raise ImgcolorError(f"{what}: size must be at least {_SMALLEST} pixels, got {size}")
    dice = Dice(torch.Generator().manual_seed(seed), chunk)
    # The grain needs more numbers at a larger size; of its own stream, it leaves the scenes alone.
    grain = torch.Generator().manual_seed(int(torch.randint(2**31, (), generator=dice.generator)))
    centres = (torch.arange(size) + 0.5) / size
    canvas = Canvas(centres.view(1, 1, 1, size), centres.view(1, 1, size, 1), size)
    images = torch.empty(count, 3, size, size, dtype=torch.uint8)
    for start in range(0, count, chunk):
        # The last chunk is drawn whole too, or image i would depend on how many follow it.
        images[start : start + chunk] = scenes(canvas, dice, grain)[: count - start]
    return images


def paint(image: Tensor, colour: Tensor, cover: Tensor) -> Tensor:
    """The image with a colour over it, as much of it as it covers."""
    return torch.lerp(image, colour, cover)


def oval(across: Tensor, down: Tensor, wide: Tensor | float, high: Tensor | float) -> Tensor:
    """Distance to the edge of an ellipse, given the way from its centre and its half-axes; negative inside.

    It is exact only along the shorter axis, which is enough to draw by.
    """
    wide, high = torch.as_tensor(wide), torch.as_tensor(high)
    return ((across / wide).square() + (down / high).square()).sqrt().sub(1).mul(torch.minimum(wide, high))


def union(*distances: Tensor) -> Tensor:
    """Distance to the nearest of the shapes."""
    return reduce(torch.minimum, distances)


def columns(table: object, rows: Tensor) -> tuple[Tensor, ...]:
    """Each column of a table of colours at one row an image, [N, 3, 1, 1] each."""
    return torch.tensor(table, dtype=torch.float32)[rows].unsqueeze(-1).unsqueeze(-1).unbind(1)

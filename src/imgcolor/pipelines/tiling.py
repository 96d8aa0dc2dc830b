"""Run a network on overlapping tiles."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def run_in_tiles(
    images: Tensor,
    run: Callable[[Tensor], Tensor],
    tile: tuple[int, int],
    overlap: int,
    scale_factor: int = 1,
) -> Tensor:
    """Run a network over parts that overlap, and blend them, so that memory does not grow with the image.

    The parts are of equal size, at most a tile, and no more than it takes: an image little larger than a tile has
    two small parts, not two whole tiles that overlap nearly everywhere.
    """
    height, width = images.shape[-2:]
    if height <= tile[0] and width <= tile[1]:
        return run(images)
    tile = (_part(height, tile[0], overlap), _part(width, tile[1], overlap))
    total = images.new_zeros(len(images), 3, height * scale_factor, width * scale_factor)
    count = images.new_zeros(1, 1, height * scale_factor, width * scale_factor)
    for top in _starts(height, tile[0], overlap):
        for left in _starts(width, tile[1], overlap):
            part = run(images[..., top : top + tile[0], left : left + tile[1]])
            weight = _ramp(part.shape[-2], overlap * scale_factor)[:, None] * _ramp(
                part.shape[-1], overlap * scale_factor
            )
            where = (
                ...,
                slice(top * scale_factor, top * scale_factor + part.shape[-2]),
                slice(left * scale_factor, left * scale_factor + part.shape[-1]),
            )
            weight = weight.to(part)
            total[where] += part * weight
            count[where] += weight
    return total.div_(count)


def _part(length: int, tile: int, overlap: int) -> int:
    count = max(1, math.ceil((length - overlap) / (tile - overlap)))
    return math.ceil((length + (count - 1) * overlap) / count)


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    last = max(0, length - tile)
    return [*range(0, last, tile - overlap), last]


def _ramp(length: int, overlap: int) -> Tensor:
    """1 in the middle and next to nothing near both ends, where a network misses what lies beyond; never 0."""
    distance = torch.arange(1, length + 1).minimum(torch.arange(length, 0, -1))
    margin = 3 * overlap / 8
    return ((distance - margin) / (overlap - 2 * margin)).clamp(1e-6, 1)

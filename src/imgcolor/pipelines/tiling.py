"""Run a network on overlapping tiles of a large image."""

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
    """Run a network on overlapping tiles and blend the results, so that memory use is bounded.

    All tiles have one size, which is chosen so that they just cover the image: an image that is slightly larger
    than a tile becomes two tiles of about half its size.

    Args:
        images: Float [B, C, h, w].
        run: Called with float [B, C, h', w']; returns float [B, 3, h' * scale_factor, w' * scale_factor].
        tile: Largest height and width of a tile.
        overlap: Number of pixels that neighbouring tiles share, less than the tile's height and width.
        scale_factor: The ratio of the result's height and width to the input's.

    Returns:
        Float [B, 3, h * scale_factor, w * scale_factor].
    """
    height, width = images.shape[-2:]
    if height <= tile[0] and width <= tile[1]:
        return run(images)
    tile = (_tile_size(height, tile[0], overlap), _tile_size(width, tile[1], overlap))
    total = images.new_zeros(len(images), 3, height * scale_factor, width * scale_factor)
    total_weight = images.new_zeros(1, 1, height * scale_factor, width * scale_factor)
    for top in _tile_starts(height, tile[0], overlap):
        for left in _tile_starts(width, tile[1], overlap):
            result = run(images[..., top : top + tile[0], left : left + tile[1]])
            rows, columns = (
                _blend_weights(side, overlap * scale_factor).to(result) for side in result.shape[-2:]
            )
            weight = rows[:, None] * columns
            where = (
                ...,
                slice(top * scale_factor, top * scale_factor + result.shape[-2]),
                slice(left * scale_factor, left * scale_factor + result.shape[-1]),
            )
            total[where] += result * weight
            total_weight[where] += weight
    return total.div_(total_weight)


def _tile_size(length: int, largest: int, overlap: int) -> int:
    """Return the smallest tile size with which the fewest possible tiles cover a length."""
    count = max(1, math.ceil((length - overlap) / (largest - overlap)))
    return math.ceil((length + (count - 1) * overlap) / count)


def _tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    last = max(0, length - tile)
    return [*range(0, last, tile - overlap), last]


def _blend_weights(length: int, overlap: int) -> Tensor:
    """Return the weights along one side of a tile: 1 in the middle, near 0 at the ends, which lack context."""
    distance = torch.arange(1, length + 1).minimum(torch.arange(length, 0, -1))
    margin = 3 * overlap / 8
    # Above 0, because the pixels at the image's border have only this tile.
    return ((distance - margin) / (overlap - 2 * margin)).clamp(1e-6, 1)

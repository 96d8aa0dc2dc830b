"""Which images make up which batch: decided by the seed and the epoch alone."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler


class InMemoryImages(Dataset[Tensor]):
    """Images in memory, indexed by whole batches: one index operation a batch.

    Args:
        pixels: uint8 [N, 3, H, W].
    """

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, batch: Tensor | slice) -> Tensor:
        """The images of one batch: uint8 [B, 3, H, W]; a view where the batch is a slice."""
        return self.pixels[batch]


class BatchSampler(Sampler[Tensor | slice]):
    """Deals images out in batches; the last one of an epoch may be smaller.

    Lightning calls ``set_epoch`` before every epoch. The order of epoch e with seed s is that of NumPy's
    generator seeded with (s, e), so it depends neither on what ran before nor on the global generators.

    Args:
        images: Number of images.
        batch_size: Images a batch.
        shuffle: Whether every epoch has an order of its own; otherwise batches are slices in order.
        seed: See above.
    """

    def __init__(self, images: int, batch_size: int, *, shuffle: bool, seed: int = 0) -> None:
        self.images = images
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration deals out."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.images // self.batch_size)

    def __iter__(self) -> Iterator[Tensor | slice]:
        if not self.shuffle:
            for start in range(0, self.images, self.batch_size):
                yield slice(start, start + self.batch_size)
            return
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.images)
        yield from torch.split(torch.from_numpy(order), self.batch_size)

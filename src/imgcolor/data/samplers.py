"""Which images make up which batch: decided by the seed, the epoch and the number of processes alone."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from imgcolor.utils.errors import ImgcolorError


class InMemoryImages(Dataset[Tensor]):
    """Images in memory, of the machine or of a device, indexed by whole batches: one index operation a batch.

    Args:
        pixels: uint8 [N, 3, H, W].
    """

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, batch: Tensor | slice) -> Tensor:
        """The images of one batch: uint8 [B, 3, H, W]; a view where the batch is a slice."""
        # A tenth of the time of the index in brackets.
        return self.pixels[batch] if isinstance(batch, slice) else self.pixels.index_select(0, batch)


# A DistributedSampler, so that Lightning puts no other in its place: its own repeats images to fill the batches.
class TrainingSampler(DistributedSampler[Tensor]):
    """Deals training images out in batches, each process its share of every batch.

    Lightning calls ``set_epoch`` before every epoch. The order of epoch e with seed s is that of NumPy's
    generator seeded with (s, e), so it depends neither on what ran before nor on the global generators. P
    processes with batches of B train on what one process with batches of P·B trains on. Their shares are always
    equal, so that the mean of their gradients is that of all images; for that, up to P - 1 images are left out of
    an epoch, the last ones in its order. The last batch may be smaller.

    Args:
        images: Number of images.
        batch_size: Images a batch and process.
        shuffle: Whether every epoch has an order of its own.
        seed: See above.
        num_replicas: Number of processes.
        rank: Which of them deals, from 0.
        device: Where the images are: an epoch's order goes there once, and no batch's does.

    Raises:
        ImgcolorError: If there are fewer images than processes.
    """

    def __init__(
        self,
        images: int,
        batch_size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        num_replicas: int = 1,
        rank: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        _refuse_too_few(images, num_replicas)
        super().__init__(InMemoryImages(torch.empty(images)), num_replicas, rank, shuffle=shuffle, seed=seed)
        self.images = images
        self.batch_size = batch_size
        self.dealt = images - images % num_replicas
        self.device = device

    def __len__(self) -> int:
        return -(-self.dealt // (self.batch_size * self.num_replicas))

    def __iter__(self) -> Iterator[Tensor]:
        order = np.arange(self.images)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(order)
        dealt = torch.from_numpy(order[: self.dealt]).to(self.device)
        for batch in torch.split(dealt, self.batch_size * self.num_replicas):
            yield batch[self.rank :: self.num_replicas]


class EvaluationSampler(DistributedSampler[Tensor]):
    """Deals images out in batches, in order and each one once, each process a share of its own.

    The shares are consecutive and as equal as can be, and so are the batches. All processes have equally many,
    because what they do together in each batch (a network's buffers are made the same) would wait for ever for
    one that has fewer.

    Args:
        images: Number of images.
        batch_size: Images a batch and process, at most, but for batches of 1, which can become 2.
        num_replicas: Number of processes.
        rank: Which of them deals, from 0.

    Raises:
        ImgcolorError: If there are fewer images than processes.
    """

    def __init__(self, images: int, batch_size: int, *, num_replicas: int = 1, rank: int = 0) -> None:
        _refuse_too_few(images, num_replicas)
        super().__init__(InMemoryImages(torch.empty(images)), num_replicas, rank, shuffle=False)
        smallest, largest = images // num_replicas, -(-images // num_replicas)
        batches = min(-(-largest // batch_size), smallest)
        parts_of_ranks = np.array_split(np.arange(images), num_replicas)
        parts = np.array_split(parts_of_ranks[rank], batches)
        self.batches = [slice(int(part[0]), int(part[-1]) + 1) for part in parts]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[slice]:  # type: ignore[override]  # whole batches, not single images
        return iter(self.batches)


def _refuse_too_few(images: int, num_replicas: int) -> None:
    if images < num_replicas:
        raise ImgcolorError(
            f"data: expected at least as many images as processes, {num_replicas}, found {images}; give fewer "
            "--trainer.devices"
        )

"""Samplers: they choose the images of each batch from the seed, the epoch and the rank alone."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler, SequentialSampler

from imgcolor.utils.errors import ImgcolorError


class InMemoryImages(Dataset[Tensor]):
    """Images in memory that are indexed by whole batches, with one index operation per batch.

    Args:
        pixels: uint8 [N, 3, H, W], on any device.
    """

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, batch: Tensor | slice) -> Tensor:
        """Return the images of a batch: uint8 [B, 3, H, W]; a view if the batch is a slice."""
        # index_select takes a tenth of the time of indexing with a tensor.
        return self.pixels[batch] if isinstance(batch, slice) else self.pixels.index_select(0, batch)


class _BatchSampler(DistributedSampler[Tensor], SequentialSampler):  # type: ignore[misc]  # both are only marks
    """A sampler that Lightning keeps.

    Lightning replaces a sampler that is no ``DistributedSampler`` in a run of several ranks, and one that is no
    ``SequentialSampler`` with ``overfit_batches``. Its own samplers give single indices, and repeat images.
    """

    def __init__(self, images: int, num_replicas: int, rank: int, *, shuffle: bool, seed: int = 0) -> None:
        _check_image_count(images, num_replicas)
        # DistributedSampler uses the length of its data set alone.
        super().__init__(InMemoryImages(torch.empty(images)), num_replicas, rank, shuffle=shuffle, seed=seed)


class TrainingSampler(_BatchSampler):
    """Gives the indices of training batches; the ranks share each batch.

    Lightning calls ``set_epoch`` before each epoch. The order of epoch e with seed s comes from NumPy's
    generator with the seed (s, e), so it depends neither on earlier epochs nor on the global generators.

    R ranks with a batch size of B train on the same images as one rank with a batch size of R·B. All ranks
    get equally many images, so that the mean of their gradients is that of all images. For this, the last
    images of an epoch, at most R - 1, are left out. The last batch can be smaller.

    An epoch still has `images` images with weights. The number from a group is proportional to its weight: small groups
    repeat images, large groups use a part. Without shuffle, that part is the same in all epochs.

    Its state is the number of batches that were given, so a run can be resumed in the middle of an epoch.

    Args:
        images: Number of images.
        batch_size: Number of images per batch and rank.
        shuffle: Whether each epoch has a new order.
        seed: Seed of the order.
        num_replicas: Number of ranks.
        rank: The rank that uses this sampler.
        device: Device of the images. The order of an epoch is copied there once.
        groups: Integer [images]: the group of each image, such as its folder.
        weights: The weight of each group, above 0. None uses each image once in an epoch.

    Raises:
        ImgcolorError: If there are fewer images than ranks, or weights that do not fit the groups.
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
        groups: Tensor | None = None,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(images, num_replicas, rank, shuffle=shuffle, seed=seed)
        self.members = None if weights is None else _members(groups, weights)
        self.weights = weights
        self.images = images
        self.batch_size = batch_size
        self.used = images - images % num_replicas
        self.device = device
        self._given = 0
        self._resumed: dict[str, int] | None = None

    def state_dict(self) -> dict[str, int]:
        """Return the epoch, and how many of its batches were given."""
        return {
            "epoch": self.epoch,
            "batches": self._given,
            "batch_size": self.batch_size,
            "images": self.used,
        }

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Leave out the batches of the epoch that were given before."""
        self._resumed = state_dict

    def __len__(self) -> int:
        return -(-self.used // (self.batch_size * self.num_replicas))

    def __iter__(self) -> Iterator[Tensor]:  # type: ignore[override]  # whole batches
        random = np.random.default_rng((self.seed, self.epoch))
        order = np.arange(self.images) if self.members is None else self._draw(random)
        if self.shuffle:
            order = random.permutation(order)
        order_on_device = torch.from_numpy(order[: self.used]).to(self.device)
        start = self._start()
        batches = torch.split(order_on_device, self.batch_size * self.num_replicas)
        for self._given, batch in enumerate(batches[start:], start + 1):
            yield batch[self.rank :: self.num_replicas]

    def _start(self) -> int:
        """Return the number of batches that were given before the run was resumed."""
        state = self._resumed
        if state is None or self.epoch != state["epoch"]:
            return 0
        for name, found in (("batch_size", self.batch_size), ("images", self.used)):
            if state[name] != found:
                raise ImgcolorError(
                    f"data.{name}: expected {state[name]} as in the run of the checkpoint, "
                    f"because it is from the middle of an epoch, found {found}; give the options of that run, or "
                    "resume from the end of an epoch"
                )
        return state["batches"]

    def _draw(self, random: np.random.Generator) -> np.ndarray:
        """Return the images of a weighted epoch: int64 [images], group by group."""
        assert self.members is not None
        assert self.weights is not None
        # Rounding the sums, and not each number, keeps the total.
        ends = np.rint(np.cumsum(self.weights) / np.sum(self.weights) * self.images).astype(int)
        counts = np.diff(ends, prepend=0)
        parts = []
        for members, count in zip(self.members, counts, strict=True):
            rounds = -(-count // len(members))
            rows = [random.permutation(members) if self.shuffle else members for _ in range(rounds)]
            parts.append(np.concatenate(rows)[:count] if rows else members[:0])
        return np.concatenate(parts)


class EvaluationSampler(_BatchSampler):
    """Gives batches of all images in order, each image once; each rank has its own part of the images.

    Parts and batches are consecutive and as equal in size as possible. All ranks have the same number of
    batches: in each batch they synchronise the buffers of the network, and a rank without a batch would block
    the others.

    Args:
        images: Number of images.
        batch_size: Largest number of images per batch and rank; with 1 and several ranks, one batch can have 2 images.
        num_replicas: Number of ranks.
        rank: The rank that uses this sampler.

    Raises:
        ImgcolorError: If there are fewer images than ranks.
    """

    def __init__(self, images: int, batch_size: int, *, num_replicas: int = 1, rank: int = 0) -> None:
        super().__init__(images, num_replicas, rank, shuffle=False)
        smallest, largest = images // num_replicas, -(-images // num_replicas)
        batches = min(-(-largest // batch_size), smallest)
        parts_of_ranks = np.array_split(np.arange(images), num_replicas)
        parts = np.array_split(parts_of_ranks[rank], batches)
        self.batches = [slice(int(part[0]), int(part[-1]) + 1) for part in parts]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[slice]:  # type: ignore[override]  # whole batches, not single images
        return iter(self.batches)


def _members(groups: Tensor | None, weights: Sequence[float]) -> list[np.ndarray]:
    """Return the images of each group, int64."""
    if groups is None:
        raise ImgcolorError("data.weights: expected images of several folders (data.roots), found one source")
    number = int(groups.max()) + 1
    if len(weights) != number or not all(0 < weight < math.inf for weight in weights):
        raise ImgcolorError(
            f"data.weights: expected one number above 0 for each of the {number} folders in data.roots, found "
            f"{list(weights)}"
        )
    return [np.flatnonzero(groups.numpy() == group) for group in range(number)]


def _check_image_count(images: int, num_replicas: int) -> None:
    if images < num_replicas:
        raise ImgcolorError(
            f"data: expected at least as many images as ranks, {num_replicas}, found {images}; use fewer "
            "--trainer.devices"
        )

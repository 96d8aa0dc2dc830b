"""Data loaders for images in memory."""

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from imgcolor.data.samplers import EvaluationSampler, InMemoryImages, TrainingSampler


class TrainingLoader(DataLoader[Tensor]):
    """Training batches that can be resumed in the middle of an epoch: Lightning keeps the state in its checkpoints."""

    def __init__(self, images: InMemoryImages, sampler: TrainingSampler) -> None:
        self._batches = sampler
        # A generator of its own: see evaluation_loader.
        super().__init__(images, batch_size=None, sampler=sampler, generator=torch.Generator())

    def state_dict(self) -> dict[str, int]:
        """Return the place in the epoch."""
        return self._batches.state_dict()

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Leave out the batches of the epoch that were given before."""
        self._batches.load_state_dict(state_dict)


def evaluation_loader(images: InMemoryImages, sampler: EvaluationSampler) -> DataLoader[Tensor]:
    """Return batches of images in memory, in order."""
    # batch_size=None: the sampler gives the indices of whole batches. A generator of its own: each
    # time a DataLoader is iterated over, it draws one random number; with the global generator, a resumed epoch
    # would have other random numbers.
    return DataLoader(images, batch_size=None, sampler=sampler, generator=torch.Generator())

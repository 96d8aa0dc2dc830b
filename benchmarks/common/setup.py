"""What all methods of training share: images, initial weights and optimizer."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from common.cases import DEVICE, Case
from common.turns import Turn
from imgcolor.colour import Palette

EVAL_BATCH_SIZE = 250
"""Images in a batch of validation, as in the experiments."""


class Setup:
    """Images, initial weights and optimizer of one case.

    Args:
        case: The case.
        folder: Its images and weights, from :func:`common.cases.draw_images`.
        turn: The turn of this process.
        epochs: Number of measured epochs; one more runs before them.
    """

    def __init__(self, case: Case, folder: Path, turn: Turn, epochs: int) -> None:
        self.case = case
        self.folder = folder
        self.turn = turn
        self.epochs = 1 + epochs
        self.pixels = {split: np.load(folder / f"{split}.npy") for split in ("train", "val")}
        self.palette = Palette.load(folder / "palette.json")

    @property
    def training_batch(self) -> tuple[Tensor, Tensor]:
        """The first batch: grey images, float [B, 1, H, W], and the targets of the loss."""
        originals = torch.from_numpy(self.pixels["train"][: self.case.batch_size]).float() / 255
        target = self.palette.encode(originals) if self.case.loss == "classes" else originals
        return originals.mean(1, keepdim=True).to(DEVICE), target.to(DEVICE)

    @property
    def validation_batches(self) -> tuple[Tensor, ...]:
        """All validation images: grey, float [B, 1, H, W], in batches of the size that a fit takes."""
        grey = (torch.from_numpy(self.pixels["val"]).float() / 255).mean(1, keepdim=True)
        return grey.to(DEVICE).split(EVAL_BATCH_SIZE)

    def network(self, make: Callable[[], nn.Module]) -> nn.Module:
        """Return a network with the initial weights."""
        network = make()
        network.load_state_dict(torch.load(self.folder / "weights.pt"))
        return network.to(DEVICE)

    def optimizer(self, network: nn.Module, fused: bool | None = None) -> torch.optim.Optimizer:
        """Return the optimizer of the case's experiment."""
        if self.case.faces:
            return torch.optim.SGD(network.parameters(), lr=0.1, fused=fused)
        return torch.optim.Adam(network.parameters(), lr=0.001, fused=fused)


@contextlib.contextmanager
def without_output() -> Iterator[None]:
    """Hide what is printed, and warnings."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield

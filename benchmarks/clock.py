"""A callback that times a fit's second epoch, and starts it from given weights."""

import os
import time
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


def wait_for_gpu() -> None:
    """A GPU works on behind the program: what has been asked of it shall be done before a clock is read."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class Clock(Callback):
    """Times the second of two epochs: its training steps, and all of it.

    Args:
        weights: A file of the network's first weights.
    """

    last: "Clock"
    """The newest one: the command line makes it, and the benchmark reads it."""

    def __init__(self, weights: Path) -> None:
        self.weights = weights
        self.steps = self.whole = self.loss = 0.0
        self._start = 0.0
        Clock.last = self

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start where every way starts."""
        pl_module.network.load_state_dict(torch.load(self.weights))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """An epoch begins."""
        self._start = time.perf_counter()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Its steps are done."""
        wait_for_gpu()
        self.steps = time.perf_counter() - self._start

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The second epoch is over, with its validation, its files and its checkpoints."""
        wait_for_gpu()
        self.whole = time.perf_counter() - self._start
        self.loss = float(trainer.callback_metrics["train/loss"])


class ExitAfterFirstStep(Callback):
    """Ends the process after the first training step."""

    def on_train_batch_end(self, *args: object) -> None:
        """Leave at once, with no clearing up."""
        os._exit(0)

"""A callback that times a fit's epochs, and starts it from given weights."""

import os
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from turns import Turn, wait_for_gpu


class Timing(NamedTuple):
    """Of an epoch."""

    steps: float
    """Seconds in its training steps."""
    whole: float
    """Seconds with validation and what else is done every epoch."""
    loss: float
    """Mean training loss."""


class Clock(Callback):
    """Times a fit's epochs but the first, and starts it from given weights.

    Args:
        weights: A file of the network's first weights.
    """

    turn = Turn()
    """Who runs when; the benchmark sets it."""
    last: "Clock"
    """The newest one: the command line makes it, and the benchmark reads it."""

    def __init__(self, weights: Path) -> None:
        self.weights = weights
        self.epochs: list[Timing] = []
        self._start = self._steps = 0.0
        Clock.last = self

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start where every way starts."""
        pl_module.network.load_state_dict(torch.load(self.weights))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """An epoch begins, and the one before it is over."""
        if trainer.current_epoch > 1:
            self._close(trainer)
        self._start = self.turn.now()

    def on_train_batch_end(self, *args: object) -> None:
        """Let the other ways take their steps."""
        self.turn.step()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The steps are done."""
        wait_for_gpu()
        self._steps = self.turn.now() - self._start

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The last epoch is over, with its validation, its files and its checkpoints."""
        self._close(trainer)

    def _close(self, trainer: Trainer) -> None:
        wait_for_gpu()
        loss = float(trainer.callback_metrics["train/loss"])
        self.epochs.append(Timing(self._steps, self.turn.now() - self._start, loss))


class ExitAfterFirstStep(Callback):
    """Ends the process after the first training step."""

    def on_train_batch_end(self, *args: object) -> None:
        """Leave at once, with no clearing up."""
        os._exit(0)

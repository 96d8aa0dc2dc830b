"""Callbacks that time the epochs of a fit."""

import os
import time
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from common.turns import Turn, wait_for_gpu
from imgcolor.baselines.comparison import HIGHER_IS_BETTER


class Timing(NamedTuple):
    """Times and loss of an epoch."""

    steps: float
    """Seconds of the training steps."""
    epoch: float
    """Seconds of the whole epoch, with validation, files and checkpoints."""
    loss: float
    """Mean training loss; NaN of a method that trains on one batch."""


class Clock(Callback):
    """Times the epochs of a fit, except the first, and starts the fit from given weights.

    Args:
        weights: File with the initial weights of the network.
    """

    turn = Turn()
    """The turn of this process; the benchmark sets it."""
    last: "Clock"
    """The newest instance. The command line makes it, and the benchmark reads it."""

    def __init__(self, weights: Path) -> None:
        self.weights = weights
        self.epochs: list[Timing] = []
        self._start = self._steps = 0.0
        Clock.last = self

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Load the initial weights."""
        pl_module.network.load_state_dict(torch.load(self.weights))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the time of the previous epoch, and start a new one."""
        if trainer.current_epoch > 1:
            self._end_epoch(trainer)
        self._start = self.turn.now()

    def on_train_batch_end(self, *args: object) -> None:
        """Let the other programs run."""
        self.turn.step()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the time of the training steps."""
        wait_for_gpu()
        self._steps = self.turn.now() - self._start

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the time of the last epoch."""
        self._end_epoch(trainer)

    def _end_epoch(self, trainer: Trainer) -> None:
        wait_for_gpu()
        loss = float(trainer.callback_metrics.get("train/loss", float("nan")))
        self.epochs.append(Timing(self._steps, self.turn.now() - self._start, loss))


class ReachResult(Callback):
    """Measures the time until the validation reaches a result, and ends the fit there.

    Args:
        result: Name of a validation metric to the value to reach.
    """

    last: "ReachResult"
    """The newest instance. The command line makes it, and the benchmark reads it."""

    def __init__(self, result: dict[str, float]) -> None:
        self.result = result
        self.seconds: float | None = None
        """Seconds from the first training step to the end of the validation that reached the result."""
        self.steps = 0
        """Training steps until then."""
        self._start = 0.0
        ReachResult.last = self

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the time."""
        self._start = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if the result is reached."""
        if trainer.sanity_checking or self.seconds is not None:
            return
        reached = []
        for name, goal in self.result.items():
            value = float(trainer.callback_metrics[name])
            higher = HIGHER_IS_BETTER[name.removeprefix("val/")]
            reached.append(value >= goal if higher else value <= goal)
        if all(reached):
            self.seconds, self.steps = time.perf_counter() - self._start, trainer.global_step
            trainer.should_stop = True


class ExitAfterFirstStep(Callback):
    """Ends the process after the first training step."""

    def on_train_batch_end(self, *args: object) -> None:
        """Exit without cleaning up."""
        os._exit(0)

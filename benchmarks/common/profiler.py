"""A profiler that divides an epoch of imgcolor into parts."""

import functools
from collections import defaultdict
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.profilers import Profiler

from common.clock import Clock
from common.turns import wait_for_gpu

PARTS = NETWORK, LOSS, METRICS, LOADING, FILES, OTHER = (
    "network and optimizer", "loss", "target, RGB images and metrics", "loading images", "checkpoints and files",
    "loop and callbacks",
)  # fmt: skip
PART_OF_ACTION = {
    "network": NETWORK,
    "backward": NETWORK,
    "optimizer": NETWORK,
    "optimizer_zero_grad": NETWORK,
    "loss": LOSS,
    "metrics": METRICS,
    "train_dataloader_next": LOADING,
    "val_next": LOADING,
    "batch_to_device": LOADING,
    "on_before_batch_transfer": LOADING,
    "transfer_batch_to_device": LOADING,
    "on_after_batch_transfer": LOADING,
    "save_checkpoint": FILES,
}
"""All other actions count as loop and callbacks."""

TRAINING, VALIDATION = "training", "validation"


class PartsProfiler(Profiler):
    """Adds up the seconds of each part and stage, without those of the actions inside."""

    last: "PartsProfiler"
    """The newest instance. The command line makes it, and the benchmark reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self.is_over = False
        self._open: list[list[Any]] = []  # action, start, seconds of the actions inside
        self._on_gpu = torch.cuda.is_available()
        PartsProfiler.last = self

    def start(self, action_name: str) -> None:
        """Start an action."""
        self._open.append([action_name, Clock.turn.now(), 0.0])

    def stop(self, action_name: str) -> None:
        """Stop the action that was started last."""
        if self._on_gpu:
            wait_for_gpu()
        stage = VALIDATION if any(name == VALIDATION for name, *_ in self._open) else TRAINING
        name, start, inside = self._open.pop()
        seconds = Clock.turn.now() - start
        if not self.is_over:
            self.seconds[stage, part_of(name)] += seconds - inside
        if self._open:
            self._open[-1][2] += seconds

    def summary(self) -> str:
        """Return nothing to print."""
        return ""


@functools.cache
def part_of(action: str) -> str:
    """Return the part of an action, by the end of its name; Lightning's are such as [Strategy]X.backward."""
    owner, _, name = action.rpartition(".")
    if owner.startswith("[Callback]"):
        writes = name == "on_train_epoch_end" and ("Checkpoint" in owner or "Files" in owner)
        return FILES if writes else OTHER
    return PART_OF_ACTION.get(name, OTHER)


class ProfileSteps(Callback):
    """Reports the parts of a step and the start of the measured epochs to :class:`PartsProfiler`."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wrap the methods that are the parts of a step."""
        _profile(trainer.optimizers[0], "step", "optimizer")
        _profile(trainer.fit_loop.epoch_loop.val_loop, "run", VALIDATION)
        _profile(pl_module.network, "forward", "network")
        _profile(pl_module, "loss", "loss")
        _profile(pl_module.coding, "target", "metrics")
        for method in ("_update", "evaluate"):
            _profile(pl_module, method, "metrics")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the first epoch."""
        if trainer.current_epoch == 1:
            PartsProfiler.last.seconds.clear()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ignore what is done once, after the last epoch."""
        PartsProfiler.last.is_over = True


def _profile(owner: Any, method: str, action: str) -> None:
    function = getattr(owner, method)

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        with PartsProfiler.last.profile(action):
            return function(*args, **kwargs)

    setattr(owner, method, timed)

"""A profiler that knows what a step of imgcolor consists of."""

import functools
from collections import defaultdict
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.profilers import Profiler

from clock import Clock
from turns import wait_for_gpu

ORDER = NETWORK, LOSS, METRICS, IMAGES, FILES, REST = (
    "network and optimizer", "loss", "target, images and figures", "images", "checkpoints and files",
    "loop and callbacks",
)  # fmt: skip
PARTS = {
    "network": NETWORK,
    "backward": NETWORK,
    "optimizer": NETWORK,
    "optimizer_zero_grad": NETWORK,
    "loss": LOSS,
    "figures": METRICS,
    "train_dataloader_next": IMAGES,
    "val_next": IMAGES,
    "batch_to_device": IMAGES,
    "on_before_batch_transfer": IMAGES,
    "transfer_batch_to_device": IMAGES,
    "on_after_batch_transfer": IMAGES,
    "save_checkpoint": FILES,
}
"""The part that an action's seconds are counted to, where they are not the loop's."""

TRAINING, VALIDATION = "training", "validation"


class Parts(Profiler):
    """Adds up seconds by stage and part, each without what is inside of it."""

    last: "Parts"
    """The newest one: the command line makes it, and the benchmark reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self.is_over = False
        self._open: list[list[Any]] = []  # action, start, seconds inside
        self._on_gpu = torch.cuda.is_available()
        Parts.last = self

    def start(self, action_name: str) -> None:
        """An action begins."""
        self._open.append([action_name, Clock.turn.now(), 0.0])

    def stop(self, action_name: str) -> None:
        """It ends."""
        if self._on_gpu:
            wait_for_gpu()
        stage = VALIDATION if any(name == VALIDATION for name, *_ in self._open) else TRAINING
        name, start, inside = self._open.pop()
        seconds = Clock.turn.now() - start
        if not self.is_over:
            self.seconds[stage, part(name)] += seconds - inside
        if self._open:
            self._open[-1][2] += seconds

    def summary(self) -> str:
        """Nothing for the terminal."""
        return ""


@functools.cache
def part(action: str) -> str:
    """What an action is counted to, by the end of its name: Lightning's are such as [Strategy]X.backward."""
    who, _, what = action.rpartition(".")
    if who.startswith("[Callback]"):
        return FILES if what == "on_train_epoch_end" and ("Checkpoint" in who or "Files" in who) else REST
    return PARTS.get(what, REST)


class Marks(Callback):
    """Tells :class:`Parts` what a step consists of, and where epochs begin."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Time the parts of a step."""
        mark(trainer.optimizers[0], "step", "optimizer")
        mark(trainer.fit_loop.epoch_loop.val_loop, "run", VALIDATION)
        mark(pl_module.network, "forward", "network")
        mark(pl_module, "loss", "loss")
        for method in ("target", "_measure", "evaluate"):
            mark(pl_module, method, "figures")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The first epoch does not count."""
        if trainer.current_epoch == 1:
            Parts.last.seconds.clear()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """What is done once, after all epochs, does not either."""
        Parts.last.is_over = True


def mark(holder: Any, method: str, action: str) -> None:
    """Have calls of a method timed as an action."""
    function = getattr(holder, method)

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        with Parts.last.profile(action):
            return function(*args, **kwargs)

    setattr(holder, method, timed)

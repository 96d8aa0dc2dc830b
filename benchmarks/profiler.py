"""A profiler that knows what a step of imgcolor consists of."""

import functools
from collections import defaultdict
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.profilers import Profiler

from clock import Clock
from turns import wait_for_gpu

NETWORK, LOSS, FIGURES, IMAGES, FILES, REST = (
    "network and optimizer", "loss", "target, decoding and figures", "images", "checkpoints and files",
    "loop and callbacks",
)  # fmt: skip
PARTS = {
    "imgcolor.network": NETWORK,
    ".backward": NETWORK,
    "optimizer_step": NETWORK,
    "zero_grad": NETWORK,
    "imgcolor.loss": LOSS,
    "imgcolor.figures": FIGURES,
    "dataloader_next": IMAGES,
    "val_next": IMAGES,
    "batch_transfer": IMAGES,
    "batch_to_device": IMAGES,
    "transfer_batch": IMAGES,
    "save_checkpoint": FILES,
    "Checkpoint": FILES,
    "MetricsFiles": FILES,
    "": REST,
}
"""What an action's name holds, and the part that it is counted to; the first counts."""


class Parts(Profiler):
    """Adds up seconds by stage and part, each without what is inside of it."""

    last: "Parts"
    """The newest one: the command line makes it, and the callback reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self.stage = "training"
        self._open: list[list[Any]] = []  # action, start, seconds inside
        Parts.last = self

    def start(self, action_name: str) -> None:
        """An action begins."""
        self._open.append([action_name, Clock.turn.now(), 0.0])

    def stop(self, action_name: str) -> None:
        """It ends."""
        wait_for_gpu()
        name, start, inside = self._open.pop()
        seconds = Clock.turn.now() - start
        part = next(part for words, part in PARTS.items() if words in name)
        self.seconds[self.stage, part] += seconds - inside
        if self._open:
            self._open[-1][2] += seconds

    def summary(self) -> str:
        """Nothing for the terminal."""
        return ""


class Marks(Callback):
    """Tells :class:`Parts` what a step consists of, and where epochs begin."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Time the parts of a step."""
        mark(pl_module.network, "forward", "imgcolor.network")
        mark(pl_module, "loss", "imgcolor.loss")
        mark(pl_module, "target", "imgcolor.figures")
        mark(pl_module, "_measure", "imgcolor.figures")
        if hasattr(pl_module, "val_accuracy"):
            mark(pl_module.val_accuracy, "update", "imgcolor.figures")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The first epoch does not count."""
        if trainer.current_epoch == 1:
            Parts.last.seconds.clear()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """What follows is validation."""
        Parts.last.stage = "validation"

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """What follows is training."""
        Parts.last.stage = "training"

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The last epoch is over."""
        Parts.last.stage = "end"


def mark(holder: Any, method: str, action: str) -> None:
    """Have calls of a method timed as an action."""
    function = getattr(holder, method)

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        with Parts.last.profile(action):
            return function(*args, **kwargs)

    setattr(holder, method, timed)

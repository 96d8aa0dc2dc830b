"""Lightning's progress bar at the pace of eyes."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

_PER_SECOND = 10


class CalmProgressBar(RichProgressBar):
    """Lightning's, which is told of every step and drawn a hundred times a second, ten times a second."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=_PER_SECOND)
        self._told = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar on, if there is time or the epoch is over."""
        now = time.monotonic()
        if trainer.is_last_batch or now - self._told >= 1 / _PER_SECOND:
            self._told = now
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

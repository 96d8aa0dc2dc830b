"""The progress bar of a run: one line."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import (
    BatchesProcessedColumn,
    CustomBarColumn,
    MetricsTextColumn,
    ProcessingSpeedColumn,
)
from lightning.pytorch.utilities.types import STEP_OUTPUT
from rich.console import Console
from rich.progress import ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from imgcolor.utils.text import four_digits

_WIDE = 110
"""Terminals with this many columns have room for the speed."""

_FRAMES_PER_SECOND = 10
"""How often the bar is drawn; Lightning's 100 times would take time from the training."""


class EpochProgressBar(RichProgressBar):
    """A progress bar on one line: epoch from 1, batches, remaining time, and metrics with four digits.

    It shows what modules log with ``prog_bar=True``. The name of a validation metric other than the loss is shown
    without ``val/``.
    """

    def __init__(self, refresh_rate: int = _FRAMES_PER_SECOND, leave: bool = False) -> None:
        super().__init__(refresh_rate, leave)
        self._shown = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, batch: Any, batch_idx: int
    ) -> None:
        """Show a batch, unless the last one has been shown for less time than a frame."""
        now = time.monotonic()
        if trainer.is_last_batch or now - self._shown >= 1 / max(1, self.refresh_rate):
            self._shown = now
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Return name to value, as text; training metrics come first."""
        found = super().get_metrics(trainer, pl_module)
        found.pop("v_num", None)
        names = sorted(found, key=lambda name: not name.startswith("train/"))
        return {_short(name): _number(found[name]) for name in names}

    def configure_columns(self, trainer: Trainer) -> list[ProgressColumn]:
        """Return the columns before the metrics."""
        theme = self.theme
        # The bar takes what the others leave.
        bar = CustomBarColumn(
            bar_width=None,
            complete_style=theme.progress_bar,
            finished_style=theme.progress_bar_finished,
            pulse_style=theme.progress_bar_pulse,
        )
        time = TimeRemainingColumn(
            compact=True, elapsed_when_finished=True, table_column=Column(no_wrap=True)
        )
        columns = [
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            bar,
            BatchesProcessedColumn(style=theme.batch_progress),
            time,
        ]
        return columns if Console().width < _WIDE else [*columns, ProcessingSpeedColumn("dim")]

    def _get_train_description(self, current_epoch: int) -> str:
        epochs = self.trainer.max_epochs or -1
        text = f"Epoch {current_epoch + 1}" + (f"/{epochs}" if epochs > 0 else "")
        return f"{text:{len(self.validation_description)}}"

    def _init_progress(self, trainer: Trainer) -> None:
        super()._init_progress(trainer)
        if self.progress is not None:
            *columns, metrics = self.progress.columns
            if isinstance(metrics, MetricsTextColumn):
                self.progress.columns = (*columns, _OneLine(metrics))


class _OneLine(ProgressColumn):
    """Lightning's column of metrics without colons, cut at the end of the line instead of wrapped."""

    def __init__(self, metrics: MetricsTextColumn) -> None:
        self._metrics = metrics
        super().__init__(table_column=Column(no_wrap=True, overflow="ellipsis"))

    def render(self, task: Task) -> Text:
        text = self._metrics.render(task)
        return Text(text.plain.replace(": ", " "), style=text.style)


def _short(name: str) -> str:
    return name if name == "val/loss" else name.removeprefix("val/")


def _number(value: Any) -> str:
    return four_digits(value) if isinstance(value, int | float) else str(value)

"""Show the progress of a sweep: one live table in a terminal, one line per finished trial elsewhere."""

from typing import Any

from ray.tune import Callback
from rich.console import Console
from rich.live import Live
from rich.table import Table

from imgcolor.cli.sweep_file import Sweep, format_value
from imgcolor.utils.text import count_of, four_digits

_SHOWN = 15
"""Number of trials in the live table."""


class SweepDisplay(Callback):
    """Shows the running trials and the latest finished ones with their epoch and metric.

    Args:
        plan: The sweep.
    """

    def __init__(self, plan: Sweep) -> None:
        self._plan = plan
        self._trials: dict[str, tuple[list[str], str, str, str]] = {}
        self._total = len(list(plan.grid())) if plan.search == "grid" else plan.trials
        self._live: Live | None = None

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Open the table."""
        console = Console()
        if console.is_terminal:
            self._live = Live(self._table(), console=console, transient=True)
            self._live.start()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Add a trial."""
        self._note(trial, "running")

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Show the epoch and the metric of a running trial."""
        self._note(trial, "running", result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Show the result of a trial."""
        result = trial.last_result or {}
        self._note(trial, result.get("status", "finished"), result)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Show that a trial failed."""
        self._note(trial, "failed", trial.last_result or {})

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """Close the table."""
        self.close()

    def close(self) -> None:
        """Close the table."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __getstate__(self) -> dict[str, Any]:
        # Ray saves the callback to restore the sweep; a terminal cannot be saved.
        return {**self.__dict__, "_live": None}

    def _note(self, trial: Any, status: str, result: dict[str, Any] | None = None) -> None:
        result = result or {}
        value = result.get(self._plan.metric)
        known = self._trials.pop(trial.trial_id, (None, "", "", ""))
        values = [format_value(trial.config[option]) for option in self._plan.axes]
        epoch = str(result.get("epoch", known[2])) if status == "running" else ""
        self._trials[trial.trial_id] = (
            values,
            status,
            epoch,
            known[3] if value is None else four_digits(value),
        )
        if self._live is not None:
            self._live.update(self._table())
        elif status != "running":
            shown = ", ".join(
                f"{option.rpartition('.')[2]} {text}"
                for option, text in zip(self._plan.axes, values, strict=True)
            )
            metric = f", {self._plan.metric} {four_digits(value)}" if value is not None else ""
            print(f"{self._done} of {count_of(self._total, 'trial')} {status}: {shown}{metric}", flush=True)

    @property
    def _done(self) -> int:
        return sum(status != "running" for _, status, _, _ in self._trials.values())

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, title_justify="left")
        table.title = f"{self._plan.name}: {self._done} of {count_of(self._total, 'trial')} done"
        for option in self._plan.axes:
            table.add_column(option.rpartition(".")[2])
        table.add_column("status")
        table.add_column("epochs", justify="right")
        table.add_column(self._plan.metric, justify="right")
        for values, status, epoch, value in list(self._trials.values())[-_SHOWN:]:
            table.add_row(*values, status, epoch, value)
        return table

"""Write the metrics of a run to CSV and JSON files."""

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger

from imgcolor.callbacks.baselines import BaselineMetrics
from imgcolor.callbacks.details import DetailedMetrics
from imgcolor.callbacks.finding import find_callback
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.callbacks.stopping import EpsilonPatience
from imgcolor.utils.files import write_metrics, write_rows


class MetricsFiles(Callback):
    """Writes ``metrics.csv`` (one row per epoch) and ``metrics.json`` (final values) to the run folder.

    The final values are those of the last epoch, or of the epoch whose weights :class:`EpsilonPatience`
    restored. Each row of ``metrics.csv`` includes the values of :class:`BaselineMetrics`; ``metrics.json``
    also includes those of :class:`DetailedMetrics`.

    A ``CSVLogger`` that writes to the same folder calls its file ``csv_logger.csv``, because ``metrics.csv`` has one
    row per epoch.

    A ``trainer.test()`` after a fit adds its values, ``test/...``, and those of the baselines on the test images,
    ``test/baseline/...``. A ``trainer.validate()`` replaces ``val/...`` and ``baseline/...``.

    Checkpoints contain the rows, so the file of a resumed run starts with the epochs before the interruption.
    """

    def __init__(self) -> None:
        self._rows: list[dict[str, float]] = []
        self._started = 0.0
        self._elapsed = 0.0
        self._lr = 0.0
        self._validated = False
        self._values: dict[str, float] = {}  # of the fit and of the validation images
        self._test_values: dict[str, float] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Rename the files of CSV loggers in the run folder."""
        folder = run_folder(trainer)
        for logger in trainer.loggers if folder is not None else []:
            if isinstance(logger, CSVLogger) and Path(logger.log_dir) == folder:
                logger.experiment.metrics_file_path = str(folder / "csv_logger.csv")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the seconds before the interruption, if the run is resumed in the middle of an epoch."""
        self._started = time.perf_counter() - self._elapsed

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the time and the learning rate, before a scheduler changes it."""
        self._started = time.perf_counter()
        self._validated = False
        self._lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that this epoch has values of the validation images."""
        self._validated = True

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the result of a validation or a test, after all callbacks have measured."""
        if stage not in ("validate", "test"):
            return
        measured = _numbers(trainer) | self._values_of_callbacks(trainer)
        if stage == "test":
            self._test_values = measured
        else:
            kept = {k: v for k, v in self._values.items() if not k.startswith(("val/", "baseline/"))}
            self._values = kept | measured
        self._write_json(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the row of the epoch, and write both files."""
        row: dict[str, float] = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "seconds": round(time.perf_counter() - self._started, 3),
            "lr": self._lr,
        }
        # Lightning keeps the values of an earlier validation if this epoch has none.
        row |= {k: v for k, v in _numbers(trainer).items() if self._validated or not k.startswith("val/")}
        baselines = find_callback(trainer, BaselineMetrics)
        row |= baselines.results if baselines else {}
        self._rows.append(row)
        self._write_csv(trainer)
        self._values, self._test_values = row, {}
        self._write_json(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the final values, after all callbacks have measured."""
        if not self._rows:
            return
        self._write_csv(trainer)  # for a resumed run with nothing left to train
        stopping = find_callback(trainer, EpsilonPatience)
        row = self._rows[-1]
        if stopping and stopping.chosen_epoch is not None:
            row = next(row for row in self._rows if row["epoch"] == stopping.chosen_epoch)
            row = {**row, "chosen_epoch": stopping.chosen_epoch}
        self._values, self._test_values = row | self._values_of_callbacks(trainer), {}
        self._write_json(trainer)

    def _values_of_callbacks(self, trainer: Trainer) -> dict[str, float]:
        """Return the values that other callbacks measured: baselines, and details of the final weights."""
        baselines, details = find_callback(trainer, BaselineMetrics), find_callback(trainer, DetailedMetrics)
        return (baselines.results if baselines else {}) | (details.results if details else {})

    def _write_csv(self, trainer: Trainer) -> None:
        folder = run_folder(trainer)
        if folder is not None and self._rows:
            write_rows(folder / "metrics.csv", self._rows)

    def _write_json(self, trainer: Trainer) -> None:
        folder = run_folder(trainer)
        if folder is None:
            return
        test = self._test_values
        if self._values:
            # The names of baselines do not tell on which images they were measured.
            test = {f"test/{name}" if name.startswith("baseline/") else name: v for name, v in test.items()}
        write_metrics(folder / "metrics.json", self._values | test)

    def state_dict(self) -> dict[str, Any]:
        """Return the rows, and what is known of the current epoch."""
        elapsed = time.perf_counter() - self._started
        return {"rows": self._rows, "elapsed": elapsed, "lr": self._lr, "validated": self._validated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the rows of the resumed run."""
        self._rows = list(state_dict["rows"])
        self._elapsed = state_dict.get("elapsed", 0.0)
        self._lr = state_dict.get("lr", 0.0)
        self._validated = state_dict.get("validated", False)


def _numbers(trainer: Trainer) -> dict[str, float]:
    return {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}

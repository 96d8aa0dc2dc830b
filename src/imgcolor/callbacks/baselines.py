"""Measure the baselines on the validation and test images."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from torchmetrics import MeanMetric

from imgcolor.baselines.comparison import best_baselines
from imgcolor.callbacks.baseline_fitting import baseline_images, gives_logits, task_baselines
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.data import Batch, ImageDataModule
from imgcolor.data.batch import as_batch
from imgcolor.tasks import ColourClassification, ColourTask
from imgcolor.tasks.measuring import make_metrics


class BaselineMeter:
    """Compute a task's metrics, loss and accuracy for one baseline.

    Args:
        task: The task.
        name: The baseline's name.
        baseline: The baseline, from :func:`~imgcolor.callbacks.baseline_fitting.task_baselines`.
    """

    def __init__(self, task: ColourTask, name: str, baseline: nn.Module) -> None:
        self._task = task
        self._baseline = baseline
        self._prefix = f"baseline/{name}/"
        self._metrics = make_metrics(self._prefix).to(task.device)
        self._means: dict[str, MeanMetric] = {}

    @torch.no_grad()
    def update(self, batch: Batch) -> None:
        """Add a batch."""
        output = self._baseline(batch.degraded)
        images = baseline_images(self._task, self._baseline, output)
        self._metrics.update(images.contiguous(), batch.original)
        for name, value in self._extra_metrics(output, images, batch.original).items():
            mean = self._means.setdefault(name, MeanMetric().to(value.device))
            mean.update(value, weight=len(images))

    def _extra_metrics(self, output: Tensor, images: Tensor, original: Tensor) -> dict[str, Tensor]:
        if not isinstance(self._task, ColourClassification):
            return {"loss": self._task.loss(self._task.coding.target(images), original)}
        target = self._task.coding.target(original)
        if gives_logits(self._baseline):
            guess = output.argmax(dim=1)
            return {"loss": self._task.loss(output, original), "accuracy": (guess == target).float().mean()}
        return {"accuracy": (self._task.palette.encode(images) == target).float().mean()}

    def compute(self) -> dict[str, float]:
        """Return the values over all batches so far: ``baseline/NAME/METRIC`` to value."""
        values = self._metrics.compute() | {
            self._prefix + k: mean.compute() for k, mean in self._means.items()
        }
        return {name: float(value) for name, value in values.items()}


class BaselineMetrics(Callback):
    """Measure the baselines of the task once, on the images of the first validation or of the test.

    Logged at the end of the first validation: ``baseline/bilinear/psnr``, ``baseline/grey_lookup/mse`` and so on,
    with the same metrics as the network's; with a palette also ``accuracy``, the proportion of pixels whose
    palette colour is right. Every row of ``metrics.csv`` has them. Lookup tables are fitted to the training images
    first, in a few seconds.

    TensorBoard would show a chart for each of these names. It gets the best baseline of each metric instead, as a
    run called ``baseline`` in the folder of the fit: a horizontal line in the network's charts.
    """

    def __init__(self) -> None:
        self.results: dict[str, float] = {}
        """``baseline/NAME/METRIC`` to value; empty before the end of the first validation."""
        self.baselines: dict[str, nn.Module] = {}
        """The baselines by name; empty before the first validation."""
        self._meters: list[BaselineMeter] = []
        self._loaded = False
        self._baseline_run: SummaryWriter | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the values of a resumed run in the new run's folder."""
        if self.results:
            self.log_metrics(trainer, self.results, "val")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure again, because the values of a checkpoint may be of other images."""
        if self._loaded or trainer.state.fn == "validate":
            self.results, self._loaded = {}, False

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure again on the test images."""
        self.results = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Add a batch of the first validation."""
        if not trainer.sanity_checking:
            self._update(trainer, pl_module, batch, batch_idx)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Add a batch."""
        self._update(trainer, pl_module, batch, batch_idx)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the values after the first validation, and continue the line in TensorBoard after the others."""
        if trainer.sanity_checking:
            return
        if self.results:
            self._draw_baseline(trainer, self.results, "val")
        else:
            self._compute(trainer, "val")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the values."""
        self._compute(trainer, "test")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the TensorBoard file."""
        if self._baseline_run is not None:
            self._baseline_run.close()
            self._baseline_run = None

    def _update(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        if self.results or not isinstance(pl_module, ColourTask):
            return
        batch = as_batch(batch)
        if batch_idx == 0:
            datamodule = getattr(trainer, "datamodule", None)
            datamodule = datamodule if isinstance(datamodule, ImageDataModule) else None
            self.baselines = task_baselines(pl_module, datamodule, batch)
            self._meters = [BaselineMeter(pl_module, *named) for named in self.baselines.items()]
        for meter in self._meters:
            meter.update(batch)

    def _compute(self, trainer: Trainer, split: Literal["val", "test"]) -> None:
        for meter in self._meters:
            self.results |= meter.compute()
        self._meters = []
        if self.results:
            self.log_metrics(trainer, self.results, split)

    def log_metrics(
        self, trainer: Trainer, metrics: Mapping[str, float], split: Literal["val", "test"]
    ) -> None:
        """Log values of the baselines.

        Args:
            trainer: Has the loggers.
            metrics: ``baseline/NAME/METRIC`` to value.
            split: The images that they were measured on.
        """
        for logger in trainer.loggers:
            if not isinstance(logger, TensorBoardLogger):
                logger.log_metrics(dict(metrics), step=trainer.global_step)
        self._draw_baseline(trainer, metrics, split)
        if self._baseline_run is not None:
            rows = [
                f"| {split}/{metric} | {v:.5g} | {n} |" for metric, (n, v) in best_baselines(metrics).items()
            ]
            table = "\n".join(["| metric | value | best baseline |", "|---|---|---|", *rows])
            self._baseline_run.add_text("baseline", table, trainer.global_step)

    def _draw_baseline(self, trainer: Trainer, metrics: Mapping[str, float], split: str) -> None:
        """Add a point to the lines of the best baselines, if there is a TensorBoard logger."""
        if self._baseline_run is None:
            folder = run_folder(trainer)
            if folder is None or not any(isinstance(logger, TensorBoardLogger) for logger in trainer.loggers):
                return
            self._baseline_run = SummaryWriter(folder / "baseline")
        for metric, (_, value) in best_baselines(metrics).items():
            self._baseline_run.add_scalar(f"{split}/{metric}", value, trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        """Return the values, for a resumed run with nothing left to train."""
        return {"results": self.results}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the values of the resumed run."""
        self.results = dict(state_dict["results"])
        self._loaded = True

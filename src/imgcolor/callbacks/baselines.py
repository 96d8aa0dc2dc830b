"""What needs no training, measured beside every fit."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torchmetrics import MeanMetric, MetricCollection

from imgcolor.baselines import fitting_baselines
from imgcolor.data.batch import Batch
from imgcolor.tasks import ColourClassification, ColourTask


class BaselineMetrics(Callback):
    """Measures the fitting baselines on the validation images, once, in passing.

    Logged at the end of the first validation: ``baseline/bilinear/psnr``, ``baseline/grey_copy/mse`` and so on,
    the same figures as a network's; with a palette also ``accuracy``, the share of pixels whose palette colour is
    right. They are in every row of ``metrics.csv``, so that a network's figures stand beside their floor.
    """

    def __init__(self) -> None:
        self.results: dict[str, float] = {}
        """Name to value; empty until the first validation has ended."""
        self._baselines: dict[str, nn.Module] = {}
        self._metrics: dict[str, MetricCollection] = {}
        self._accuracies: dict[str, MeanMetric] = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count a batch of the first validation."""
        if trainer.sanity_checking or self.results or not isinstance(pl_module, ColourTask):
            return
        if batch_idx == 0:
            self._baselines = fitting_baselines(batch)
            device = batch.original.device
            for name in self._baselines:
                prefix = f"baseline/{name}/"
                self._metrics[name] = pl_module.val_metrics.clone(prefix=prefix).to(device)
                self._metrics[name].reset()
                self._accuracies[name] = MeanMetric().to(device)
        for name, baseline in self._baselines.items():
            pictures = baseline(batch.degraded)
            self._metrics[name].update(pictures, batch.original)
            if isinstance(pl_module, ColourClassification):
                right = pl_module.palette.encode(pictures) == pl_module.palette.encode(batch.original)
                self._accuracies[name].update(right.float())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log them, if this was the first validation."""
        if trainer.sanity_checking or self.results:
            return
        for name, metrics in self._metrics.items():
            self.results |= {key: float(value) for key, value in metrics.compute().items()}
            if isinstance(pl_module, ColourClassification):
                self.results[f"baseline/{name}/accuracy"] = float(self._accuracies[name].compute())
        self._metrics, self._accuracies = {}, {}
        for logger in trainer.loggers:
            logger.log_metrics(self.results, step=trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        """The figures, so that a resumed run need not measure again."""
        return {"results": self.results}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the figures of the run that is resumed."""
        self.results = dict(state_dict["results"])

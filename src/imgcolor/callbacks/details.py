"""The result of a run, measured in more ways than every epoch could afford."""

from typing import Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torchmetrics import Metric

from imgcolor.callbacks.baseline_fitting import baseline_images, task_baselines
from imgcolor.callbacks.baselines import BaselineMetrics
from imgcolor.callbacks.finding import find_callback
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.data import ImageDataModule
from imgcolor.metrics import Colourfulness, DeltaE, MarginCurve, StructuralSimilarity, perceptual_similarity
from imgcolor.tasks import ColourTask
from imgcolor.utils.modes import eval_mode
from imgcolor.visualization.curves import plot_margins

MARGINS = (4, 8, 16, 24, 32)
"""The margins, beside 12, whose accuracies are logged; the image has all of them."""


class ImageMeter(nn.Module):
    """Measures images by what the eye sees.

    Args:
        lpips: Whether learned perceptual similarity is measured too.
    """

    def __init__(self, lpips: bool = False) -> None:
        super().__init__()
        # One process measures all images: the others are not there to be waited for.
        self.ssim = StructuralSimilarity(sync_on_compute=False)
        self.delta_e = DeltaE(sync_on_compute=False)
        self.colourfulness = Colourfulness(sync_on_compute=False)
        self.margins = MarginCurve(sync_on_compute=False)
        self.lpips = perceptual_similarity(sync_on_compute=False) if lpips else None

    def update(self, images: Tensor, original: Tensor) -> None:
        """Count a batch: float [B, 3, H, W] in [0, 1], both."""
        for metric in (self.ssim, self.delta_e, self.margins, self.lpips):
            if metric is not None:
                metric.update(images, original)
        self.colourfulness.update(images)

    def compute(self) -> dict[str, float]:
        """The figures so far, name to value."""
        named: dict[str, Metric] = {
            "ssim": self.ssim,
            "delta_e": self.delta_e,
            "colourfulness": self.colourfulness,
        }
        if self.lpips is not None:
            named["lpips"] = self.lpips
        curve = self.margins.compute()
        return {name: float(metric.compute()) for name, metric in named.items()} | {
            f"margin{margin}": float(curve[margin]) for margin in MARGINS
        }


class DetailedMetrics(Callback):
    """Measures the final weights and the fitting baselines by what the eye sees.

    At the end of a fit, on the validation images, and with ``imgcolor validate`` and ``test``: ``ssim``,
    ``delta_e`` (CIEDE2000), ``colourfulness`` and, of the truth, ``colourfulness_target``, and ``margin4``,
    ``margin8`` ... (the share of channel values that are less than so many of 256 levels off), under ``val/``
    or ``test/`` for the network and ``baseline/NAME/`` for the baselines. They are in ``metrics.json`` and in
    TensorBoard, and ``margins.png`` in the run's folder draws the accuracy over all margins.

    Args:
        lpips: Whether ``lpips`` is measured too; its network's weights are downloaded where they are missing.
    """

    def __init__(self, lpips: bool = False) -> None:
        self.lpips = lpips
        self.results: dict[str, float] = {}
        """Name to value; empty until they have been measured."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find missing weights before hours of training, not after."""
        if self.lpips and stage != "predict":
            perceptual_similarity()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure what the fit ended with."""
        self._measure(trainer, pl_module, "val")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure for ``imgcolor validate``."""
        if trainer.state.fn == "validate":
            self._measure(trainer, pl_module, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure for ``imgcolor test``."""
        self._measure(trainer, pl_module, "test")

    def _measure(self, trainer: Trainer, pl_module: LightningModule, split: Literal["val", "test"]) -> None:
        datamodule = getattr(trainer, "datamodule", None)
        folder = run_folder(trainer)
        if (
            not isinstance(datamodule, ImageDataModule)
            or folder is None
            or not isinstance(pl_module, ColourTask)
        ):
            return
        meters: dict[str, ImageMeter] = {split: ImageMeter(self.lpips).to(pl_module.device)}
        truth = Colourfulness(sync_on_compute=False).to(pl_module.device)
        known = find_callback(trainer, BaselineMetrics)
        baselines: dict[str, nn.Module] = {}
        with eval_mode(pl_module):
            for number, pixels in enumerate(datamodule.whole(split)):
                batch = datamodule.batch(pixels.to(pl_module.device))
                if number == 0:
                    baselines = known.baselines if known else {}
                    baselines = baselines or task_baselines(pl_module, datamodule, batch)
                    for name in baselines:
                        meters[f"baseline/{name}"] = ImageMeter(self.lpips).to(pl_module.device)
                meters[split].update(pl_module(batch.degraded), batch.original)
                truth.update(batch.original)
                for name, baseline in baselines.items():
                    images = baseline_images(pl_module, baseline, baseline(batch.degraded))
                    meters[f"baseline/{name}"].update(images, batch.original)
        self.results = {f"{split}/colourfulness_target": float(truth.compute())}
        for group, meter in meters.items():
            self.results |= {f"{group}/{metric}": value for metric, value in meter.compute().items()}
        curves = {name.removeprefix("baseline/"): meter.margins.compute() for name, meter in meters.items()}
        plot_margins(curves, folder / "margins.png")
        own = {name: value for name, value in self.results.items() if not name.startswith("baseline/")}
        for logger in trainer.loggers:
            logger.log_metrics(own if known else self.results, step=trainer.global_step)
        of_baselines = {name: value for name, value in self.results.items() if name not in own}
        if known and of_baselines:
            known.log_metrics(trainer, of_baselines, split)

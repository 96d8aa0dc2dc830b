"""Measure the final weights with more metrics than each epoch has."""

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
"""The margins, in addition to 12, whose accuracies are logged; ``margins.png`` shows all margins."""


class PerceptualMetrics(nn.Module):
    """SSIM, CIEDE2000, colourfulness, margin accuracies and, if wanted, LPIPS.

    Args:
        lpips: Whether LPIPS is measured.
    """

    def __init__(self, lpips: bool = False) -> None:
        super().__init__()
        # One rank measures all images; the others take no part.
        self.ssim = StructuralSimilarity(sync_on_compute=False)
        self.delta_e = DeltaE(sync_on_compute=False)
        self.colourfulness = Colourfulness(sync_on_compute=False)
        self.margins = MarginCurve(sync_on_compute=False)
        self.lpips = perceptual_similarity(sync_on_compute=False) if lpips else None

    def update(self, images: Tensor, original: Tensor) -> None:
        """Add a batch; both float [B, 3, H, W] in [0, 1]."""
        for metric in (self.ssim, self.delta_e, self.margins, self.lpips):
            if metric is not None:
                metric.update(images, original)
        self.colourfulness.update(images)

    def compute(self) -> dict[str, float]:
        """Return the metrics of all batches: name to value."""
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
    """Measures the final weights and the baselines with perceptual metrics and more margins.

    It does so at the end of a fit, on the validation images, and with ``imgcolor validate`` and ``imgcolor
    test``. The metrics are ``ssim``, ``delta_e`` (CIEDE2000), ``colourfulness``, ``colourfulness_target`` (of
    the original images) and ``margin4``, ``margin8`` and so on (the fraction of channel values that differ by
    less than that many of 256 levels). They use the images that the other metrics use, so with ``limit_val_batches``
    only those of the first batches. Their names start with ``val/`` or ``test/`` for the network and with
    ``baseline/NAME/`` for a baseline. They go to ``metrics.json`` and TensorBoard. ``margins.png`` in the run
    folder shows the accuracy for all margins.

    Args:
        lpips: Whether ``lpips`` is measured too; missing weights of its network are downloaded.
    """

    def __init__(self, lpips: bool = False) -> None:
        self.lpips = lpips
        self.results: dict[str, float] = {}
        """Name to value; empty before the measurement."""
        self.images = (0, 0)
        """The number of images that were measured, and of all images."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Load the weights of LPIPS, so that errors come before training."""
        if self.lpips and stage != "predict":
            perceptual_similarity()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure the final weights of a fit."""
        self._measure(trainer, pl_module, "val")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure for ``imgcolor validate``."""
        if trainer.state.fn == "validate":
            self._measure(trainer, pl_module, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure for ``imgcolor test``."""
        self._measure(trainer, pl_module, "test")

    def _measure(self, trainer: Trainer, pl_module: LightningModule, split: Literal["val", "test"]) -> None:
        self.results = {}  # those of an earlier command may be of other images
        datamodule = getattr(trainer, "datamodule", None)
        folder = run_folder(trainer)
        if (
            not isinstance(datamodule, ImageDataModule)
            or folder is None
            or not isinstance(pl_module, ColourTask)
        ):
            return
        limit = _batches(trainer, split)
        if limit == 0:
            return
        metrics: dict[str, PerceptualMetrics] = {split: PerceptualMetrics(self.lpips).to(pl_module.device)}
        originals = Colourfulness(sync_on_compute=False).to(pl_module.device)
        known = find_callback(trainer, BaselineMetrics)
        self.images = (0, 0)
        baselines: dict[str, nn.Module] = {}
        with eval_mode(pl_module):
            for number, pixels in enumerate(datamodule.whole(split, limit)):
                self.images = (self.images[0] + len(pixels), len(datamodule.images(split).names))
                batch = datamodule.batch(pixels.to(pl_module.device))
                if number == 0:
                    baselines = known.baselines if known else {}
                    baselines = baselines or task_baselines(pl_module, datamodule, batch)
                    for name in baselines:
                        metrics[f"baseline/{name}"] = PerceptualMetrics(self.lpips).to(pl_module.device)
                metrics[split].update(pl_module(batch.degraded), batch.original)
                originals.update(batch.original)
                for name, baseline in baselines.items():
                    images = baseline_images(pl_module, baseline, baseline(batch.degraded))
                    metrics[f"baseline/{name}"].update(images, batch.original)
        self.results = {f"{split}/colourfulness_target": float(originals.compute())}
        for group, found in metrics.items():
            self.results |= {f"{group}/{metric}": value for metric, value in found.compute().items()}
        curves = {name.removeprefix("baseline/"): found.margins.compute() for name, found in metrics.items()}
        plot_margins(curves, folder / "margins.png")
        own = {name: value for name, value in self.results.items() if not name.startswith("baseline/")}
        for logger in trainer.loggers:
            logger.log_metrics(own if known else self.results, step=trainer.global_step)
        of_baselines = {name: value for name, value in self.results.items() if name not in own}
        if known and of_baselines:
            known.log_metrics(trainer, of_baselines, split)


def _batches(trainer: Trainer, split: Literal["val", "test"]) -> int | None:
    """Return how many batches of each rank Lightning evaluates; None if it has evaluated none yet."""
    limit = trainer.limit_val_batches if split == "val" else trainer.limit_test_batches
    if limit == 0:
        return 0
    batches = trainer.num_val_batches if split == "val" else trainer.num_test_batches
    batches = batches if isinstance(batches, list) else [batches]
    return int(batches[0]) if batches and batches[0] else None

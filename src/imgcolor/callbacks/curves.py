"""A run's curves as an image."""

from lightning.pytorch import Callback, LightningModule, Trainer

from imgcolor.callbacks.run_folder import run_folder
from imgcolor.visualization.curves import plot_curves, read_metrics


class CurvePlot(Callback):
    """Draws ``curves.png`` from the run's ``metrics.csv`` (see :class:`MetricsFiles`) when a fit ends."""

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        folder = run_folder(trainer)
        if folder is not None and (folder / "metrics.csv").exists():
            plot_curves({folder.name: read_metrics(folder / "metrics.csv")}, folder / "curves.png")

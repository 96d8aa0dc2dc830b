"""Draw the curves of a run."""

from lightning.pytorch import Callback, LightningModule, Trainer

from imgcolor.callbacks.run_folder import run_folder
from imgcolor.visualization.curves import plot_curves, read_metrics


class CurvePlot(Callback):
    """Draws ``curves.png`` from the ``metrics.csv`` of the run (see :class:`MetricsFiles`) at the end of a fit."""

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the curves."""
        folder = run_folder(trainer)
        if folder is not None and (folder / "metrics.csv").exists():
            plot_curves({folder.name: read_metrics(folder / "metrics.csv")}, folder / "curves.png")

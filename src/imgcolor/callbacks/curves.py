"""Draw the curves of a run."""

from lightning.pytorch import Callback, LightningModule, Trainer

from imgcolor.baselines.comparison import best_baselines
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.visualization.curves import plot_curves, read_metrics


class CurvePlot(Callback):
    """Draws ``curves.png`` from the ``metrics.csv`` of the run (see :class:`MetricsFiles`) at the end of a fit.

    A level line in each panel shows the best baseline.
    """

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the curves."""
        folder = run_folder(trainer)
        if folder is not None and (folder / "metrics.csv").exists():
            columns = read_metrics(folder / "metrics.csv")
            last = {name: points[-1][1] for name, points in columns.items()}
            plot_curves({folder.name: columns}, folder / "curves.png", baselines=best_baselines(last))

"""Lightning's trainer with one more command: metrics of the baselines."""

from contextlib import nullcontext
from functools import cached_property
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.profilers import PassThroughProfiler
from rich.console import Console
from rich.progress import track

from imgcolor.callbacks.baseline_fitting import baseline_images, task_baselines
from imgcolor.callbacks.baselines import BaselineMeter
from imgcolor.callbacks.details import PerceptualMetrics
from imgcolor.callbacks.run_folder import DEFAULT_NAME, new_run_folder, run_folder
from imgcolor.cli.result_tables import baseline_table
from imgcolor.data import ImageDataModule
from imgcolor.tasks import ColourTask
from imgcolor.utils.files import write_metrics
from imgcolor.utils.modes import eval_mode
from imgcolor.utils.text import count_of


class NoProfiler(PassThroughProfiler):
    """Measures nothing. Lightning's own such profiler makes a context for each hook of each callback, 200 per step."""

    _nothing = nullcontext()

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]  # a context, as there
        """Return a context that does nothing."""
        return self._nothing


class ImgcolorTrainer(Trainer):
    """Lightning's trainer with the additional command ``baseline``, and a run folder whichever logger there is."""

    @cached_property
    def default_run_folder(self) -> Path:
        """A new folder, for runs whose loggers do not choose one."""
        return new_run_folder(Path(self.default_root_dir) / DEFAULT_NAME)

    @property
    def log_dir(self) -> str | None:
        """The run folder, on all ranks."""
        folder = run_folder(self)
        return self.strategy.broadcast(None if folder is None else str(folder))

    def baseline(self, model: ColourTask, datamodule: ImageDataModule, output: Path | None = None) -> None:
        """Print the metrics of the baselines on the validation images.

        Baselines that need fitting are fitted to the training images, in one pass. The network is not used.

        Args:
            model: The task, which has the metrics and the palette.
            datamodule: The images and their degradation.
            output: A JSON file to write the metrics to.
        """
        model.trainer = self
        datamodule.setup("fit")
        model.fit(datamodule)
        console = Console(stderr=True)
        metrics: dict[str, float] = {}
        loader = datamodule.whole("val")
        first = datamodule.batch(next(iter(loader)))
        for name, baseline in task_baselines(model, datamodule, first).items():
            meter, details = BaselineMeter(model, name, baseline), PerceptualMetrics()
            with eval_mode(model):
                for pixels in track(
                    loader, name, console=console, transient=True, disable=not console.is_terminal
                ):
                    batch = datamodule.batch(pixels)
                    meter.update(batch)
                    images = baseline_images(model, baseline, baseline(batch.degraded))
                    details.update(images, batch.original)
            metrics |= meter.compute()
            metrics |= {f"baseline/{name}/{metric}": value for metric, value in details.compute().items()}
        count = len(datamodule.images("val").names)
        Console(width=120).print(
            baseline_table(f"{count_of(count, 'validation image')}, without a network", metrics)
        )
        if output is not None:
            write_metrics(output, metrics)

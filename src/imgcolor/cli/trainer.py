"""Lightning's trainer, which spends less between steps and can also measure what needs no training."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.profilers import PassThroughProfiler, Profiler
from rich.console import Console
from rich.progress import track

from imgcolor.callbacks.baseline_fitting import baseline_images, task_baselines
from imgcolor.callbacks.baselines import BaselineMeter
from imgcolor.callbacks.details import ImageMeter
from imgcolor.callbacks.progress_bar import CalmProgressBar
from imgcolor.cli.result_tables import baseline_table
from imgcolor.data import ImageDataModule
from imgcolor.tasks import ColourTask
from imgcolor.utils.files import write_metrics
from imgcolor.utils.modes import eval_mode


class NoProfiler(PassThroughProfiler):
    """Does nothing, as Lightning's own does, but in less time: it is asked more than a hundred times a step."""

    _nothing = nullcontext()

    def profile(self, action_name: str) -> AbstractContextManager[Any]:  # type: ignore[override]  # Lightning's says generator, and means what a with takes
        """Nothing."""
        return self._nothing


class ImgcolorTrainer(Trainer):
    """Lightning's trainer with less to do between steps, and one more command."""

    callbacks: list[Callback]
    profiler: Profiler

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = kwargs.get("callbacks") or []
        given = [given] if isinstance(given, Callback) else given
        if type(self.profiler) is PassThroughProfiler:
            self.profiler = NoProfiler()
        for position, callback in enumerate(self.callbacks):
            if type(callback) is RichProgressBar and callback not in given:
                self.callbacks[position] = CalmProgressBar()

    def baseline(self, model: ColourTask, datamodule: ImageDataModule, output: Path | None = None) -> None:
        """Measure on the validation images what needs no network: copies, interpolations, tables.

        Tables are learned from the training images, in one pass. The network of the configuration is not asked.

        Args:
            model: Says which figures count, and has the palette.
            datamodule: Where the images come from, and what is taken from them.
            output: A JSON file for the figures; they are printed in any case.
        """
        model.trainer = self
        datamodule.setup("fit")
        model.fit(datamodule)
        console = Console(stderr=True)
        metrics: dict[str, float] = {}
        loader = datamodule.whole("val")
        first = datamodule.batch(next(iter(loader)))
        for name, baseline in task_baselines(model, datamodule, first).items():
            meter, details = BaselineMeter(model, name, baseline), ImageMeter()
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
        Console(width=120).print(baseline_table(f"{count} validation images, without a network", metrics))
        if output is not None:
            write_metrics(output, metrics)

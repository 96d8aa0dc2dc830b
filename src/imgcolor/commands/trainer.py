"""Lightning's trainer, which can also measure what needs no training."""

from pathlib import Path

from lightning.pytorch import Trainer
from rich.console import Console
from rich.progress import track

from imgcolor.callbacks.baselines import BaselineMeter
from imgcolor.callbacks.details import PictureMeter
from imgcolor.commands.results import baseline_table
from imgcolor.data import ImageDataModule
from imgcolor.files import write_figures
from imgcolor.modes import evaluating
from imgcolor.tasks import ColourTask
from imgcolor.tasks.floors import fitting_floors, floor_pictures


class BaselineTrainer(Trainer):
    """Lightning's trainer with one more command."""

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
        model.learn(datamodule)
        console = Console(stderr=True)
        figures: dict[str, float] = {}
        loader = datamodule.whole("val")
        first = datamodule.batch(next(iter(loader)))
        for name, floor in fitting_floors(model, datamodule, first).items():
            meter, details = BaselineMeter(model, name, floor), PictureMeter()
            with evaluating(model):
                for pixels in track(
                    loader, name, console=console, transient=True, disable=not console.is_terminal
                ):
                    batch = datamodule.batch(pixels)
                    meter.update(batch)
                    pictures = floor_pictures(model, floor, floor(batch.degraded))
                    details.update(pictures, batch.original)
            figures |= meter.compute()
            figures |= {f"baseline/{name}/{figure}": value for figure, value in details.compute().items()}
        count = len(datamodule.images("val").names)
        Console(width=120).print(baseline_table(f"{count} validation images, without a network", figures))
        if output is not None:
            write_figures(output, figures)

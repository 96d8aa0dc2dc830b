"""fit, validate, test and predict: Lightning's command line with imgcolor's run folder around it."""

import logging
import re
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any, TypeVar

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

import imgcolor.networks  # noqa: F401  # so that --model.network ColourUNet finds them by name alone
from imgcolor.callbacks import BaselineMetrics, CurvePlot, ImageLogger, MetricsFiles, PredictionWriter
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.checkpoint import remember
from imgcolor.data import ImageDataModule
from imgcolor.tasks import ColourTask

T = TypeVar("T")


class ReadableHelpParser(LightningArgumentParser):
    """Lightning's parser, with help that names imgcolor's networks and not all of torch's modules."""

    def format_help(self, *args: Any, **kwargs: Any) -> str:
        """The help text, with long lists of known subclasses cut down to imgcolor's networks."""

        def shorten(match: re.Match[str]) -> str:
            names = re.sub(r"\s", "", match[1]).split(",")
            if len(names) > 12:
                names = [name for name in names if name.startswith("imgcolor.networks.")]
            indent = "\n" + " " * 24
            return f",{indent}known subclasses: {f',{indent}'.join(names)})" if names else ")"

        text: str = super().format_help(*args, **kwargs)
        return re.sub(r",\s+known\s+subclasses:([^()]*)\)", shorten, text)


class ImgcolorCLI(LightningCLI):
    """Lightning's command line for imgcolor's tasks and data.

    Callbacks that make up the run's folder have keys of their own (``checkpoint``, ``images``, ``predictions``),
    so that no configuration file loses them by having a list of callbacks.
    """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the run folder's callbacks."""
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.filename": "best",
                "checkpoint.monitor": "val/loss",
                "checkpoint.save_last": True,
                "checkpoint.enable_version_counter": False,
            }
        )
        parser.add_lightning_class_args(ImageLogger, "images")
        parser.add_lightning_class_args(PredictionWriter, "predictions")

    def instantiate_classes(self) -> None:
        """Build everything, and keep the network's recipe for the checkpoint."""
        super().instantiate_classes()
        recipe = self._get(self.config, "model").as_dict()["init_args"]["network"]
        remember(self.model.network, recipe)

    def after_fit(self) -> None:
        """Say how it went and where everything is."""
        folder = Path(self.trainer.log_dir or ".")
        self._report(
            f"{self.trainer.current_epoch} epochs",
            {
                "run folder": folder,
                "pictures": self._callback(ImageLogger).latest,
                "checkpoint": folder / "checkpoints" / "last.ckpt",
                "TensorBoard": f"{_program('tensorboard')} --logdir {folder.parent}",
            },
        )

    def after_validate(self) -> None:
        """Say where the files are."""
        self._report("validation", {"run folder": self.trainer.log_dir})

    def after_predict(self) -> None:
        """Say where the pictures are."""
        writer = self._callback(PredictionWriter)
        self._report(f"{writer.written} pictures", {"folder": writer.folder})

    def _callback(self, kind: type[T]) -> T:
        callbacks = self.trainer.callbacks  # type: ignore[attr-defined]  # set where mypy does not see it
        return next(callback for callback in callbacks if isinstance(callback, kind))

    def _report(self, title: str, lines: dict[str, Any]) -> None:
        if run_folder(self.trainer) is None:
            return
        numbers = (
            f"{name} {float(value):.4g}" for name, value in sorted(self.trainer.callback_metrics.items())
        )
        print(f"\n{title}: {', '.join(numbers)}" if self.trainer.callback_metrics else f"\n{title}")
        for name, value in lines.items():
            if value is not None:
                print(f"  {name:12}{value}")


def run(arguments: list[str]) -> None:
    """Run one of Lightning's commands.

    Args:
        arguments: The command and its options.
    """
    _quieten()
    ImgcolorCLI(
        ColourTask,
        ImageDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        load_from_checkpoint_support=False,
        parser_class=ReadableHelpParser,
        seed_everything_default=0,
        trainer_defaults={"callbacks": [BaselineMetrics(), MetricsFiles(), CurvePlot()]},
        parser_kwargs={
            "prog": "imgcolor",
            "exit_on_error": False,
            **{command: {"exit_on_error": False} for command in ImgcolorCLI.subcommands()},
        },
        args=arguments,
    )


def _quieten() -> None:
    """Leave out what Lightning says that does not hold here or asks nothing of the user."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (
        "LightningCLI's args parameter",  # main() hands its words on
        ".*does not have many workers.*",  # the images are in memory
        ".*treespec, LeafSpec.*",  # Lightning's own use of torch
        "The dirpath has changed",  # a resumed run has a folder of its own
        ".*number of training batches.*logging interval.*",  # every logged value is an epoch's
    ):
        warnings.filterwarnings("ignore", message)


def _program(name: str) -> str:
    """How to call a program of this environment: by name where that finds it, else by path."""
    beside = Path(sys.executable).with_name(name)
    if shutil.which(name) or not beside.exists():
        return name
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)

"""fit, validate, test, predict and baseline: Lightning's command line with imgcolor's run folder around it."""

import json
import re
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException
from rich.console import Console

import imgcolor
import imgcolor.data.augmentations
import imgcolor.data.faces
import imgcolor.data.horses
import imgcolor.networks  # like the DataModules, so that options find the classes without their packages' names
from imgcolor.callbacks import (
    BaselineMetrics,
    BestCheckpoint,
    CurvePlot,
    DetailedMetrics,
    EpochSeed,
    ImageLogger,
    LastCheckpoint,
    MetricsFiles,
    PredictionWriter,
)
from imgcolor.callbacks.checkpoints import AtomicCheckpointIO
from imgcolor.callbacks.finding import find_callback
from imgcolor.callbacks.lost_rank import LostRank
from imgcolor.callbacks.provenance import Provenance
from imgcolor.callbacks.resume_hint import ResumeHint
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.callbacks.tensorboard import log_hyperparameters, log_origin
from imgcolor.checkpoints.config import set_config
from imgcolor.checkpoints.files import read_checkpoint
from imgcolor.cli.options import import_from_here
from imgcolor.cli.result_tables import result_table
from imgcolor.cli.resuming import last_checkpoint
from imgcolor.cli.runtime import keep_freed_memory, quieten_lightning, skip_driver_search
from imgcolor.cli.trainer import ImgcolorTrainer
from imgcolor.data import ImageDataModule
from imgcolor.tasks import ColourTask
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.precision import has_fast_bfloat16


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

    Callbacks that make up the run's folder have keys of their own (``checkpoint``, ``images``, ``details``,
    ``predictions``), so that no configuration file loses them by having a list of callbacks.
    """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the run folder's callbacks."""
        parser.add_lightning_class_args(BestCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.filename": "best",
                "checkpoint.monitor": "val/loss",
                "checkpoint.enable_version_counter": False,
                # After everything else of an epoch, so that a checkpoint holds what the epoch's files say.
                "checkpoint.save_on_train_epoch_end": True,
            }
        )
        parser.add_lightning_class_args(ImageLogger, "images")
        parser.add_lightning_class_args(DetailedMetrics, "details")
        parser.add_lightning_class_args(PredictionWriter, "predictions")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, and read the checkpoint first of all: a bad one is refused before a run's folder is there."""
        super().parse_arguments(parser, args)
        assert isinstance(args, list)  # what run() gives
        self._arguments: list[str] = args
        command = self.config["subcommand"]
        path = self.config[command].get("ckpt_path")
        if path is None and command in ("validate", "test", "predict"):
            raise ImgcolorError(
                f"{command}: expected a trained network, found none; give --ckpt_path CHECKPOINT"
            )
        if path == "last":
            plain = yaml.safe_load(self._parser(command).dump(self.config[command], skip_none=False))
            path = str(last_checkpoint(plain, fit=command == "fit"))
            self.config[command]["ckpt_path"] = path
            _tell(f"--ckpt_path last: {path}")
        # Lightning has words for some checkpoints, such as "best"; a file of that name it would read too.
        named = path is not None and (path not in ("best", "hpc") or Path(path).exists())
        self._checkpoint = read_checkpoint(path) if named else None
        if self._checkpoint is not None and self._checkpoint.get("hyper_parameters"):
            # Lightning would import and build what they name, in the place of the configuration's model.
            raise ImgcolorError(
                f"{path}: expected a checkpoint without hyperparameters, which would replace the configuration's "
                "model, found some; leave save_hyperparameters() out of the task"
            )

    def instantiate_classes(self) -> None:
        """Build everything, and keep the network's config for the checkpoint."""
        super().instantiate_classes()
        if type(self.trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            self.trainer.strategy.checkpoint_io = AtomicCheckpointIO()
        config = self._get(self.config, "model").as_dict().get("init_args", {}).get("network")
        if config is not None:
            set_config(self.model.network, config)

    def after_instantiate_classes(self) -> None:
        """Refuse a checkpoint of another network, and images that cannot be read, before anything is written."""
        if self._checkpoint is not None:
            self.model.check_checkpoint(self._checkpoint, str(self._get(self.config, "ckpt_path")))
            self._checkpoint = None
        self.datamodule.prepare_data()
        self.datamodule.setup("fit" if self.subcommand == "baseline" else self.subcommand)
        if self.subcommand != "baseline":  # runs no network
            self._warn_of_imitation()

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Lightning's commands and the trainer's own."""
        return {**LightningCLI.subcommands(), "baseline": {"model", "datamodule"}}

    def after_fit(self) -> None:
        """Say how it went and where everything is."""
        folder = Path(self.trainer.log_dir or ".")
        images = find_callback(self.trainer, ImageLogger)
        metrics = self._final_metrics()
        chosen = metrics.get("chosen_epoch")
        title = f"{self.trainer.current_epoch} epochs"
        if self.datamodule.holdout:
            title += " (val: held-out training images)"
        last = folder / "checkpoints" / "last.ckpt"
        self._report(
            title if chosen is None else f"{title}, stopped; the weights are those of epoch {chosen}",
            {
                "run folder": folder,
                "images": images.latest if images else None,
                "checkpoint": last if last.exists() else None,
                "TensorBoard": f"{_program('tensorboard')} --logdir {folder.parent}",
            },
            metrics,
        )

    def before_fit(self) -> None:
        """Have TensorBoard tell where the run comes from, and compare its options."""
        logger = self.trainer.logger
        if not isinstance(logger, TensorBoardLogger) or run_folder(self.trainer) is None:
            return
        config = self.config["fit"]
        yaml = self._parser("fit").dump(config, skip_none=False)
        log_origin(logger, self._arguments, yaml)
        log_hyperparameters(logger, self._arguments, vars(config.as_flat()), self.model)

    def before_validate(self) -> None:
        """Have the figures printed once, beside their baseline."""
        self.config_init["validate"]["verbose"] = False

    def before_test(self) -> None:
        """Have the figures printed once, beside their baseline."""
        self.config_init["test"]["verbose"] = False

    def _warn_of_imitation(self) -> None:
        precision, root = self.trainer.precision, self.trainer.strategy.root_device
        if str(precision).startswith("bf16") and not has_fast_bfloat16(root):
            on_cpu = root.type == "cpu"
            device, faster = ("this processor", "many times faster") if on_cpu else ("this GPU", "faster")
            _tell(
                f"--trainer.precision {precision}: {device} has no bfloat16 and only imitates it; "
                f"--trainer.precision 32-true is {faster} here"
            )

    def after_validate(self) -> None:
        """Say how it went and where the files are."""
        self._report_measured("validation")

    def after_test(self) -> None:
        """Say how it went and where the files are."""
        self._report_measured("test")

    def _report_measured(self, title: str) -> None:
        self._report(title, {"run folder": self.trainer.log_dir}, self._final_metrics())

    def _final_metrics(self) -> dict[str, float]:
        final = Path(self.trainer.log_dir or ".") / "metrics.json"
        return json.loads(final.read_text()) if final.exists() else {}

    def after_predict(self) -> None:
        """Say where the images are."""
        writer = find_callback(self.trainer, PredictionWriter)
        assert writer is not None  # add_arguments_to_parser adds it
        self._report(f"{writer.written} images", {"folder": writer.folder})

    def _report(
        self, title: str, lines: Mapping[str, Any], metrics: Mapping[str, float] | None = None
    ) -> None:
        if run_folder(self.trainer) is None:
            return
        print()
        if metrics:
            Console(width=100).print(result_table(title, metrics))
        else:
            print(title)
        for name, value in lines.items():
            if value is not None:
                print(f"  {name:12}{value}")


def run(arguments: list[str]) -> None:
    """Run one of Lightning's commands.

    Args:
        arguments: The command and its options.
    """
    quieten_lightning()
    skip_driver_search()
    keep_freed_memory()
    arguments = [arguments[0], *map(_with_package, arguments[1:])]
    import_from_here()
    lost = LostRank()
    try:
        _run(arguments, lost)
    except SIGTERMException as stop:
        # Lightning's own exit status says that all went well.
        raise SystemExit(128 + signal.SIGTERM) from stop
    except RuntimeError as error:
        if lost.error is None:
            raise
        raise lost.error from error


def _run(arguments: list[str], lost: LostRank) -> None:
    ImgcolorCLI(
        ColourTask,
        ImageDataModule,
        trainer_class=ImgcolorTrainer,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        load_from_checkpoint_support=False,
        parser_class=ReadableHelpParser,
        seed_everything_default=0,
        trainer_defaults={
            "callbacks": [
                Provenance(arguments),
                EpochSeed(),
                BaselineMetrics(),
                MetricsFiles(),
                CurvePlot(),
                LastCheckpoint(),
                ResumeHint(arguments),
                lost,
            ]
        },
        parser_kwargs={
            "prog": "imgcolor",
            "exit_on_error": False,
            **{command: {"exit_on_error": False} for command in ImgcolorCLI.subcommands()},
        },
        args=arguments,
    )


@rank_zero_only
def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _with_package(argument: str) -> str:
    """An experiment that comes with the package, for one that is named as in the repository and is not there."""
    option, given, path = argument.rpartition("=")
    if not path.startswith("experiments/") or Path(path).exists():
        return argument
    package = Path(imgcolor.__file__)
    # In a wheel they lie in the package, in a checkout where they are.
    for folder in (package.parent, package.parents[2]):
        if (folder / path).exists():
            return f"{option}{given}{folder / path}"
    return argument


def _program(name: str) -> str:
    """How to call a program of this environment: by name where that finds it, else by path."""
    beside = Path(sys.executable).with_name(name)
    if shutil.which(name) or not beside.exists():
        return name
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)

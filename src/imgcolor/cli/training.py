"""fit, validate, test, predict and baseline: LightningCLI with the callbacks that write the run folder."""

import signal
import sys
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentParser, capture_parser
from jsonargparse.typing import register_type
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException

from imgcolor import data
from imgcolor.callbacks import (
    BaselineMetrics,
    BestCheckpoint,
    CurvePlot,
    DetailedMetrics,
    EpochSeed,
    EpochState,
    ImageLogger,
    LastCheckpoint,
    MetricsFiles,
    PredictionWriter,
)
from imgcolor.callbacks.checkpoints import AtomicCheckpointIO
from imgcolor.callbacks.lost_rank import LostRank
from imgcolor.callbacks.provenance import Provenance
from imgcolor.callbacks.resume_hint import ResumeHint
from imgcolor.callbacks.run_folder import RunFolder, run_folder
from imgcolor.callbacks.tensorboard import leave_out_epoch, log_hyperparameters, log_origin
from imgcolor.checkpoints.config import set_config
from imgcolor.checkpoints.files import read_checkpoint
from imgcolor.cli.help_parser import ShortHelpParser
from imgcolor.cli.options import import_from_here
from imgcolor.cli.resuming import last_checkpoint
from imgcolor.cli.runtime import (
    keep_freed_memory,
    quieten_lightning,
    write_enums_to_yaml,
)
from imgcolor.cli.summaries import summarize_fit, summarize_metrics, summarize_predictions
from imgcolor.cli.trainer import ImgcolorTrainer, NoProfiler
from imgcolor.cli.trainer_arguments import (
    allowed_callbacks,
    check_trainer,
    display_callbacks,
    with_recorded_searches,
)
from imgcolor.data import ImageDataModule
from imgcolor.tasks import ColourTask
from imgcolor.tasks.compatibility import check_callbacks
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.precision import has_fast_bfloat16


class ImgcolorCLI(LightningCLI):
    """LightningCLI for imgcolor's tasks and data.

    The callbacks that write the run folder have their own keys (``checkpoint``, ``images``, ``details``,
    ``predictions``), because a list of callbacks in a configuration file would replace them.
    """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the callbacks that write the run folder."""
        parser.add_lightning_class_args(BestCheckpoint, "checkpoint")
        parser.add_lightning_class_args(ImageLogger, "images")
        parser.add_lightning_class_args(DetailedMetrics, "details")
        parser.add_lightning_class_args(PredictionWriter, "predictions")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse the arguments, and read the checkpoint: a bad one is refused before a run folder exists."""
        super().parse_arguments(parser, args)
        assert isinstance(args, list)  # run() passes a list
        self._arguments: list[str] = args
        command = self.config["subcommand"]
        path = self.config[command].get("ckpt_path")
        if path is None and command in ("validate", "test", "predict"):
            raise ImgcolorError(
                f"{command}: expected a trained network, found none; give --ckpt_path CHECKPOINT"
            )
        if path == "last":
            # Through YAML, to get the plain data that the run folder's config.yaml has.
            plain = yaml.safe_load(self._parser(command).dump(self.config[command], skip_none=False))
            path = str(last_checkpoint(plain, fit=command == "fit"))
            self.config[command]["ckpt_path"] = path
            _print_note(f"--ckpt_path last: {path}")
        # For Lightning, "best" and "hpc" are checkpoints that it finds itself, unless files have these names.
        is_file = path is not None and (path not in ("best", "hpc") or Path(path).exists())
        self._checkpoint = read_checkpoint(path) if is_file else None
        if self._checkpoint is not None and self._checkpoint.get("hyper_parameters"):
            # Lightning would build the model that the hyperparameters name.
            raise ImgcolorError(
                f"{path}: expected a checkpoint without hyperparameters, which would replace the configuration's "
                "model, found some; leave save_hyperparameters() out of the task"
            )

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        """Build the trainer with the callbacks that its arguments allow."""
        barebones = config.get("barebones", False)
        if barebones and not config.get("fast_dev_run"):
            config["logger"] = None
            self.save_config_callback = None
        config["callbacks"] = with_recorded_searches(config.get("callbacks"))
        if not config.get("profiler") and not config.get("barebones"):
            config["profiler"] = NoProfiler()
        given = [*self.trainer_defaults["callbacks"], *display_callbacks(config)]
        self.trainer_defaults["callbacks"] = allowed_callbacks(config, given)
        return super()._instantiate_trainer(config, allowed_callbacks(config, callbacks))

    def instantiate_classes(self) -> None:
        """Build the task, data and trainer, and keep the network's config for the checkpoint."""
        super().instantiate_classes()
        if type(self.trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            # Lightning's default may leave half a file under the final name.
            self.trainer.strategy.checkpoint_io = AtomicCheckpointIO()
        config = self._get(self.config, "model").as_dict().get("init_args", {}).get("network")
        if config is not None:
            set_config(self.model.network, config)

    def after_instantiate_classes(self) -> None:
        """Refuse a checkpoint of another network and unreadable images before anything is written."""
        if self._checkpoint is not None:
            self.model.check_checkpoint(self._checkpoint, str(self._get(self.config, "ckpt_path")))
            self._checkpoint = None
        self.datamodule.prepare_data()
        self.datamodule.setup("fit" if self.subcommand == "baseline" else self.subcommand)
        if self.subcommand != "baseline":  # which runs no network
            check_trainer(self.trainer, self.datamodule, str(self.subcommand))
            if self.subcommand == "fit":
                check_callbacks(self.trainer, self.model)
            self._warn_of_emulation()

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return Lightning's commands and ``baseline``, with the arguments that each one does not take."""
        return {**LightningCLI.subcommands(), "baseline": {"model", "datamodule"}}

    def before_fit(self) -> None:
        """Log the command, the configuration and the options to TensorBoard."""
        config = self.config["fit"]
        for logger in self.trainer.loggers if run_folder(self.trainer) is not None else []:
            if isinstance(logger, TensorBoardLogger):
                leave_out_epoch(logger)
                log_origin(logger, self._arguments, self._parser("fit").dump(config, skip_none=False))
                log_hyperparameters(logger, vars(config.as_flat()), self.model)

    def before_validate(self) -> None:
        """Keep Lightning from printing the metrics: the summary has them."""
        self.config_init["validate"]["verbose"] = False

    def before_test(self) -> None:
        """Keep Lightning from printing the metrics: the summary has them."""
        self.config_init["test"]["verbose"] = False

    def after_fit(self) -> None:
        """Print the metrics and where the files are."""
        summarize_fit(self.trainer, held_out=bool(self.datamodule.holdout))

    def after_validate(self) -> None:
        """Print the metrics and where the files are."""
        summarize_metrics(self.trainer, "validation")

    def after_test(self) -> None:
        """Print the metrics and where the files are."""
        summarize_metrics(self.trainer, "test")

    def after_predict(self) -> None:
        """Print where the images are."""
        summarize_predictions(self.trainer, str(self._get(self.config, "ckpt_path")))

    def _warn_of_emulation(self) -> None:
        precision, device = self.trainer.precision, self.trainer.strategy.root_device
        if str(precision).startswith("bf16") and not has_fast_bfloat16(device):
            on_cpu = device.type == "cpu"
            name, faster = ("this processor", "many times faster") if on_cpu else ("this GPU", "faster")
            _print_note(
                f"--trainer.precision {precision}: {name} has no bfloat16 and only emulates it; "
                f"--trainer.precision 32-true is {faster} here"
            )


def run(arguments: list[str]) -> None:
    """Run a command of LightningCLI.

    Args:
        arguments: The command and its options.
    """
    quieten_lightning()
    keep_freed_memory()
    _prepare_parser()
    lost = LostRank()
    try:
        _run_cli(arguments, lost)
    except SIGTERMException as stop:
        # Lightning would exit with status 0.
        raise SystemExit(128 + signal.SIGTERM) from stop
    except RuntimeError as error:  # torch raises it when another rank has ended
        if lost.error is None:
            raise
        raise lost.error from error


def check_fit_options(options: list[str]) -> None:
    """Parse options of ``imgcolor fit`` without training.

    Args:
        options: The options, without the command.

    Raises:
        ArgumentError: If `imgcolor fit` would refuse them.
    """
    _fit_parser().parse_args(options)


@cache
def _fit_parser() -> ArgumentParser:
    """Build the parser of ``imgcolor fit`` once: this takes longer than many uses of it."""
    _prepare_parser()
    return capture_parser(lambda: _run_cli([], LostRank(), _FitOptions))


class _FitOptions(ImgcolorCLI):
    """A command line that reads the options of ``fit`` alone."""

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Read the options, for :func:`jsonargparse.capture_parser`."""
        assert isinstance(args, list)  # _run_cli() passes a list
        self._parser("fit").parse_args(args)


def _prepare_parser() -> None:
    write_enums_to_yaml()
    register_type(torch.device)  # so that config.yaml has the name; StochasticWeightAveraging takes one
    import_from_here()
    # Options take the names of classes that are imported, and imgcolor.data imports its classes on first use.
    for name in data.__all__:
        getattr(data, name)


def _run_cli(arguments: list[str], lost: LostRank, cli: type[ImgcolorCLI] = ImgcolorCLI) -> None:
    cli(  # the constructor runs the command
        ColourTask,
        ImageDataModule,
        trainer_class=ImgcolorTrainer,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        load_from_checkpoint_support=False,
        parser_class=ShortHelpParser,
        seed_everything_default=0,
        trainer_defaults={
            "callbacks": [
                RunFolder(),
                Provenance(arguments),
                EpochSeed(),
                EpochState(),
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
def _print_note(line: str) -> None:
    print(line, file=sys.stderr)

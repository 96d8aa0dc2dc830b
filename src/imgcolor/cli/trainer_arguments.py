"""Arguments of Trainer: leave out callbacks that they exclude, and refuse what cannot work before a run starts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import (
    EarlyStopping,
    ModelCheckpoint,
    ModelSummary,
    ProgressBar,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher
from torch.utils.data import DataLoader

from imgcolor.callbacks import BestCheckpoint, EpochProgressBar, EpochSeed, NetworkSummary
from imgcolor.callbacks.checkpoints import check_mode
from imgcolor.callbacks.searches import recorded
from imgcolor.data import ImageDataModule
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import CONFIG_FILE

_PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")


def allowed_callbacks(arguments: Mapping[str, Any], callbacks: Sequence[Callback]) -> list[Callback]:
    """Return the callbacks of the command line that the arguments of ``Trainer`` allow.

    ``barebones`` leaves only the seeds of the epochs, ``enable_checkpointing: false`` no checkpoints, and
    ``limit_val_batches: 0`` no checkpoint of the best epoch.

    Args:
        arguments: The arguments.
        callbacks: The callbacks that the command line adds.
    """
    if arguments.get("barebones"):
        return [callback for callback in callbacks if isinstance(callback, EpochSeed)]
    excluded: list[type[Callback]] = []
    if arguments.get("enable_checkpointing") is False:
        excluded.append(ModelCheckpoint)
    if arguments.get("limit_val_batches") == 0:
        excluded.append(BestCheckpoint)
    return [callback for callback in callbacks if not isinstance(callback, tuple(excluded))]


def display_callbacks(arguments: Mapping[str, Any]) -> list[Callback]:
    """Return the progress bar and the summary of the network, unless the arguments of ``Trainer`` exclude them.

    Args:
        arguments: The arguments, whose list of callbacks may have a progress bar or a summary of its own.
    """
    given = arguments["callbacks"]
    callbacks: list[Callback] = []
    if arguments.get("enable_progress_bar") is not False and not _has(given, ProgressBar):
        callbacks.append(EpochProgressBar())
    if arguments.get("enable_model_summary") is not False and not _has(given, ModelSummary):
        callbacks.append(NetworkSummary())
    return callbacks


def _has(callbacks: Sequence[Callback], kind: type[Callback]) -> bool:
    return any(isinstance(callback, kind) for callback in callbacks)


def with_recorded_searches(callbacks: Callback | Sequence[Callback] | None) -> list[Callback]:
    """Return callbacks in which Lightning's searches for learning rate and batch size record what they find."""
    given = [callbacks] if isinstance(callbacks, Callback) else callbacks or []
    return [recorded(callback) for callback in given]


def check_trainer(trainer: Trainer, datamodule: ImageDataModule, command: str) -> None:
    """Refuse arguments of ``Trainer`` that cannot work, before anything is written.

    Args:
        trainer: The trainer.
        datamodule: The data, after its ``setup``.
        command: The command of LightningCLI.

    Raises:
        ImgcolorError: If an argument cannot work.
    """
    if str(trainer.precision) not in _PRECISIONS:
        raise ImgcolorError(
            f"--trainer.precision: expected one of {', '.join(_PRECISIONS)}, found {trainer.precision}: palettes, "
            "lookup tables and metrics need 32 bits"
        )
    if isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        raise ImgcolorError(
            "--trainer.strategy: expected a strategy that starts each process with the command, found one that "
            "spawns or forks this process, which has threads; use ddp"
        )
    for logger in trainer.loggers if trainer.is_global_zero else []:
        if not isinstance(logger, TensorBoardLogger | CSVLogger):
            continue
        if (Path(logger.log_dir) / CONFIG_FILE).exists():
            raise ImgcolorError(
                f"{logger.log_dir}: expected a new folder, found the folder of another run; leave "
                "--trainer.logger.version out, or give another one"
            )
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # mypy does not see the attribute
        if isinstance(callback, EarlyStopping | ModelCheckpoint) and callback.monitor:
            check_mode(type(callback).__name__, callback.monitor, callback.mode)
    datamodule.trainer = trainer  # batches depend on the number of ranks
    limit = "overfit_batches" if getattr(trainer, "overfit_batches", 0) else ""  # mypy does not see it
    if command in ("fit", "validate"):
        _check_limit(limit or "limit_val_batches", trainer.limit_val_batches, datamodule.val_dataloader())
    if command == "test":
        _check_limit("limit_test_batches", trainer.limit_test_batches, datamodule.test_dataloader())
    if command == "predict":
        _check_limit("limit_predict_batches", trainer.limit_predict_batches, datamodule.predict_dataloader())
    if command == "fit":
        batches = _check_limit(
            limit or "limit_train_batches", trainer.limit_train_batches, datamodule.train_dataloader()
        )
        _check_validation_interval(trainer, batches)


def _check_limit(name: str, limit: float, loader: DataLoader[Any]) -> int:
    """Return the number of batches that a limit leaves."""
    batches = len(loader)
    if isinstance(limit, int):
        return min(batches, limit)
    if 0 < limit * batches < 1:
        raise ImgcolorError(
            f"--trainer.{name}: expected a fraction of at least one of the {batches} batches, found {limit}; give a "
            "larger one or a number of batches, or make batches smaller (--data.batch_size, --data.eval_batch_size)"
        )
    return int(limit * batches)


def _check_validation_interval(trainer: Trainer, batches: int) -> None:
    interval = getattr(trainer, "val_check_interval", None)  # Lightning sets none for a time
    each_epoch = trainer.check_val_every_n_epoch is not None and trainer.limit_val_batches > 0
    if each_epoch and isinstance(interval, int) and interval > batches > 0:
        raise ImgcolorError(
            f"--trainer.val_check_interval: expected at most the {batches} training batches of an epoch, found "
            f"{interval}; to count batches over all epochs, add --trainer.check_val_every_n_epoch null"
        )

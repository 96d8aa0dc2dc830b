"""The folder of a run: it is the same kind of folder with every logger and without one."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import cannot_write

DEFAULT_NAME = "lightning_logs"
"""Name of the folder of runs whose loggers do not choose one."""


def run_folder(trainer: Trainer) -> Path | None:
    """Return the folder of a run, on the rank that writes its files.

    The first ``TensorBoardLogger`` or ``CSVLogger`` of the trainer chooses the folder. With other loggers, and with
    none, it is the trainer's ``default_run_folder``, which the command line's trainer has; a plain ``Trainer`` has its
    logger's ``save_dir`` or its ``default_root_dir``.

    Args:
        trainer: The trainer, while it runs.

    Returns:
        The folder; None on all ranks but the first, and if nothing is written (``fast_dev_run``, ``barebones``).
    """
    trial = getattr(trainer, "fast_dev_run", False) or trainer.barebones  # mypy does not see fast_dev_run
    if trial or not trainer.is_global_zero:
        return None
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger | CSVLogger):
            return Path(logger.log_dir)
    folder: Path | None = getattr(trainer, "default_run_folder", None)
    return folder or Path((trainer.logger and trainer.logger.save_dir) or trainer.default_root_dir)


def new_run_folder(parent: Path) -> Path:
    """Create ``version_N`` in a folder, with the lowest N above those that exist.

    Raises:
        ImgcolorError: If it cannot be created.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        numbers = (path.name.removeprefix("version_") for path in parent.glob("version_*"))
        number = max((int(text) for text in numbers if text.isdecimal()), default=-1) + 1
        while True:
            folder = parent / f"version_{number}"
            try:
                folder.mkdir()
            except FileExistsError:  # another run has just started
                number += 1
            else:
                return folder
    except OSError as error:
        raise ImgcolorError(cannot_write(error, parent)) from error


class RunFolder(Callback):
    """Makes ``ModelCheckpoint`` callbacks without a folder write to ``checkpoints/`` in the run folder."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Set the folder of the checkpoints."""
        folder = run_folder(trainer)
        checkpoints = trainer.strategy.broadcast(None if folder is None else str(folder / "checkpoints"))
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.dirpath is None and checkpoints is not None:
                callback.dirpath = checkpoints

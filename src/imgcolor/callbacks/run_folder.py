"""Where a run's files go."""

from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger


def run_folder(trainer: Trainer) -> Path | None:
    """The folder of a run, for the process that writes there.

    It is ``trainer.log_dir``, but no other process is asked, so it can be had at any time: by one process alone,
    and after others have died.

    Args:
        trainer: The trainer, while it runs.

    Returns:
        The folder; None in all processes but the first, and where nothing is to be written (``fast_dev_run``).
    """
    trial = getattr(trainer, "fast_dev_run", False)  # set where mypy does not see it
    if trial or not trainer.is_global_zero:
        return None
    logger = trainer.loggers[0] if trainer.loggers else None
    if logger is None:
        return Path(trainer.default_root_dir)
    folder = logger.log_dir if isinstance(logger, TensorBoardLogger | CSVLogger) else logger.save_dir
    return None if folder is None else Path(folder)

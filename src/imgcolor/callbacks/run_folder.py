"""Find the folder of a run."""

from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger


def run_folder(trainer: Trainer) -> Path | None:
    """Return the folder of a run, on the rank that writes its files.

    This is ``trainer.log_dir`` without communication between ranks, so it also works on one rank alone, and
    after others have failed.

    Args:
        trainer: The trainer, while it runs.

    Returns:
        The folder; None on all ranks but the first, and if nothing is written (``fast_dev_run``,
        ``barebones``).
    """
    trial = getattr(trainer, "fast_dev_run", False) or trainer.barebones  # mypy does not see fast_dev_run
    if trial or not trainer.is_global_zero:
        return None
    logger = trainer.loggers[0] if trainer.loggers else None
    if logger is None:
        return Path(trainer.default_root_dir)
    folder = logger.log_dir if isinstance(logger, TensorBoardLogger | CSVLogger) else logger.save_dir
    return None if folder is None else Path(folder)

"""Where a run's files go."""

from pathlib import Path

from lightning.pytorch import Trainer


def run_folder(trainer: Trainer) -> Path | None:
    """The folder of a run, for the process that writes there.

    Every process of a distributed run must ask, because Lightning makes them agree on the folder.

    Args:
        trainer: The trainer, while it runs.

    Returns:
        The folder; None in all processes but the first, and where nothing is to be written (``fast_dev_run``).
    """
    folder = trainer.log_dir
    trial = getattr(trainer, "fast_dev_run", False)  # set where mypy does not see it
    return Path(folder) if folder is not None and trainer.is_global_zero and not trial else None

"""Tell how to resume a fit that was ended before its time."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from imgcolor.callbacks import LastCheckpoint
from imgcolor.callbacks.finding import find_callback
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.utils.errors import DivergedError


class ResumeHint(Callback):
    """Says, when a fit is ended before its time, where its last checkpoint is and how to go on.

    Args:
        arguments: The words behind ``imgcolor``.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Print it."""
        if trainer.state.fn != "fit" or run_folder(trainer) is None or isinstance(exception, DivergedError):
            return
        last = find_callback(trainer, LastCheckpoint)
        path = Path(last.best_model_path) if last is not None and last.best_model_path else None
        if path is None or not path.is_file():
            print("\nno checkpoint yet: the first epoch had not ended", file=sys.stderr)
            return
        command = resume_command(self._arguments, path)
        print(f"\nlast checkpoint: {path}\ngo on with:      {command}", file=sys.stderr)


def resume_command(arguments: Sequence[str], checkpoint: Path) -> str:
    """A run's own words with another checkpoint, as one pastes them into a shell.

    Args:
        arguments: The words behind ``imgcolor``.
        checkpoint: Where to go on from.

    Returns:
        The command.
    """
    kept, words = [], iter(arguments)
    for word in words:
        if word == "--ckpt_path":
            next(words, None)
        elif not word.startswith("--ckpt_path="):
            kept.append(word)
    return shlex.join(["imgcolor", *kept, "--ckpt_path", str(checkpoint)])

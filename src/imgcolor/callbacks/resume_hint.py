"""Print how to resume a fit that was interrupted."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from imgcolor.callbacks.checkpoints import newest_checkpoint
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.utils.errors import DivergedError


class ResumeHint(Callback):
    """Prints the last checkpoint of an interrupted fit, and the command that resumes it.

    Args:
        arguments: The arguments of the command ``imgcolor``.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Print checkpoint and command."""
        folder = run_folder(trainer)
        if trainer.state.fn != "fit" or folder is None or isinstance(exception, DivergedError):
            return
        path = newest_checkpoint(folder / "checkpoints")
        if path is None:
            print("\nno checkpoint yet: the first epoch was not complete", file=sys.stderr)
            return
        command = resume_command(self._arguments, path)
        print(f"\nlast checkpoint: {path}\ngo on with:      {command}", file=sys.stderr)


def resume_command(arguments: Sequence[str], checkpoint: Path) -> str:
    """Return the command of a run with another checkpoint, quoted for a shell.

    Args:
        arguments: The arguments of the command ``imgcolor``.
        checkpoint: The checkpoint to resume.
    """
    kept, remaining = [], iter(arguments)
    for argument in remaining:
        if argument == "--ckpt_path":
            next(remaining, None)
        elif not argument.startswith("--ckpt_path="):
            kept.append(argument)
    return shlex.join(["imgcolor", *kept, "--ckpt_path", str(checkpoint)])

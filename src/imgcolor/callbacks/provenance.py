"""Write where a run comes from."""

import contextlib
import json
import platform
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

import imgcolor
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.utils.errors import DivergedError, ImgcolorError
from imgcolor.utils.files import RUN_FILE, atomic_write
from imgcolor.utils.provenance import commit, hardware


class Provenance(Callback):
    """Writes ``run.json`` into a fit's folder: command, commit, versions, hardware, start, and how it ended.

    Args:
        arguments: The words behind ``imgcolor``.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        self._origin: dict[str, str | None] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write all that is known before the first step."""
        # Not sooner: asking git and the processor is for fits alone, not for every command's start.
        self._origin = {
            "command": shlex.join(["imgcolor", *self._arguments]),
            "commit": commit(Path(imgcolor.__file__).parent),
            "imgcolor": imgcolor.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "hardware": hardware(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._write(trainer, "running")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that the fit came to its end."""
        self._write(trainer, "finished")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Note that it did not, and why."""
        if isinstance(exception, DivergedError):
            status = "diverged"
        else:
            status = "stopped" if isinstance(exception, KeyboardInterrupt | SystemExit) else "failed"
        # Where the disk takes no more, the exception that is told is the first one.
        with contextlib.suppress(ImgcolorError):
            self._write(trainer, status)

    def _write(self, trainer: Trainer, status: str) -> None:
        folder = run_folder(trainer)
        if folder is not None and self._origin:
            content = {**self._origin, "status": status}
            atomic_write(folder / RUN_FILE, json.dumps(content, indent=1) + "\n")

"""Record where a run comes from."""

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
    """Writes ``run.json`` to the run folder: command, commit, versions, hardware, start, and how the fit ended.

    Args:
        arguments: The arguments of the command ``imgcolor``.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        self._origin: dict[str, str | None] = {}
        self._found: dict[str, float] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what is known before the first step."""
        # Not in __init__: only a fit should spend time on git and on the processor's name.
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

    def add_found(self, trainer: Trainer, name: str, value: float) -> None:
        """Record what a search has found, such as a learning rate."""
        self._found[name] = value
        self._write(trainer, "running")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record that the fit finished."""
        self._write(trainer, "finished")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Record that the fit did not finish, and why."""
        if isinstance(exception, DivergedError):
            status = "diverged"
        else:
            status = "stopped" if isinstance(exception, KeyboardInterrupt | SystemExit) else "failed"
        # On a full disk, the first exception is the one to report.
        with contextlib.suppress(ImgcolorError):
            self._write(trainer, status)

    def _write(self, trainer: Trainer, status: str) -> None:
        folder = run_folder(trainer)
        if folder is not None and self._origin:
            content = {**self._origin, **({"found": self._found} if self._found else {}), "status": status}
            atomic_write(folder / RUN_FILE, json.dumps(content, indent=1) + "\n")

"""Report why a distributed run ended: one of its ranks failed."""

import signal
import subprocess
import time

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from imgcolor.utils.errors import DivergedError, ImgcolorError

_PATIENCE = 10.0
"""Seconds that other ranks have to exit by themselves."""

_CONNECTION_ERRORS = ("gloo", "nccl", "connection closed by peer", "connection reset by peer")


class LostRank(Callback):
    """Finds out which rank of a distributed run failed, and ends the others, so that none of them hangs.

    torch's own exception in this case is about sockets. :attr:`error` names the lost rank.
    """

    def __init__(self) -> None:
        self.error: ImgcolorError | None = None
        """The error to report in place of torch's; None if no rank failed."""

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Find out which rank failed, and how."""
        if trainer.world_size == 1 or not _is_connection_error(exception):
            return
        failed = _failed(trainer)
        if DivergedError.exit_status in failed.values():
            self.error = DivergedError("training diverged on another rank; see its message above")
            return
        # Ranks with exit status 1 lost a connection, as this one did: they are not the cause.
        causes = {rank: status for rank, status in failed.items() if status != 1} or failed
        lost = " and ".join(f"rank {rank} ({_how(status)})" for rank, status in causes.items())
        self.error = ImgcolorError(
            f"rank {trainer.global_rank}: expected all {trainer.world_size} ranks of the run, but "
            f"{lost or 'another one'} has ended; see its message above, if there is one (the system kills "
            "processes without a message, such as for lack of memory); resume a fit with --ckpt_path last"
        )


def _failed(trainer: Trainer) -> dict[int, int]:
    """Wait for the processes that this one started; return those that failed: rank to exit status."""
    processes: list[subprocess.Popen[bytes]] = getattr(trainer.strategy.launcher, "procs", [])
    started = dict(enumerate(processes, 1))
    # Lightning watches this list, and would kill this process before it has printed its message.
    processes.clear()
    end = time.monotonic() + _PATIENCE
    while any(process.poll() is None for process in started.values()) and time.monotonic() < end:
        time.sleep(0.05)
    failed = {rank: process.returncode for rank, process in started.items() if process.returncode}
    for process in started.values():
        process.kill()
    return failed


def _is_connection_error(exception: BaseException) -> bool:
    text = str(exception).lower()
    return isinstance(exception, RuntimeError) and (
        isinstance(exception, torch.distributed.DistError) or any(part in text for part in _CONNECTION_ERRORS)
    )


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"

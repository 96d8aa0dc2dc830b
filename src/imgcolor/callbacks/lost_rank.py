"""What the processes of a distributed run know of one another's end."""

import signal
import subprocess
import time

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from imgcolor.utils.errors import DivergedError, ImgcolorError

_PATIENCE = 10.0
"""Seconds that the other processes are given to end by themselves."""

_OF_CONNECTIONS = ("gloo", "nccl", "connection closed by peer", "connection reset by peer")


class LostRank(Callback):
    """Notes that a run ends because another of its processes did, and lets none of them hang.

    What torch raises then speaks of sockets; :attr:`error` says what happened.
    """

    def __init__(self) -> None:
        self.error: ImgcolorError | None = None
        """What to tell in place of what was raised; None as long as no process is missing."""

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Find out which process ended, and how."""
        if trainer.world_size == 1 or not _is_of_connections(exception):
            return
        failed = _failed(trainer)
        if DivergedError.exit_status in failed.values():
            self.error = DivergedError("training diverged in another process, whose message stands above")
            return
        # Those that end as this one does, with status 1, tell no more than this one.
        told = {rank: status for rank, status in failed.items() if status != 1} or failed
        lost = " and ".join(f"process {rank} ({_how(status)})" for rank, status in told.items())
        self.error = ImgcolorError(
            f"process {trainer.global_rank}: expected all {trainer.world_size} processes of the run, but "
            f"{lost or 'another one'} has ended; what it said, if anything, stands above (the system kills "
            "without a word, such as for lack of memory); a fit goes on with --ckpt_path last"
        )


def _failed(trainer: Trainer) -> dict[int, int]:
    """The processes that this one started and that failed, when all have ended: rank to exit status."""
    processes: list[subprocess.Popen[bytes]] = getattr(trainer.strategy.launcher, "procs", [])
    started = dict(enumerate(processes, 1))
    # Lightning watches this list, and would kill this process too before it had said a word.
    processes.clear()
    end = time.monotonic() + _PATIENCE
    while any(process.poll() is None for process in started.values()) and time.monotonic() < end:
        time.sleep(0.05)
    failed = {rank: process.returncode for rank, process in started.items() if process.returncode}
    for process in started.values():
        process.kill()
    return failed


def _is_of_connections(exception: BaseException) -> bool:
    text = str(exception).lower()
    return isinstance(exception, RuntimeError) and (
        isinstance(exception, torch.distributed.DistError) or any(word in text for word in _OF_CONNECTIONS)
    )


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"

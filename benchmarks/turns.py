"""Programs that run by turns, a few steps each: a machine that is slow for some seconds is so for all of them."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch


def wait_for_gpu() -> None:
    """A GPU works on behind the program: what has been asked of it shall be done before a clock is read."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class Turn:
    """What a program calls after each of its steps, and its clock, which stands still while others run.

    Args:
        steps: Steps until it is another's turn.
        parent: Where the turns are given out. None: nobody else runs.
    """

    def __init__(self, steps: int = 1, parent: Connection | None = None) -> None:
        self._steps = steps
        self._parent = parent
        self._taken = 0
        self._away = 0.0

    def step(self) -> None:
        """A step is done; goes on when it may."""
        self._taken += 1
        if self._taken % self._steps == 0:
            self.pause()

    def pause(self) -> None:
        """Let the others run."""
        if self._parent is None:
            return
        wait_for_gpu()
        start = time.perf_counter()
        self._parent.send(None)
        self._parent.recv()
        self._away += time.perf_counter() - start

    def now(self) -> float:
        """Seconds, without those of the others."""
        return time.perf_counter() - self._away


def by_turns(programs: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]], steps: int) -> dict[str, Any]:
    """Run programs at once, each in a process of its own, of which one runs and the others stand still.

    Args:
        programs: Name to a function, called with a :class:`Turn` and the arguments.
        steps: The steps of a turn.

    Returns:
        Name to what the function returned.

    Raises:
        SystemExit: If a program ends without a result.
    """
    context = multiprocessing.get_context("spawn")
    running: dict[str, tuple[Any, Connection]] = {}
    results = {}
    try:
        for name, (function, arguments) in programs.items():
            ours, theirs = context.Pipe()
            process = context.Process(target=_run, args=(function, arguments, steps, theirs))
            process.start()
            theirs.close()
            running[name] = process, ours
            _await_turn(name, process, ours)  # until it has imported what it needs
        while running:
            for name, (process, ours) in list(running.items()):
                os.killpg(process.pid, signal.SIGCONT)
                ours.send(None)
                result = _await_turn(name, process, ours)
                if result is not None:
                    results[name] = result
                    os.killpg(process.pid, signal.SIGCONT)
                    process.join()
                    del running[name]
    finally:
        for process, _ in running.values():
            with contextlib.suppress(ProcessLookupError):  # one that died by itself
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
    return results


def _await_turn(name: str, process: Any, parent: Connection) -> Any:
    """Wait until a program pauses, and stop it: its processes, which load images in advance, too."""
    try:
        result = parent.recv()
    except EOFError:
        raise SystemExit(f"{name}: expected a result, but it ended without one") from None
    os.killpg(process.pid, signal.SIGSTOP)
    return result


def _run(function: Callable[..., Any], arguments: tuple[Any, ...], steps: int, parent: Connection) -> None:
    os.setpgrp()
    turn = Turn(steps, parent)
    turn.pause()
    parent.send(function(turn, *arguments))

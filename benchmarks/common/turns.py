"""Run programs by turns, a few steps each, so that a slow moment of the machine affects all of them."""

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
    """Wait until the GPU has finished its work, so that a clock can be read."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class Turn:
    """Counts the steps of a program, pauses it after its turn, and has a clock that stops during the pause.

    Args:
        steps: Number of steps in a turn.
        parent: Connection to the process that gives the turns. None: no other program runs.
        processor_time: Whether the clock counts the processor time of this process, for a busy machine.
    """

    def __init__(
        self, steps: int = 1, parent: Connection | None = None, processor_time: bool = False
    ) -> None:
        self._steps = steps
        self._parent = parent
        self._clock = time.process_time if processor_time else time.perf_counter
        self._taken = 0
        self._paused = 0.0

    def step(self) -> None:
        """Count a step, and pause if it was the last one of the turn."""
        self._taken += 1
        if self._taken % self._steps == 0:
            self.pause()

    def pause(self) -> None:
        """Let the other programs run, and return when it is this one's turn again."""
        if self._parent is None:
            return
        wait_for_gpu()
        start = self._clock()
        self._parent.send(None)
        self._parent.recv()
        self._paused += self._clock() - start

    def now(self) -> float:
        """Return seconds, without the pauses."""
        return self._clock() - self._paused


def by_turns(
    programs: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]], steps: int, processor_time: bool = False
) -> dict[str, Any]:
    """Run each program in a process of its own, one at a time, while the others are stopped.

    Args:
        programs: Name to a function and its arguments. The function is called with a :class:`Turn` before
            them.
        steps: Number of steps in a turn.
        processor_time: Whether each program has one thread and counts its processor time, for a busy machine.

    Returns:
        Name to the value that the function returned.

    Raises:
        SystemExit: If a program ends without a result.
    """
    context = multiprocessing.get_context("spawn")
    running: dict[str, tuple[Any, Connection]] = {}
    results = {}
    try:
        for name, (function, arguments) in programs.items():
            ours, theirs = context.Pipe()
            process = context.Process(target=_run, args=(function, arguments, steps, processor_time, theirs))
            process.start()
            theirs.close()
            running[name] = process, ours
            _wait_for_pause(name, process, ours)  # until its imports are done
        while running:
            for name, (process, ours) in list(running.items()):
                os.killpg(process.pid, signal.SIGCONT)
                ours.send(None)
                result = _wait_for_pause(name, process, ours)
                if result is not None:
                    results[name] = result
                    os.killpg(process.pid, signal.SIGCONT)
                    process.join()
                    del running[name]
    finally:
        for process, _ in running.values():
            with contextlib.suppress(ProcessLookupError):  # it has ended already
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
    return results


def _wait_for_pause(name: str, process: Any, parent: Connection) -> Any:
    """Wait until a program pauses or returns, and stop it together with its worker processes."""
    try:
        result = parent.recv()
    except EOFError:
        raise SystemExit(f"{name}: expected a result, but the process ended without one") from None
    os.killpg(process.pid, signal.SIGSTOP)
    return result


def _run(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    steps: int,
    processor_time: bool,
    parent: Connection,
) -> None:
    os.setpgrp()
    if processor_time:
        torch.set_num_threads(1)
    turn = Turn(steps, parent, processor_time)
    turn.pause()
    parent.send(function(turn, *arguments))

"""Convert photos on the nodes of a Ray cluster.

Ray's tasks suffice: the photos and their results are files, so no data pass through Ray. If a node is lost, Ray runs
its tasks on another one.
"""

import math
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import ray
import torch

from imgcolor.cli.options import import_from_here
from imgcolor.cli.photo_settings import PhotoSettings
from imgcolor.pipelines.jobs import PhotoJob
from imgcolor.pipelines.photo_conversion import Conversion
from imgcolor.utils.errors import reason_of

_TASK_PHOTOS = 64
"""Largest number of photos in a task. After the loss of a node, one of its tasks is repeated for each of its cores."""

_TASKS_PER_CORE = 4
"""Least number of tasks for each core, so that all cores end at about the same time."""


def convert_on_cluster(
    jobs: Sequence[PhotoJob],
    settings: PhotoSettings,
    conversion: Conversion,
    *,
    overwrite: bool = False,
    strict: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> int:
    """Convert photo files on all cores of the cluster that this process is connected to.

    The current folder and the files must be the same on all nodes.

    Args:
        jobs: The photos and the files for the results.
        settings: The settings of the conversion.
        conversion: Filled with the outcome, task by task.
        overwrite: Whether results may exist before. If not, a task that is run again after the loss of a node leaves
            out photos whose results exist.
        strict: Whether to start no more tasks after the first failure.
        advance: Called with the number of photos that were processed since the last call.

    Returns:
        The number of nodes that converted photos.
    """
    task: Any = ray.remote(num_cpus=1)(_convert)
    cores = _cores()
    size = max(1, min(_TASK_PHOTOS, math.ceil(len(jobs) / (_TASKS_PER_CORE * cores))))
    starts = iter(range(0, len(jobs), size))
    running: dict[Any, Sequence[PhotoJob]] = {}
    nodes: set[str] = set()
    while True:
        while len(running) < 2 * _cores() and not (strict and conversion.failures):
            start = next(starts, None)
            if start is None:
                break
            chunk = jobs[start : start + size]
            running[task.remote(chunk, settings, Path.cwd(), overwrite)] = chunk
        if not running:
            return len(nodes)
        (finished, *_), _ = ray.wait(list(running))
        chunk = running.pop(finished)
        try:
            found, node = ray.get(finished)
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None) or error
            reason = f"not converted, its task on the cluster failed: {reason_of(cause)}"
            conversion.failures += [" ".join(f"{job.name}: {reason}".split()) for job in chunk]
        else:
            conversion.done += found.done
            conversion.failures += found.failures
            nodes.add(node)
        advance(len(chunk))


def _cores() -> int:
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray has no types
    return max(1, int(resources.get("CPU", 1)))  # nodes may join


def _convert(
    jobs: Sequence[PhotoJob], settings: PhotoSettings, folder: Path, overwrite: bool
) -> tuple[Conversion, str]:
    """Convert photos on a node. Returns the outcome and the node."""
    os.chdir(folder)
    conversion = Conversion()
    left = [job for job in jobs if overwrite or not job.target.exists()]
    conversion.done = len(jobs) - len(left)
    if left:
        _loaded(settings)(left, conversion=conversion)
    return conversion, ray.get_runtime_context().get_node_id()


@cache
def _loaded(settings: PhotoSettings) -> Callable[..., None]:
    """Load the model once in each of Ray's processes."""
    torch.set_num_threads(1)  # a task has one core
    if settings.allow_import:
        import_from_here()
    return settings.load()

"""Settings of the process for a training: the memory allocator, YAML, and Lightning's messages."""

import ctypes
import enum
import logging
import sys
import warnings

import yaml

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""As in malloc.h."""


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next step instead of returning it to the system.

    Without this, the pages of large tensors are mapped again in each step, which takes 1.5 to 9 % of the processor
    time of a step (benchmarks/README.md). Does nothing with another C library.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, 2**25)  # the largest value that it accepts
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def quieten_lightning() -> None:
    """Hide messages of Lightning that do not apply to imgcolor or need no action from the user."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.profilers").setLevel(
        logging.INFO
    )  # --trainer.profiler logs its table
    for message in (
        "LightningCLI's args parameter",  # main() passes the arguments on
        ".*does not have many workers.*",  # the images are in memory
        "Your `IterableDataset` has `__len__`",  # litdata counts the images of each process
        ".*treespec, LeafSpec.*",  # Lightning's own use of torch
        "You're using the WeightAveraging callback, but loading",  # checkpoints have the averaged weights
        "The dirpath has changed",  # a resumed run has its own folder
        ".*number of training batches.*logging interval.*",  # values are logged once per epoch
    ):
        warnings.filterwarnings("ignore", message)


def write_enums_to_yaml() -> None:
    """Write values of enumerations to YAML as what they stand for. Some of Lightning's callbacks have such defaults."""
    yaml.SafeDumper.add_multi_representer(enum.Enum, lambda dumper, value: dumper.represent_data(value.value))

"""Settings of the process: memory allocation, the search for a GPU, and messages of Lightning."""

import ctypes
import logging
import os
import sys
import warnings

import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""As in malloc.h."""


def keep_freed_memory() -> None:
    """Have glibc keep what a step frees: the next step wants as much again.

    By default every step's large tensors go back to the system and come again page by page, which takes a tenth of
    a training's time on the CPU. Does nothing with another C library.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, 2**25)  # the most that it takes
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def quieten_lightning() -> None:
    """Leave out what Lightning says that does not hold here or asks nothing of the user."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)  # how a profile is shown
    for message in (
        "LightningCLI's args parameter",  # main() hands its words on
        ".*does not have many workers.*",  # the images are in memory
        ".*treespec, LeafSpec.*",  # Lightning's own use of torch
        "You're using the WeightAveraging callback, but loading",  # the averages are the checkpoint's weights
        "The dirpath has changed",  # a resumed run has a folder of its own
        ".*number of training batches.*logging interval.*",  # every logged value is an epoch's
    ):
        warnings.filterwarnings("ignore", message)


def skip_driver_search() -> None:
    """Where there is no NVIDIA GPU, spare every step of an optimizer the search for its driver.

    torch asks each time whether there is a GPU, and Lightning has it ask the driver, which keeps a fork safe from
    a GPU that is in use.
    """
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"

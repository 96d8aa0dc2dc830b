"""How a program of large tensors takes memory from the system."""

import ctypes
import sys

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

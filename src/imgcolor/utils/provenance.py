"""The commit and the hardware of a run or a measurement."""

import os
import platform
import subprocess
from pathlib import Path

SWEPT = "IMGCOLOR_SWEPT"
"""Environment variable of a trial: the options that differ between the trials of its sweep, comma-separated."""


def commit(folder: Path) -> str | None:
    """Return the commit of a folder.

    Args:
        folder: A folder in a Git repository.

    Returns:
        The short hash, with ``+`` if tracked files in the folder have changed; None outside a repository.
    """
    try:
        name, changed = (
            subprocess.run(
                ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "-uno", "--", "."])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{name}+" if changed else name


def hardware() -> str:
    """Return the names of the processor and the GPU, if there is one, and the number of threads."""
    import torch  # slow; commit() does not need it

    model = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        names = [line for line in described.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    text = f"{model}, {torch.get_num_threads()} of {os.cpu_count()} threads"
    return f"{text}, {torch.cuda.get_device_name()}" if torch.cuda.is_available() else text

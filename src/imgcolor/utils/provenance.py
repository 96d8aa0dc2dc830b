"""The commit and the hardware that a run or a measurement was made with."""

import os
import platform
import subprocess
from pathlib import Path

SWEPT = "IMGCOLOR_SWEPT"
"""The variable of a trial's environment that names the options which the sweep tries, with commas between."""


def commit(folder: Path) -> str | None:
    """The commit that a folder is checked out at.

    Args:
        folder: A folder of a Git repository.

    Returns:
        Its short name, with ``+`` where tracked files of the folder have changed since; None outside a repository.
    """
    try:
        name, changed = (
            subprocess.run(
                ["git", *words], cwd=folder, capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "-uno", "--", "."])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{name}+" if changed else name


def hardware() -> str:
    """What a run computes on: processor, threads, and the GPU where torch sees one."""
    import torch  # here: SWEPT and commit() need it not

    model = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        names = [line for line in described.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    text = f"{model}, {torch.get_num_threads()} of {os.cpu_count()} threads"
    return f"{text}, {torch.cuda.get_device_name()}" if torch.cuda.is_available() else text

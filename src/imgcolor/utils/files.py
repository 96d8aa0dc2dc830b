"""Read and write CSV and JSON files. A file is complete as soon as it has its final name."""

import csv
import errno
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imgcolor.utils.errors import ImgcolorError

CONFIG_FILE = "config.yaml"
"""Name of the file in a run folder with the complete configuration."""

RUN_FILE = "run.json"
"""Name of the file in a run folder with the command, commit, versions and hardware of the run."""


def atomic_write(path: Path, content: str | bytes | memoryview, *, durable: bool = False) -> None:
    """Write a file under a temporary name, then rename it. Missing folders are created.

    Args:
        path: The file. An existing one is replaced.
        content: Text, written as UTF-8, or bytes.
        durable: Whether to wait until the file is on the disk, so that it survives a power failure.

    Raises:
        ImgcolorError: If the file cannot be written, for example to a full disk. An existing file is then unchanged.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ImgcolorError(cannot_write(error, path)) from error


_HINTS = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EROFS: "it is mounted read-only",
    errno.EACCES: "get permission to write there",
    errno.EPERM: "get permission to write there",
    errno.ENOTDIR: "there is a file where a folder is needed: move it away",
    errno.EEXIST: "there is a file where a folder is needed: move it away",
}

ONLY_WRITING = frozenset(_HINTS) - {errno.EACCES, errno.EPERM}
"""Values of ``OSError.errno`` that occur only in writing, never in reading."""


def cannot_write(error: OSError, path: Path | None = None) -> str:
    """Describe in one line which file could not be written, why, and what to do.

    Args:
        error: The error of the system.
        path: The file, if the error does not name it.
    """
    place = path or error.filename or "a file of the run"
    hint = _HINTS.get(error.errno or 0, "check this path")
    return (
        f"{place}: cannot be written ({error.strerror}); {hint}, or write elsewhere (--output; runs: "
        "--trainer.logger.save_dir FOLDER)"
    )


def write_metrics(path: Path, metrics: Mapping[str, float]) -> None:
    """Write metrics as JSON: name to value.

    JSON has no infinity, which the PSNR of equal images is. It is written as 1e999, which is read as infinity.
    """
    atomic_write(path, json.dumps(metrics, indent=1).replace(": Infinity", ": 1e999") + "\n")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file. Each row is a dictionary from column to text."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Write a CSV file.

    Args:
        path: The file.
        rows: Column to value. Rows may lack columns.
        columns: The order of the columns; by default that of their first occurrence.
    """
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write(path, text.getvalue())

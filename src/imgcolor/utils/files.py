"""Reading tables, and writing files so that nothing half-written is ever left under a final name."""

import csv
import errno
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imgcolor.utils.errors import ImgcolorError

RUN_FILE = "run.json"
"""What the file that says where a run comes from is called, in the run's folder."""


def atomic_write(path: Path, content: str | bytes | memoryview, *, durable: bool = False) -> None:
    """Write a file beside its place and move it there when it is whole; folders are made as needed.

    Args:
        path: The file; one of that name is replaced.
        content: Text, written as UTF-8, or bytes.
        durable: Whether to wait until the disk has it, so that it outlives a power failure too.

    Raises:
        ImgcolorError: If it cannot be written, such as on a full disk. A file of that name is then as it was.
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


_WAYS_OUT = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EROFS: "it is mounted read-only",
    errno.EACCES: "ask for the right to write there",
    errno.EPERM: "ask for the right to write there",
    errno.ENOTDIR: "a file has the place of a folder: move it away",
    errno.EEXIST: "a file has the place of a folder: move it away",
}

ONLY_WRITING = frozenset(_WAYS_OUT) - {errno.EACCES, errno.EPERM}
"""Those ``OSError.errno`` that only writing gives, never reading."""


def cannot_write(error: OSError, path: Path | None = None) -> str:
    """Say in one line what could not be written, why, and the way out.

    Args:
        error: What the system said.
        path: The file, where the error does not know it.
    """
    place = path or error.filename or "a file of the run"
    hint = _WAYS_OUT.get(error.errno or 0, "see what is wrong there")
    return (
        f"{place}: cannot be written ({error.strerror}); {hint}, or write elsewhere (--output; runs: "
        "--trainer.logger.save_dir FOLDER)"
    )


def write_metrics(path: Path, metrics: Mapping[str, float]) -> None:
    """Write figures as JSON, whole: name to number.

    The PSNR of images without an error is infinite, which JSON has no word for; readers take 1e999 for it.
    """
    atomic_write(path, json.dumps(metrics, indent=1).replace(": Infinity", ": 1e999") + "\n")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file: a dictionary a row, column to text."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Write a CSV file, whole.

    Args:
        path: The file.
        rows: Column to value; rows may lack columns.
        columns: Their order; by default the order in which the rows bring them.
    """
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write(path, text.getvalue())

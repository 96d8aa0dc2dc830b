"""Reading tables, and writing files so that nothing half-written is ever left under a final name."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RUN_FILE = "run.json"
"""What the file that says where a run comes from is called, in the run's folder."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and move it there when it is whole; folders are made as needed.

    Args:
        path: The file; one of that name is replaced.
        content: Text, written as UTF-8, or bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.part")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
    write_whole(path, text.getvalue())

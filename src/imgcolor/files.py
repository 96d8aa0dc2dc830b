"""Writing files so that nothing half-written is ever left under a final name."""

from pathlib import Path


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

"""What is checked of a checkpoint before anything is made of it: the file may be a stranger's."""

import itertools
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from imgcolor.utils.errors import ImgcolorError

TRUSTED = (*(f"imgcolor.{name}" for name in ("baselines", "colour", "data", "networks", "tasks")), "torch.nn")
"""Packages whose classes any checkpoint may name."""

_FOLDER = 0x10  # in an archive's external attributes

_LARGEST_SIZE = 10_000
"""Height of training images."""

_MOST_VALUES = 10_000
_DEEPEST = 50
"""Of a config. Lists and dictionaries can hold one another, in circles and more often than could ever be built."""


def refuse_class(path: str, allow_import: str | Sequence[str]) -> None:
    """Refuse to import a class that neither imgcolor nor the user vouches for.

    Args:
        path: The class's dotted path.
        allow_import: Modules, packages or classes that the user vouches for.

    Raises:
        ImgcolorError: If it lies in none of them and not in :data:`TRUSTED`.
    """
    allowed = [allow_import] if isinstance(allow_import, str) else allow_import
    if not _within(path, (*TRUSTED, *allowed)):
        module = path.rpartition(".")[0]
        raise ImgcolorError(
            f"{path}: expected a class of imgcolor or torch.nn in a checkpoint, found another, which is not "
            "imported, since that could run a stranger's code; if you trust checkpoint and class, allow it: "
            f"--allow-import {module} on the command line, allow_import=[{module!r}] in Python"
        )


def check_archive(path: Path) -> None:
    """Refuse a file that becomes larger in memory, or whose checksums, which torch does not look at, are wrong.

    Args:
        path: A checkpoint. Torch compresses nothing in it, and stores nothing twice.

    Raises:
        ImgcolorError: If it becomes larger.
        BadZipFile: If it is damaged.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        size, content = path.stat().st_size, sum(entry.file_size for entry in archive.infolist())
        if content > size:
            raise ImgcolorError(
                f"{path}: expected a checkpoint, which is not compressed, found {size:,} bytes that would become "
                f"{content:,}; give a .ckpt file that `imgcolor fit` wrote"
            )
        # Of a tensor that is marked as a folder torch reads nothing, and gives what was in memory.
        folders = [entry.filename for entry in archive.infolist() if entry.external_attr & _FOLDER]
        damaged = folders or archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(f"{damaged}: marked as a folder, or of another checksum")


def find_fault(own: Any, weights: Any) -> str | None:
    """Return what makes a checkpoint different from those that a fit writes.

    Args:
        own: imgcolor's part of the checkpoint.
        weights: Its state dictionary.

    Returns:
        What was found instead of the expected content, or None for a valid checkpoint.
    """
    if not isinstance(own, dict) or not own.keys() >= {"task", "network", "coding", "degradation"}:
        return "no config of a task, network, coding and degradation"
    size = own.get("image_size")
    if size is not None and not (type(size) is int and 1 <= size <= _LARGEST_SIZE):
        return f"an image size of {str(size)[:40]}"
    if not isinstance(own.get("flip_tta", False), bool):
        return "a flip_tta that is neither true nor false"
    if not isinstance(weights, dict):
        return "no weights"
    for name, value in weights.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            return "no weights by name"
        # Strides of 0 make tensors of any size from a few bytes.
        if value.layout != torch.strided or value.nbytes > value.untyped_storage().nbytes():
            return f"weights that are not there in full ({name[:80]})"
    configs = {part: own[part] for part in ("task", "network", "coding", "degradation")}
    for part, config in configs.items():
        if not (config is None or (is_config(config) and isinstance(config.get("init_args"), dict))):
            return f"no config of a {part}"
    return _config_fault(list(configs.values()))


def is_config(value: Any) -> bool:
    """Whether a value of a config is a config itself."""
    return isinstance(value, dict) and "class_path" in value


def is_trusted(config: Mapping[str, Any]) -> bool:
    """Whether all classes of a config, which has no fault, are trusted ones."""
    return all(_within(value["class_path"], TRUSTED) for value, _ in _values(config) if is_config(value))


def _config_fault(configs: list[Any]) -> str | None:
    for count, (value, depth) in enumerate(itertools.islice(_values(configs), _MOST_VALUES + 1)):
        if count == _MOST_VALUES or depth > _DEEPEST:
            return f"configs of more than {_MOST_VALUES:,} values, or more than {_DEEPEST} deep"
        if is_config(value) and not (
            isinstance(value["class_path"], str) and isinstance(value.get("init_args", {}), dict)
        ):
            return "a config that names no class"
        if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
            return "a config with names that are no text"
        if not (value is None or isinstance(value, bool | int | float | str | list | tuple | dict)):
            return f"a config with a {type(value).__name__}"
    return None


def _values(config: Any) -> Iterator[tuple[Any, int]]:
    """Every value inside, and how deep it lies; without recursion, which a file could drive too deep."""
    waiting = [(config, 0)]
    while waiting:
        value, depth = waiting.pop()
        yield value, depth
        if isinstance(value, Mapping):
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list | tuple):
            waiting += [(inner, depth + 1) for inner in value]


def _within(path: str, packages: Sequence[str]) -> bool:
    return any(path == package or path.startswith(f"{package}.") for package in packages)

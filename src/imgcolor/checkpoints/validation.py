"""Checks of a checkpoint from an untrusted source, before any class is imported or built."""

import itertools
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from imgcolor.utils.errors import ImgcolorError

TRUSTED = (*(f"imgcolor.{name}" for name in ("baselines", "colour", "data", "networks", "tasks")), "torch.nn")
"""Packages whose classes any checkpoint may name."""

_FOLDER = 0x10  # the bit of an archive entry's external attributes that marks a folder

_MAX_IMAGE_SIZE = 10_000

# Limits for configs, whose lists and dictionaries can contain each other, even in circles.
_MAX_VALUES = 10_000
_MAX_DEPTH = 50


def refuse_class(path: str, allow_import: str | Sequence[str]) -> None:
    """Refuse to import a class that neither imgcolor nor the user trusts.

    Args:
        path: The class's dotted path.
        allow_import: Modules, packages or classes that the user trusts.

    Raises:
        ImgcolorError: If it lies in none of them and not in :data:`TRUSTED`.
    """
    allowed = [allow_import] if isinstance(allow_import, str) else allow_import
    if not _within(path, (*TRUSTED, *allowed)):
        module = path.rpartition(".")[0]
        raise ImgcolorError(
            f"{path}: expected a class of imgcolor or torch.nn in a checkpoint, found another, which is not "
            "imported, since that could run untrusted code; if you trust checkpoint and class, allow it: "
            f"--allow-import {module} on the command line, allow_import=[{module!r}] in Python"
        )


def check_archive(path: Path) -> None:
    """Refuse a file whose content is larger than the file, or whose checksums are wrong.

    Torch neither compresses checkpoints nor checks their checksums.

    Args:
        path: A checkpoint.

    Raises:
        ImgcolorError: If the content is larger than the file.
        BadZipFile: If the file is damaged.
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
        # Torch does not read an entry that is marked as a folder, and returns uninitialized memory.
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
    if size is not None and not (type(size) is int and 1 <= size <= _MAX_IMAGE_SIZE):
        return f"an image size of {str(size)[:40]}"
    if not isinstance(own.get("flip_tta", False), bool):
        return "a flip_tta that is neither true nor false"
    if not isinstance(weights, dict):
        return "no weights"
    for name, value in weights.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            return "a state dictionary that does not map names to tensors"
        # With strides of 0, a few bytes are a tensor of any size.
        if value.layout != torch.strided or value.nbytes > value.untyped_storage().nbytes():
            return f"an incomplete tensor ({name[:80]})"
    configs = {part: own[part] for part in ("task", "network", "coding", "degradation")}
    for part, config in configs.items():
        if not (config is None or (is_config(config) and isinstance(config.get("init_args"), dict))):
            return f"no config of a {part}"
    return _config_fault(list(configs.values()))


def is_config(value: Any) -> bool:
    """Whether a value is a config."""
    return isinstance(value, dict) and "class_path" in value


def is_trusted(config: Mapping[str, Any]) -> bool:
    """Return whether all classes of a valid config are in :data:`TRUSTED`."""
    return all(_within(value["class_path"], TRUSTED) for value, _ in _values(config) if is_config(value))


def _config_fault(configs: list[Any]) -> str | None:
    for count, (value, depth) in enumerate(itertools.islice(_values(configs), _MAX_VALUES + 1)):
        if count == _MAX_VALUES or depth > _MAX_DEPTH:
            return f"configs of more than {_MAX_VALUES:,} values, or more than {_MAX_DEPTH} deep"
        if is_config(value) and not (
            isinstance(value["class_path"], str) and isinstance(value.get("init_args", {}), dict)
        ):
            return "a config that names no class"
        if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
            return "a config with names that are not text"
        if not (value is None or isinstance(value, bool | int | float | str | list | tuple | dict)):
            return f"a config with a {type(value).__name__}"
    return None


def _values(config: Any) -> Iterator[tuple[Any, int]]:
    """Yield every value inside and its depth; without recursion, because a file can nest values very deep."""
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

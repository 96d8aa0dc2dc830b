"""Describe a module as plain data, and build it again from that.

A *config* has the form that Lightning's YAML files use too: ``{"class_path": "package.Class", "init_args":
{...}}``, with numbers, strings, lists and further configs inside. It contains no pickled code, and only classes of
imgcolor, of ``torch.nn`` and of modules that the user allows are imported for it.
"""

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from imgcolor.checkpoints.signatures import init_parameters
from imgcolor.checkpoints.validation import is_config, refuse_class
from imgcolor.utils.errors import ImgcolorError

_CONFIG = "_imgcolor_config"


def get_config(module: nn.Module) -> dict[str, Any] | None:
    """Return the class and constructor arguments of a module.

    Each argument is read from the attribute of the same name (scikit-learn's convention), so a class only has to
    store its arguments. An argument that is a module becomes a config too. ``**kwargs`` that are passed on by
    ``super().__init__(..., **kwargs)`` stand for the arguments of the parent. Arguments that the class attribute
    ``not_in_config`` names are left out.

    Args:
        module: Any module.

    Returns:
        The config, or None where an argument is not available as plain data.
    """
    stored: dict[str, Any] | None = getattr(module, _CONFIG, None)
    if stored is not None:
        return stored
    init_args, missing = _init_args(module)
    return None if missing else {"class_path": class_path(type(module)), "init_args": init_args}


def missing_argument(module: nn.Module) -> str:
    """Return the constructor argument for which :func:`get_config` returns None; an empty text if there is none."""
    return "" if getattr(module, _CONFIG, None) is not None else _init_args(module)[1]


def _init_args(module: nn.Module) -> tuple[dict[str, Any], str]:
    """Return the arguments that are available, and the first one that is not."""
    init_args = {}
    for name in init_parameters(type(module)):
        if name in getattr(module, "not_in_config", ()):
            continue
        try:
            init_args[name] = _plain(getattr(module, name))
        except (AttributeError, TypeError):
            return init_args, name
    return init_args, ""


def set_config(module: nn.Module, config: Mapping[str, Any]) -> None:
    """Store a config in a module, for :func:`get_config` to return.

    Args:
        module: The module.
        config: Its class and constructor arguments. The class path is replaced by the public one.
    """
    object.__setattr__(
        module, _CONFIG, _plain({"init_args": {}, **config, "class_path": class_path(type(module))})
    )


def from_config(config: Mapping[str, Any], allow_import: str | Sequence[str] = (), **replaced: Any) -> Any:
    """Build the module that a config describes.

    Args:
        config: What :func:`get_config` returned.
        allow_import: Modules, packages or classes that the config may name in addition to those of imgcolor and
            ``torch.nn``.
        **replaced: Constructor arguments that replace the config's.

    Returns:
        The module.

    Raises:
        ImgcolorError: If a class may not or cannot be imported, is no torch module, or refuses the arguments.
    """
    path = config["class_path"]
    refuse_class(path, allow_import)
    try:
        module, _, name = path.rpartition(".")
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ImgcolorError(f"cannot import {path}, which the checkpoint was made with ({error})") from error
    # Without this check, an untrusted file could have any function called, such as os.system.
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise ImgcolorError(
            f"{path}: expected the class of a torch module in a checkpoint, found another object"
        )
    arguments = {
        key: from_config(value, allow_import) if is_config(value) else value
        for key, value in config.get("init_args", {}).items()
        if key not in replaced
    }
    try:
        return cls(**arguments, **replaced)
    except ImgcolorError:
        raise
    except Exception as error:  # given any arguments, constructors raise nearly anything
        raise ImgcolorError(f"{path} does not take the checkpoint's arguments ({error})") from error


def class_path(cls: type) -> str:
    """Return the public dotted path of a class: in the outermost package that exports it.

    Args:
        cls: Any class.

    Returns:
        A path such as ``imgcolor.networks.ColourUNet``, which does not depend on the file that defines the class.
    """
    name, *inner = cls.__qualname__.split(".")
    parts = cls.__module__.split(".")
    for length in range(1, len(parts)):
        package = ".".join(parts[:length])
        exported = getattr(sys.modules.get(package), name, None)
        if exported is getattr(sys.modules[cls.__module__], name, cls):
            return ".".join([package, name, *inner])
    return f"{cls.__module__}.{cls.__qualname__}"


def _plain(value: Any) -> Any:
    """Convert a value to data that ``torch.load(weights_only=True)`` reads.

    Raises:
        TypeError: If that is not possible.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, nn.Module):
        config = get_config(value)
        if config is None:
            raise TypeError(f"{type(value).__name__} has no config")
        return config
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [_plain(inner) for inner in value]
    raise TypeError(f"{type(value).__name__} is not plain data")

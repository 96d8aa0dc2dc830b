"""How a module was built, as plain data.

A *config* is the form that Lightning's YAML files use too: ``{"class_path": "package.Class", "init_args":
{...}}``, with numbers, strings, lists and further configs inside. Nothing in it is pickled code, and a class is
imported only where imgcolor or the user vouches for it.
"""

import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from imgcolor.checkpoints.validation import is_config, refuse_class
from imgcolor.utils.errors import ImgcolorError

_CONFIG = "_imgcolor_config"


def get_config(module: nn.Module) -> dict[str, Any] | None:
    """Say how a module was built.

    Every argument of its constructor is read from the attribute of the same name (the convention of
    scikit-learn), so a class takes part by storing what it is given. Modules inside are described likewise.

    Args:
        module: Any module.

    Returns:
        The config, or None where an argument is not to be found as plain data.
    """
    remembered: dict[str, Any] | None = getattr(module, _CONFIG, None)
    if remembered is not None:
        return remembered
    init_args = {}
    own_init = type(module).__init__ is not nn.Module.__init__
    for name, parameter in inspect.signature(type(module)).parameters.items() if own_init else ():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            return None
        if name in getattr(module, "not_in_config", ()):
            continue
        try:
            init_args[name] = _plain(getattr(module, name))
        except (AttributeError, TypeError):
            return None
    return {"class_path": class_path(type(module)), "init_args": init_args}


def set_config(module: nn.Module, config: Mapping[str, Any]) -> None:
    """Keep the config that a module was built from, for :func:`get_config` to give.

    Args:
        module: The module.
        config: What it was built from, as plain data.
    """
    object.__setattr__(module, _CONFIG, _plain(config))


def from_config(config: Mapping[str, Any], allow_import: str | Sequence[str] = (), **replaced: Any) -> Any:
    """Make the object that a config describes.

    Args:
        config: What :func:`get_config` gave.
        allow_import: Modules, packages or classes that the config may name beside imgcolor's and ``torch.nn``'s.
        **replaced: Constructor arguments that replace the config's.

    Returns:
        The object.

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
    # Called whatever it is, a stranger's file could name any function: os.system, say.
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
    """Return the public dotted path of a class: that of the outermost package which exports it.

    Args:
        cls: Any class.

    Returns:
        Such as ``imgcolor.networks.ColourUNet``, which stays when the file with the class is renamed.
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
    """A value as data that ``torch.load(weights_only=True)`` takes, or a TypeError."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, nn.Module):
        config = get_config(value)
        if config is None:
            raise TypeError(f"{type(value).__name__} cannot be described")
        return config
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [_plain(inner) for inner in value]
    raise TypeError(f"{type(value).__name__} is no plain data")

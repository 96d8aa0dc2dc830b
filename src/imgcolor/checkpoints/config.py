"""How a module was built, as plain data.

A *recipe* is the form that Lightning's YAML files use too: ``{"class_path": "package.Class", "init_args":
{...}}``, with numbers, strings, lists and further recipes inside. Nothing in it is pickled code, and a class is
imported only where imgcolor or the user vouches for it.
"""

import importlib
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from imgcolor.checkpoints.validation import is_recipe, refuse_class
from imgcolor.utils.errors import ImgcolorError

_REMEMBERED = "_imgcolor_recipe"


def describe(module: nn.Module) -> dict[str, Any] | None:
    """Say how a module was built.

    Every argument of its constructor is read from the attribute of the same name (the convention of
    scikit-learn), so a class takes part by storing what it is given. Modules inside are described likewise.

    Args:
        module: Any module.

    Returns:
        The recipe, or None where an argument is not to be found as plain data.
    """
    remembered: dict[str, Any] | None = getattr(module, _REMEMBERED, None)
    if remembered is not None:
        return remembered
    init_args = {}
    own_init = type(module).__init__ is not nn.Module.__init__
    for name, parameter in inspect.signature(type(module)).parameters.items() if own_init else ():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            return None
        if name in getattr(module, "not_in_recipe", ()):
            continue
        try:
            init_args[name] = _plain(getattr(module, name))
        except (AttributeError, TypeError):
            return None
    return {"class_path": class_path(type(module)), "init_args": init_args}


def remember(module: nn.Module, recipe: Mapping[str, Any]) -> None:
    """Keep the recipe that a module was built from, for :func:`describe` to give.

    Args:
        module: The module.
        recipe: What it was built from, as plain data.
    """
    object.__setattr__(module, _REMEMBERED, _plain(recipe))


def build(recipe: Mapping[str, Any], allow_import: str | Sequence[str] = (), **replaced: Any) -> Any:
    """Make the object that a recipe describes.

    Args:
        recipe: What :func:`describe` gave.
        allow_import: Modules, packages or classes that the recipe may name beside imgcolor's and ``torch.nn``'s.
        **replaced: Constructor arguments that replace the recipe's.

    Returns:
        The object.

    Raises:
        ImgcolorError: If a class may not or cannot be imported, is no torch module, or refuses the arguments.
    """
    path = recipe["class_path"]
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
        key: build(value, allow_import) if is_recipe(value) else value
        for key, value in recipe.get("init_args", {}).items()
        if key not in replaced
    }
    try:
        return cls(**arguments, **replaced)
    except ImgcolorError:
        raise
    except Exception as error:  # given any arguments, constructors raise nearly anything
        raise ImgcolorError(f"{path} does not take the checkpoint's arguments ({error})") from error


def class_path(cls: type) -> str:
    """The dotted path that imports a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _plain(value: Any) -> Any:
    """A value as data that ``torch.load(weights_only=True)`` takes, or a TypeError."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, nn.Module):
        recipe = describe(value)
        if recipe is None:
            raise TypeError(f"{type(value).__name__} cannot be described")
        return recipe
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [_plain(inner) for inner in value]
    raise TypeError(f"{type(value).__name__} is no plain data")

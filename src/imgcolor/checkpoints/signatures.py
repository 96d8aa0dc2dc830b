"""The names of a class's constructor arguments."""

import ast
import inspect
import textwrap
from collections.abc import Sequence

from torch import nn


def init_parameters(cls: type) -> list[str]:
    """Return the names of the constructor arguments, those of the parent in place of ``**kwargs``.

    The parent's arguments are known if ``__init__`` contains ``super().__init__(..., **kwargs)`` and uses ``kwargs``
    nowhere else. Otherwise, the list contains ``**kwargs`` itself, and ``*args`` is always in it.

    Args:
        cls: Any class.
    """
    return _parameters(cls.__mro__)


def _parameters(classes: Sequence[type]) -> list[str]:
    number = next(number for number, cls in enumerate(classes) if "__init__" in vars(cls))
    cls = classes[number]
    if cls is nn.Module:
        return []
    parameters = list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]
    names = [
        f"*{p.name}" if p.kind is p.VAR_POSITIONAL else p.name
        for p in parameters
        if p.kind is not p.VAR_KEYWORD
    ]
    rest = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
    passed = _passed_to_parent(cls, rest[0]) if rest else None
    if passed is None:
        return [*names, *(f"**{name}" for name in rest)]
    positional, keywords = passed
    inherited = _parameters(classes[number + 1 :])[positional:]
    return [*names, *(name for name in inherited if name not in keywords and name not in names)]


def _passed_to_parent(cls: type, rest: str) -> tuple[int, set[str]] | None:
    """Return what the constructor passes to its parent in addition to ``**rest``; None if that is not known.

    Returns:
        The number of positional arguments, and the names of the others.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(vars(cls)["__init__"])))
    except (OSError, TypeError, SyntaxError):
        return None
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == rest]
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "super().__init__":
            continue
        unpacked = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg is None]
        if unpacked == [rest] and len(uses) == 1 and not any(isinstance(a, ast.Starred) for a in call.args):
            return len(call.args), {keyword.arg for keyword in call.keywords if keyword.arg is not None}
    return None

"""Functions as commands."""

from collections.abc import Callable
from typing import Any

from jsonargparse import auto_cli


def run_command(command: Callable[..., Any], arguments: list[str]) -> None:
    """Run a function as a command: its docstring is the help.

    Arguments without a default are given by their place, the others by their names.

    Args:
        command: The function.
        arguments: The command's name and its options.
    """
    name = f"imgcolor {arguments[0]}"
    auto_cli(command, args=arguments[1:], prog=name, exit_on_error=False)

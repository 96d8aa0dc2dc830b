"""Functions as commands, and commands whose arguments are lists of files."""

import sys
from argparse import ArgumentError
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace, auto_cli


def run_command(command: Callable[..., Any], arguments: list[str]) -> None:
    """Run a function as a command: its docstring is the help.

    Arguments without a default are given by their place, the others by their names.

    Args:
        command: The function.
        arguments: The command's name and its options.
    """
    name = f"imgcolor {arguments[0]}"
    auto_cli(command, args=arguments[1:], prog=name, exit_on_error=False)


def add_allow_import(parser: ArgumentParser) -> None:
    """Add the option that lets a checkpoint name classes of the user's project."""
    parser.add_argument(
        "--allow-import",
        action="append",
        default=[],
        metavar="PREFIX",
        help="a module, package or class of yours that the checkpoint may name; may be given several times",
    )


def import_from_here() -> None:
    """As `python` does: class paths of a project find the files in the folder where one works."""
    sys.path.append(str(Path.cwd()))


def parse_files(parser: ArgumentParser, arguments: Sequence[str], expected: str, example: str) -> Namespace:
    """Parse the options of a command that wants files.

    Args:
        parser: The command's parser.
        arguments: The words behind the command's name.
        expected: The files, as the error for missing ones calls them.
        example: A whole command, for the same error.

    Raises:
        ArgumentError: If the arguments do not fit.
    """
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        if "arguments are required" not in error.message:
            raise
        # The advice that usage_error adds to jsonargparse's message, a configuration file, is not for these.
        missing = error.message.rpartition(": ")[2]
        raise ArgumentError(None, f"expected {expected}, found no {missing}; such as: {example}") from error

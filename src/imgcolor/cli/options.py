"""How a command of imgcolor reads its arguments.

A command is a module of :mod:`imgcolor.cli`, named as the command, with two functions:

.. code-block:: python

    def add_arguments(parser: CommandParser) -> None:
        parser.description = "List the trained models."
        parser.example = "imgcolor models faces"
        parser.add_argument("name", nargs="?", metavar="NAME", help="the name of a model")


    def run(arguments: Namespace) -> None:
        print(arguments.name)

``parser`` is a parser of the standard library's :mod:`argparse`. Switches have ``action="store_true"``, lists
``nargs`` or ``action="append"``. A help text names its default with ``(default: %(default)s)``. ``COMMANDS`` in
``imgcolor.cli.main`` lists all commands.

Help and errors in the arguments must appear at once: import torch, and all that imports it, in ``run``.

``fit``, ``validate``, ``test``, ``predict`` and ``baseline`` are commands of LightningCLI, in
``imgcolor.cli.training``.
"""

import sys
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from imgcolor.utils.errors import ImgcolorError


class UsageError(ImgcolorError):
    """The arguments do not fit the command."""

    exit_status = 2


class CommandParser(ArgumentParser):
    """A parser that raises :class:`UsageError` instead of ending the process.

    Attributes:
        example: A whole command, which errors show.
    """

    def __init__(self, prog: str) -> None:
        self.example: str | None = None
        self._options: list[str] = []
        super().__init__(prog, allow_abbrev=False)

    def add_argument(self, *args: Any, **kwargs: Any) -> Action:
        """Add an argument; see :meth:`argparse.ArgumentParser.add_argument`."""
        action = super().add_argument(*args, **kwargs)
        self._options += action.option_strings
        return action

    def parse(self, words: Sequence[str]) -> Namespace:
        """Parse the words that follow the command's name. Options may stand before, between and after files.

        Raises:
            UsageError: If they do not fit the command.
        """
        arguments, unknown = self.parse_known_intermixed_args(words)
        if unknown:
            option = unknown[0].partition("=")[0]
            near = get_close_matches(option, self._options, n=1)
            hint = f"did you mean {near[0]}?" if near else f"`{self.prog} --help` lists the arguments"
            raise UsageError(f"{self.prog}: unexpected argument {option!r}; {hint}")
        return arguments

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        hint = f"for example: {self.example}" if self.example else f"`{self.prog} --help` lists the arguments"
        raise UsageError(f"{message}; {hint}")


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
    """Let class paths name modules in the current folder, as in `python`."""
    sys.path.append(str(Path.cwd()))

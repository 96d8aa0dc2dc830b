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

import imgcolor
from imgcolor.utils.errors import ImgcolorError


class UsageError(ImgcolorError):
    """The arguments do not fit the command."""

    exit_status = 2


class CommandParser(ArgumentParser):
    """A parser that raises :class:`UsageError` instead of ending the process.

    Options may stand before, between and after positional arguments. All after ``--`` are positional arguments.

    Attributes:
        example: A whole command, which errors show.
    """

    def __init__(self, prog: str) -> None:
        self.example: str | None = None
        self._option_strings: list[str] = []
        # Two parsers, because argparse's parse_intermixed_args takes arguments after "--" as options.
        self._option_parser = _PartParser(self)
        self._positional_parser = _PartParser(self)
        super().__init__(prog, allow_abbrev=False)

    def add_argument(self, *args: Any, **kwargs: Any) -> Action:
        """Add an argument; see :meth:`argparse.ArgumentParser.add_argument`."""
        action = super().add_argument(*args, **kwargs)
        self._option_strings += action.option_strings
        if not action.option_strings:
            self._positional_parser.add_argument(*args, **kwargs)
        elif action.dest != "help":
            self._option_parser.add_argument(*args, **kwargs)
        return action

    def parse(self, given: Sequence[str]) -> Namespace:
        """Parse the arguments that follow the command's name.

        Raises:
            UsageError: If they do not fit the command.
        """
        end = list(given).index("--") if "--" in given else len(given)
        before, after = given[:end], given[end + 1 :]
        if "-h" in before or "--help" in before:
            self.print_help()
            self.exit()
        arguments, rest = self._option_parser.parse_known_args(before)
        for argument in rest:
            if argument.startswith("-") and argument != "-":
                self._refuse(argument.partition("=")[0])
        rest += after
        # After "--", a leading dash does not make an option.
        arguments, surplus = self._positional_parser.parse_known_args(
            ["--", *rest] if rest else [], arguments
        )
        for argument in surplus:
            if argument != "--":
                self._refuse(argument)
        return arguments

    def _refuse(self, option: str) -> NoReturn:
        near = get_close_matches(option, self._option_strings, n=1)
        hint = f"did you mean {near[0]}?" if near else f"`{self.prog} --help` lists the arguments"
        raise UsageError(f"{self.prog}: unexpected argument {option!r}; {hint}")

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        hint = f"for example: {self.example}" if self.example else f"`{self.prog} --help` lists the arguments"
        raise UsageError(f"{message}; {hint}")


class _PartParser(ArgumentParser):
    """The parser of the options or of the positional arguments of a command."""

    def __init__(self, command: CommandParser) -> None:
        self._command = command
        super().__init__(add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        self._command.error(message)


SELF_ENSEMBLE = "use the mean over an image's eight flips and rotations: sharper, in eight times the time"
"""Help of the option ``--self-ensemble``."""


def add_allow_import(parser: ArgumentParser) -> None:
    """Add the option that lets a checkpoint name classes of the user's project."""
    parser.add_argument(
        "--allow-import",
        action="append",
        default=[],
        metavar="PREFIX",
        help="a module, package or class of yours that the checkpoint may name; may be given several times",
    )


def find_packaged(path: Path) -> Path:
    """Return the path of an experiment or sweep of the package for ``experiments/...``, unless that exists here."""
    if path.parts[:1] != ("experiments",) or path.exists():
        return path
    package = Path(imgcolor.__file__)
    # In a wheel the experiments are in the package, in a checkout at the top.
    folders = (package.parent, package.parents[2])
    return next((folder / path for folder in folders if (folder / path).exists()), path)


def import_from_here() -> None:
    """Let class paths name modules in the current folder, as in `python`."""
    sys.path.append(str(Path.cwd()))

"""The command line: ``imgcolor COMMAND ...``.

Nothing heavy is imported before a command is known, so that ``imgcolor --help`` answers at once.
"""

import os
import signal
import sys
from argparse import ArgumentError
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper

import imgcolor
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import ONLY_WRITING, cannot_write

# A test holds it to one screen of 80 columns and 24 lines.
_USAGE = """usage: imgcolor [--help] [--version] COMMAND ... [--debug]

Small networks that give images their colours and details back.

commands:
{commands}

`imgcolor COMMAND --help` tells its options, --debug an error's traceback."""


def _command(name: str) -> Callable[[list[str]], None]:
    """A command as :mod:`imgcolor.cli.options` describes it."""

    def run(arguments: list[str]) -> None:
        from imgcolor.cli.options import CommandParser

        module = import_module(f"imgcolor.cli.{name}")
        parser = CommandParser(f"imgcolor {arguments[0]}")
        module.add_arguments(parser)
        module.run(parser.parse(arguments[1:]))

    return run


def _lightning(arguments: list[str]) -> None:
    """Run a command of LightningCLI."""
    from imgcolor.cli import training

    training.run(arguments)


COMMANDS: dict[str, tuple[str, Callable[[list[str]], None]]] = {
    "colourize": (
        "give grey photos colour (also: colorize): imgcolor colourize a.jpg",
        _command("colourize"),
    ),
    "upscale": ("enlarge photos: imgcolor upscale a.jpg", _command("upscale")),
    "models": ("list the trained models that come with imgcolor", _command("models")),
    "demo": ("try the models on photos in the browser, on this machine alone", _command("demo")),
    "fit": ("train a network: imgcolor fit --config experiments/quickstart.yaml", _lightning),
    "validate": ("measure a trained network on the validation images", _lightning),
    "test": ("measure a trained network on the test images", _lightning),
    "predict": ("write a trained network's images as PNG files", _lightning),
    "baseline": ("measure what needs no network: copies, interpolations, tables", _lightning),
    "sweep": ("train an experiment with many values of its options, on Ray Tune", _command("sweep")),
    "record": ("keep what runs ended with as rows of a table of results", _command("record")),
    "report": ("write the results page from the tables of results", _command("report")),
    "export": ("write a trained network as ONNX, TorchScript or small weights", _command("export")),
    "evaluate": (
        "score images by the 12-margin accuracy of the face homework",
        _command("evaluate"),
    ),
    "palette": ("learn a palette of colours from images, write and draw it", _command("palette")),
    "activations": ("draw and measure a network's activation maps for images", _command("activations")),
}

_ALIASES = {"colorize": "colourize"}


def main(args: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        args: The words behind ``imgcolor``; those of the process by default.

    Returns:
        The exit status: 0 for success, 1 for an error that was told in one line, 2 for options or a
        configuration that do not fit the command, 3 for a training that diverged, 130 after Ctrl-C, 141 when
        nobody reads its output any longer.

    Raises:
        SystemExit: With status 0 after a command's ``--help``.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text in any encoding
    arguments = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    try:
        _run(arguments)
        sys.stdout.flush()
    except ImgcolorError as error:
        if debug:
            raise
        return _fail(str(error), status=error.exit_status)
    except ArgumentError as error:
        if debug:
            raise
        from imgcolor.cli.usage_errors import usage_error

        return _fail(usage_error(error, arguments), status=2)
    except KeyboardInterrupt:
        if debug:
            raise
        return _fail("stopped by Ctrl-C", status=130)
    except BrokenPipeError:
        # Who reads has enough, such as `head`. Python would say so once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except SystemExit as stop:
        if stop.code == 128 + signal.SIGTERM and not debug:
            return _fail("stopped by SIGTERM", status=stop.code)
        # Lightning ends a training that Ctrl-C has stopped in this way.
        if debug or not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        return _fail("stopped by Ctrl-C", status=130)
    except Exception as error:
        if debug:
            raise
        cause = _cause(error)
        if isinstance(cause, ImgcolorError):
            return _fail(str(cause))
        if isinstance(cause, OSError) and cause.errno in ONLY_WRITING:
            return _fail(cannot_write(cause))
        if cause is not error and isinstance(cause, ValueError | TypeError):
            return _fail(str(cause))
        return _fail(f"{type(error).__name__}: {error} (--debug shows the traceback)")
    return 0


def _cause(error: BaseException) -> BaseException:
    """What a constructor raised: jsonargparse wraps it, and says much around it."""
    while error.__cause__ is not None or error.__context__ is not None:
        if isinstance(error, ImgcolorError):
            break
        inner = error.__cause__ or error.__context__
        assert inner is not None
        error = inner
    return error


def _run(arguments: list[str]) -> None:
    command = arguments[0] if arguments else "--help"
    known = _ALIASES.get(command, command)
    if command in ("--help", "-h", "help"):
        width = max(map(len, COMMANDS)) + 1
        commands = "\n".join(f"  {name:{width}}{about}" for name, (about, _) in COMMANDS.items())
        print(_USAGE.format(commands=commands))
    elif command == "--version":
        print(f"imgcolor {imgcolor.__version__}")
    elif known in COMMANDS:
        _, run = COMMANDS[known]
        run(arguments)
    else:
        near = get_close_matches(command, COMMANDS, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ImgcolorError(f"expected a command ({', '.join(COMMANDS)}), found {command!r}{meant}")


def _fail(message: str, status: int = 1) -> int:
    # Messages of libraries may have several lines; one is what scripts and people can rely on.
    print("imgcolor: error:", " ".join(message.split()), file=sys.stderr)
    return status

"""The command line, ``imgcolor COMMAND ...``: the table of commands, and the exit status for each error.

Nothing slow is imported before the command is known, so that ``imgcolor --help`` answers at once.
"""

import os
import signal
import sys
from argparse import ArgumentError
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper

import imgcolor
from imgcolor.cli.training_help import HELP
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import ONLY_WRITING, cannot_write

COMMANDS = {
    "colourize": "give grey photos colour (also: colorize): imgcolor colourize a.jpg",
    "upscale": "enlarge photos: imgcolor upscale a.jpg",
    "models": "list the trained models that come with imgcolor",
    "demo": "try the models on photos in the browser, on this machine only",
    "fit": "train a network: imgcolor fit --config experiments/quickstart.yaml",
    "validate": "compute the metrics of a trained network on the validation images",
    "test": "compute the metrics of a trained network on the test images",
    "predict": "write the images of a trained network as PNG files",
    "baseline": "compute the metrics of methods without a network",
    "compare": "compare runs: options, final values, curves, images",
    "sweep": "train an experiment with many values of its options, by Ray Tune",
    "stream": "write photos in chunks for training from object storage",
    "record": "add the final metrics of runs to a table of results",
    "report": "write the results page from the tables of results",
    "export": "write a network as ONNX, TorchScript or a small weights file",
    "evaluate": "compare images with their originals: PSNR, SSIM, margin accuracy",
    "benchmark": "measure quality and speed of a model on sets such as Set5",
    "palette": "fit a palette to images, save and draw it",
    "activations": "draw and measure the activation maps of a trained network",
}
"""Name and summary of each command, in the order of ``imgcolor --help``."""

_ALIASES = {"colorize": "colourize"}
_OTHER_WORDS = {
    "train": "fit",
    "training": "fit",
    "resume": "fit",
    "eval": "validate",
    "infer": "predict",
    "inference": "predict",
    "enlarge": "upscale",
    "tune": "sweep",
    "download": "models",
}
"""What other programs call a command."""

_USAGE = """usage: imgcolor [--help] [--version] COMMAND ... [--debug]

Train small networks that colourize and enlarge images, and use them on photos:
{commands}
`imgcolor COMMAND --help` lists its options; --debug shows tracebacks."""


def main(args: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        args: The arguments that follow ``imgcolor``; by default those of the process.

    Returns:
        The exit status: 0 for success, 1 for an error that was reported in one line, 2 for arguments or a
        configuration that do not fit the command, 3 for a training that diverged, 130 after Ctrl-C, 141 if the
        reader of the output has closed it, 143 after SIGTERM.

    Raises:
        SystemExit: With status 0 after a command's ``--help``.
        Exception: With ``--debug``, every error is raised.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for file names that are not UTF-8
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
        # The reader, such as `head`, has stopped. Python would report the broken pipe again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except SystemExit as stop:
        if stop.code == 128 + signal.SIGTERM and not debug:
            return _fail("stopped by SIGTERM", status=stop.code)
        # Lightning raises SystemExit after Ctrl-C in a training.
        if debug or not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        return _fail("stopped by Ctrl-C", status=130)
    except Exception as error:
        if debug:
            raise
        cause = _cause(error)
        if isinstance(cause, ImgcolorError):
            return _fail(str(cause), status=cause.exit_status)
        if isinstance(cause, OSError) and cause.errno in ONLY_WRITING:
            return _fail(cannot_write(cause))
        # jsonargparse wraps what a constructor raises for a wrong argument; its message is enough.
        if cause is not error and isinstance(cause, ValueError | TypeError):
            return _fail(str(cause))
        return _fail(f"{type(error).__name__}: {error} (--debug shows the traceback)")
    return 0


def _cause(error: BaseException) -> BaseException:
    """Return the original exception: jsonargparse wraps what a constructor raises."""
    while error.__cause__ is not None or error.__context__ is not None:
        if isinstance(error, ImgcolorError):
            break
        inner = error.__cause__ or error.__context__
        assert inner is not None
        error = inner
    return error


def _run(arguments: list[str]) -> None:
    if arguments[:1] == ["help"] and len(arguments) > 1:
        arguments = [*arguments[1:], "--help"]
    command = arguments[0] if arguments else "--help"
    name = _ALIASES.get(command, command)
    if command in ("--help", "-h", "help"):
        width = max(map(len, COMMANDS)) + 1
        print(_USAGE.format(commands="\n".join(f"  {name:{width}}{text}" for name, text in COMMANDS.items())))
    elif command == "--version":
        print(f"imgcolor {imgcolor.__version__}")
    elif name in HELP and _asks_for_help(arguments):
        print(HELP[name], end="")
    elif name in HELP:
        from imgcolor.cli import training

        training.run(["--help" if argument == "--help-all" else argument for argument in arguments])
    elif name in COMMANDS:
        from imgcolor.cli.options import CommandParser

        module = import_module(f"imgcolor.cli.{name}")
        parser = CommandParser(f"imgcolor {command}")
        module.add_arguments(parser)
        module.run(parser.parse(arguments[1:]))
    else:
        near = (
            [_OTHER_WORDS[command]] if command in _OTHER_WORDS else get_close_matches(command, COMMANDS, n=1)
        )
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ImgcolorError(f"expected a command ({', '.join(COMMANDS)}), found {command!r}{hint}")


def _asks_for_help(arguments: Sequence[str]) -> bool:
    # After `--model.help CLASS` and the like, --help would be refused by the parser of that class.
    return bool({"--help", "-h"} & set(arguments))


def _fail(message: str, status: int = 1) -> int:
    # Messages of other libraries may have several lines.
    print("imgcolor: error:", " ".join(message.split()), file=sys.stderr)
    return status

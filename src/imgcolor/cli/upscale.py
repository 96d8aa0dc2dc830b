"""imgcolor upscale: enlarge photos."""

from argparse import Namespace

from imgcolor.cli.options import SELF_ENSEMBLE, CommandParser
from imgcolor.cli.photo_command import add_photo_arguments, run_photo_command
from imgcolor.pretrained import DEFAULT_UPSCALER


def add_arguments(parser: CommandParser) -> None:
    """Add the command's arguments."""
    parser.description = "Enlarge photos by the scale factor of the model."
    parser.example = "imgcolor upscale photo.jpg"
    add_photo_arguments(parser, model=DEFAULT_UPSCALER, output="enlarged")
    parser.add_argument("--self-ensemble", action="store_true", help=SELF_ENSEMBLE)


def run(arguments: Namespace) -> None:
    """Enlarge the photos."""
    run_photo_command(arguments, "upscale")

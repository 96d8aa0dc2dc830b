"""imgcolor colourize: give photos colour."""

from argparse import Namespace

from imgcolor.cli.options import CommandParser
from imgcolor.cli.photo_command import add_photo_arguments, run_photo_command
from imgcolor.pretrained import DEFAULT_COLOURIZER


def add_arguments(parser: CommandParser) -> None:
    """Add the command's arguments."""
    parser.description = "Give grey photos colour. Colour photos are converted to grey first."
    parser.example = "imgcolor colourize photo.jpg"
    add_photo_arguments(parser, model=DEFAULT_COLOURIZER, output="coloured")
    parser.add_argument(
        "--scale",
        default="working",
        choices=["working", "native"],
        help="the size at which the network sees photos: working, about that of its training images, or native, that "
        "of the photo, which --model photos does not allow; the result has the size of the photo in both cases "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--saturation",
        type=float,
        metavar="FACTOR",
        help="factor of the predicted colours: 0 gives grey, higher values are bolder (default: the model's own)",
    )
    parser.add_argument(
        "--hint",
        action="append",
        default=[],
        metavar="X,Y,#RRGGBB",
        help="the colour at a pixel of the photo as it is shown, for one photo; may be given several times",
    )


def run(arguments: Namespace) -> None:
    """Colourize the photos."""
    run_photo_command(arguments, "colourize")

"""imgcolor colourize: give photos colour."""

from argparse import Namespace

from imgcolor.cli.options import CommandParser
from imgcolor.cli.photo_command import add_photo_arguments, run_photo_command


def add_arguments(parser: CommandParser) -> None:
    """Add the command's arguments."""
    parser.description = "Give grey photos colour. Only the luminance of colour photos is used."
    parser.example = "imgcolor colourize photo.jpg"
    add_photo_arguments(parser, model="photos", output="coloured")
    parser.add_argument(
        "--scale",
        default="own",
        choices=["own", "native"],
        help="own: the network sees photos at the size of its training images, and the chroma of its result joins "
        "the luminance of the full size; native: the network sees photos at full size (default: %(default)s)",
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

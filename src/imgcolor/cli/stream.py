"""imgcolor stream: write photos in chunks for training from object storage."""

from argparse import Namespace
from pathlib import Path

from imgcolor.cli.failures import raise_failures
from imgcolor.cli.options import CommandParser, UsageError
from imgcolor.utils.text import count_of


def add_arguments(parser: CommandParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Write the photos of ROOT/train, ROOT/val and, if it exists, ROOT/test in chunks of 64 MB. Training with "
        "--data.source stream --data.root OUTPUT reads the chunks one after the other, from a folder, from object "
        "storage (s3://, gs://, azure://, r2://) or from a web server (https://)."
    )
    parser.example = "imgcolor stream photos chunks --size 64"
    parser.add_argument("root", type=Path, metavar="ROOT", help="the folder with the photos")
    parser.add_argument(
        "output", metavar="OUTPUT", help="a folder, or a URL that starts with s3://, gs:// or r2://"
    )
    parser.add_argument(
        "--size",
        type=int,
        required=True,
        help="height and width of the images, the --data.size of the training",
    )
    parser.add_argument(
        "--patches",
        action="store_true",
        help="cut photos of any size into overlapping patches, for PhotoSuperResolutionDataModule; otherwise each "
        "photo is resized and cropped",
    )
    parser.add_argument(
        "--scales",
        type=float,
        nargs="+",
        metavar="SCALE",
        help="with --patches: the factors by which training photos are resized before (default: 1)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing chunks")


def run(arguments: Namespace) -> None:
    """Write the chunks.

    Raises:
        ImgcolorError: If an argument does not fit, chunks exist already or cannot be written, or photos could not be
            read.
    """
    from imgcolor.data.stream_writer import write_stream

    if arguments.scales and not arguments.patches:
        raise UsageError("--scales: expected it with --patches, found no --patches")
    written = write_stream(
        arguments.root.expanduser(),
        arguments.output,
        arguments.size,
        patch_scales=(arguments.scales or (1.0,)) if arguments.patches else None,
        overwrite=arguments.overwrite,
    )
    print(
        f"{written.photos - len(written.failures)} of {count_of(written.photos, 'photo')} in {arguments.output}"
    )
    raise_failures(written.failures, written.photos, "read")

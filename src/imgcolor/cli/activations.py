"""imgcolor activations: draw and measure the activation maps of a trained network."""

from argparse import Namespace
from pathlib import Path

from imgcolor.cli.options import CommandParser, UsageError, add_allow_import, import_from_here
from imgcolor.data.image_files import image_size, quiet_pillow
from imgcolor.utils.errors import ImgcolorError, check_positive

_SIZE = 32


def add_arguments(parser: CommandParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Draw the activation maps of a trained network's blocks for images, as IMAGE/MODULE.png, and write their "
        "measures to activations.csv."
    )
    parser.example = "imgcolor activations last.ckpt a.png b.jpg"
    parser.add_argument(
        "checkpoint",
        nargs="?",
        type=Path,
        metavar="CKPT",
        help="a .ckpt file that `imgcolor fit` wrote",
    )
    parser.add_argument(
        "images", nargs="*", type=Path, metavar="IMAGE", help="image files, before degradation"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("activations"),
        help="the folder for the results; files of the same names are replaced (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        type=int,
        help="height and width that images are cropped and resized to (default: square images keep their size, "
        f"others become {_SIZE}x{_SIZE})",
    )
    parser.add_argument(
        "--modules",
        nargs="+",
        default=[],
        metavar="NAME",
        help="modules inside the network, such as downconv1 or downconv1.0 (default: all direct children that "
        "return maps)",
    )
    add_allow_import(parser)


def run(arguments: Namespace) -> None:
    """Write the activation maps and their measures.

    Raises:
        ImgcolorError: If the checkpoint or an image cannot be read, the checkpoint holds no degradation, or a
            module's name is unknown.
    """
    checkpoint: Path | None = arguments.checkpoint
    if checkpoint is None or not arguments.images:
        missing = "checkpoint, images" if checkpoint is None else "images"
        raise UsageError(
            f"expected CKPT IMAGE..., found no {missing}; for example: imgcolor activations last.ckpt a.png b.jpg"
        )
    if arguments.size is not None:
        check_positive("--size", arguments.size)
    if arguments.allow_import:
        import_from_here()

    from imgcolor.checkpoints import load_parts
    from imgcolor.data.image_io import read_image
    from imgcolor.visualization.activations import write_activations

    parts = load_parts(checkpoint, allow_import=arguments.allow_import)
    if parts.degradation is None:
        raise ImgcolorError(
            f"{checkpoint}: expected a checkpoint that holds the degradation of its images, found none; give "
            "one of a fit with a DataModule, such as `imgcolor fit` writes"
        )
    # All images are read before anything is written, so that a bad file leaves no partial results.
    inputs = []
    for path in arguments.images:
        pixels = read_image(path, arguments.size or _image_size(path))
        degraded = parts.degradation(pixels[None].float() / 255)
        inputs.append(parts.coding.network_input(degraded)[0])
    names = [path.stem for path in arguments.images]
    table = write_activations(parts.network, inputs, names, arguments.output, arguments.modules)
    print(f"{arguments.output}: activation maps, one folder per image")
    print(f"{table}: near_zero and concentration of every map")


def _image_size(path: Path) -> int:
    with quiet_pillow():
        width, height = image_size(path)
    return width if width == height else _SIZE

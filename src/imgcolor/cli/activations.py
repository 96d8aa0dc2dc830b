"""imgcolor activations: draw and measure what a trained network's blocks answer to images."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from torch import Tensor

from imgcolor.cli.options import add_allow_import, import_from_here, parse_files
from imgcolor.data.image_files import image_size, quiet_pillow
from imgcolor.data.image_io import read_image
from imgcolor.tasks import load_task
from imgcolor.utils.errors import ImgcolorError
from imgcolor.visualization.activations import write_activations

_SIZE = 32


def activations(
    checkpoint: Path,
    images: Sequence[Path],
    output: Path = Path("activations"),
    size: int | None = None,
    modules: Sequence[str] = (),
    allow_import: Sequence[str] = (),
) -> None:
    """Write the activation maps of a trained network for images, as images, and their measures as a table.

    Args:
        checkpoint: A ``.ckpt`` file that a fit wrote.
        images: Image files, as they were before they are degraded.
        output: The folder for the images, ``IMAGE/MODULE.png``, and ``activations.csv``.
        size: Height and width that images are cut and resized to; by default square images stay as large as
            they are, and others become 32x32.
        modules: Names of modules inside the network; by default all direct children that give maps.
        allow_import: Modules, packages or classes of yours that the checkpoint may name.

    Raises:
        ImgcolorError: If the checkpoint or an image cannot be read, the checkpoint holds no degradation, or a
            module's name is unknown.
    """
    if allow_import:
        import_from_here()
    task = load_task(checkpoint, allow_import=allow_import)
    if task.degradation is None:
        raise ImgcolorError(
            f"{checkpoint}: expected a checkpoint that holds the degradation of its images, found none; give "
            "one of a fit with a datamodule, such as `imgcolor fit` writes"
        )

    def network_input(path: Path) -> Tensor:
        pixels = read_image(path, _own_size(path) if size is None else size)
        degraded = task.degradation(pixels[None].float() / 255)
        maps: Tensor = task.coding.network_input(degraded)[0]
        return maps

    # All are read before anything is written, so that a bad file among them leaves nothing half-done.
    inputs = [network_input(path) for path in images]
    table = write_activations(task.network, inputs, [path.stem for path in images], output, modules)
    print(f"{output}: images, a folder an image\n{table}: near_zero and concentration of every map")


def run(arguments: list[str]) -> None:
    """Run the command.

    Args:
        arguments: The command's name and its options.
    """
    # By hand: a function's list argument becomes one word of JSON, not IMAGE...
    parser = ArgumentParser(
        prog=f"imgcolor {arguments[0]}",
        description="Draw and measure the activation maps of a trained network's blocks for images.",
        exit_on_error=False,
    )
    parser.add_argument("checkpoint", type=Path, metavar="CKPT", help="a .ckpt file that a fit wrote")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="image files, not yet degraded")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("activations"),
        help="the folder for IMAGE/MODULE.png and activations.csv; files of the same names are replaced",
    )
    parser.add_argument(
        "--size",
        type=int | None,
        help=f"height and width that images are cut and resized to; by default square images stay as large as "
        f"they are, and others become {_SIZE}x{_SIZE}",
    )
    parser.add_argument(
        "--modules",
        type=str,
        nargs="+",
        default=[],
        metavar="NAME",
        help="modules inside the network, such as downconv1 or downconv1.0; "
        "by default all direct children that give maps",
    )
    add_allow_import(parser)
    example = f"imgcolor {arguments[0]} last.ckpt a.png b.jpg"
    found = parse_files(parser, arguments[1:], "CKPT IMAGE...", example)
    activations(found.checkpoint, found.images, found.output, found.size, found.modules, found.allow_import)


def _own_size(path: Path) -> int:
    with quiet_pillow():
        width, height = image_size(path)
    return width if width == height else _SIZE

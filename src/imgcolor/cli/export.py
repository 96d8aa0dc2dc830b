"""imgcolor export: write a trained network for other programs."""

from argparse import Namespace
from pathlib import Path

from imgcolor.cli.options import CommandParser, add_allow_import, import_from_here
from imgcolor.pretrained import weights_path
from imgcolor.utils.errors import ImgcolorError

_SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt", "weights": "_weights.ckpt"}


def add_arguments(parser: CommandParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Write a trained network as a file for other programs. Its input is float [batch, channels, height, "
        "width] in [0, 1]: grey, or small colour images. Its output is float [batch, 3, H, W] in [0, 1]. Batch, "
        "height and width are free. The command runs the file and compares the outputs with the network's."
    )
    parser.example = "imgcolor export faces --format onnx"
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a name that `imgcolor models` lists, or a .ckpt file that `imgcolor fit` wrote",
    )
    parser.add_argument(
        "--format",
        choices=list(_SUFFIXES),
        default="onnx",
        help="onnx; torchscript for torch.jit.load; weights for a small .ckpt file of imgcolor, in half precision "
        "and without the state of the training (default: %(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, help="the file (default: the model's name with the format's extension)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    add_allow_import(parser)


def run(arguments: Namespace) -> None:
    """Export the network.

    Raises:
        ImgcolorError: If there is no such model, the extra ``export`` is not installed, or the file gives other
            outputs than the network.
    """
    model: str = arguments.model
    path: Path = arguments.output or Path(f"{Path(model).stem}{_SUFFIXES[arguments.format]}")
    weights = weights_path(model)
    if path.exists() and (not arguments.overwrite or path.resolve() == weights.resolve()):
        raise ImgcolorError(f"{path}: exists already; choose another --output, or --overwrite")
    if arguments.allow_import:
        import_from_here()

    from imgcolor.pipelines import load
    from imgcolor.pipelines.export import (
        ExportedNetwork,
        write_onnx,
        write_small_checkpoint,
        write_torchscript,
    )

    path.parent.mkdir(parents=True, exist_ok=True)
    # The final name appears only when the file is complete and checked.
    temporary = path.with_name(f"{path.name}.part")
    try:
        if arguments.format == "weights":
            write_small_checkpoint(model, temporary)
        else:
            network = ExportedNetwork(load(model, arguments.allow_import)).eval()
            write = write_onnx if arguments.format == "onnx" else write_torchscript
            write(network, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")

"""imgcolor export: a trained network for other programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from imgcolor.cli.options import import_from_here
from imgcolor.pipelines import load
from imgcolor.pipelines.export import Exported, write_onnx, write_torchscript, write_weights
from imgcolor.utils.errors import ImgcolorError


def export(
    model: str,
    format: Literal["onnx", "torchscript", "weights"] = "onnx",
    output: Path | None = None,
    overwrite: bool = False,
    allow_import: Sequence[str] = (),
) -> None:
    """Write a trained network as a file that other programs run: degraded images in, colour images out.

    Input is float [batch, channels, height, width] in [0, 1] (grey, or small colour images), output float
    [batch, 3, H, W] in [0, 1]: palette and ranges are inside. Batch, height and width are free. The file is run
    and compared with the network before the command ends.

    Args:
        model: A name that `imgcolor models` lists, or a .ckpt file of a fit.
        format: onnx; torchscript for `torch.jit.load`; weights for a small .ckpt of imgcolor itself, with half the
            precision and without what only training needs.
        output: The file; by default the model's name with the format's ending.
        overwrite: Whether a file that is there already is replaced.
        allow_import: A module, package or class of yours that the checkpoint may name; may be given several times.

    Raises:
        ImgcolorError: If there is no such model, the extra `export` is missing, or the file gives other values.
    """
    extension = {"onnx": ".onnx", "torchscript": ".pt", "weights": "_weights.ckpt"}[format]
    path = output or Path(f"{Path(model).stem}{extension}")
    if path.exists() and (not overwrite or path.resolve() == Path(model).resolve()):
        raise ImgcolorError(f"{path}: is there already; choose another --output, or --overwrite=true")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under its own name only when it is whole and right.
    temporary = path.with_name(f"{path.name}.part")
    try:
        if format == "weights":
            write_weights(model, temporary)
        else:
            if allow_import:
                import_from_here()
            network = Exported(load(model, allow_import)).eval()
            (write_onnx if format == "onnx" else write_torchscript)(network, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")

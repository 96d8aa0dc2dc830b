"""imgcolor export: a trained network for other programs."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from imgcolor.cards import weights_of
from imgcolor.checkpoint import KEY, read_checkpoint
from imgcolor.commands.functions import import_from_here
from imgcolor.errors import ImgcolorError
from imgcolor.models import Model, load
from imgcolor.tasks import ColourTask

_TOLERANCE = 1e-4


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
    ending = {"onnx": ".onnx", "torchscript": ".pt", "weights": "_weights.ckpt"}[format]
    path = output or Path(f"{Path(model).stem}{ending}")
    if path.exists() and (not overwrite or path.resolve() == Path(model).resolve()):
        raise ImgcolorError(f"{path}: is there already; choose another --output, or --overwrite=true")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under its own name only when it is whole and right.
    temporary = path.with_name(f"{path.name}.part")
    try:
        if format == "weights":
            _write_weights(model, temporary)
        else:
            if allow_import:
                import_from_here()
            network = Exported(load(model, allow_import)).eval()
            (_write_onnx if format == "onnx" else _write_torchscript)(network, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


class Exported(nn.Module):
    """A task as one module, without autograd: what :meth:`~imgcolor.tasks.ColourTask.forward` gives, in [0, 1].

    Args:
        model: The model.
    """

    task: ColourTask

    def __init__(self, model: Model) -> None:
        super().__init__()
        # Not as a module of this one: TorchScript would look for the trainer of a LightningModule.
        object.__setattr__(self, "task", model.task.requires_grad_(False))
        self.channels = 3 if model.enlarges else 1
        self.network = model.task.network
        self.size = model.size // (model.enlarges or 1)

    def forward(self, images: Tensor) -> Tensor:
        """Colour or enlarge: float [B, channels, H, W] in [0, 1] to float [B, 3, H', W'] in [0, 1]."""
        return self.task.to_colour(self.task.run_network(images)).clamp(0, 1)

    def examples(self) -> list[Tensor]:
        """Inputs of several shapes; the first is no multiple of anything, so that padding is part of the trace."""
        generator = torch.Generator().manual_seed(0)
        size = self.size
        sizes = [(2, size + 5, size + 19), (1, size, size), (3, 2 * size + 1, size)]
        return [torch.rand(n, self.channels, h, w, generator=generator) for n, h, w in sizes]


def _write_torchscript(network: Exported, path: Path) -> None:
    with _traced():
        program = torch.jit.trace(network, network.examples()[0], check_trace=False)  # type: ignore[no-untyped-call]  # torch's
        torch.jit.save(program, path)
        loaded = torch.jit.load(path)  # type: ignore[no-untyped-call]  # torch's
    _check(network, path, loaded)


def _write_onnx(network: Exported, path: Path) -> None:
    try:
        import onnx  # noqa: F401  # torch's exporter needs it
        import onnxruntime
    except ImportError as error:
        raise ImgcolorError(
            f"export: --format onnx needs onnx and onnxruntime, found none ({error}); install them with "
            "pip install 'imgcolor[export]'"
        ) from error
    names = {0: "batch", 2: "height", 3: "width"}
    with _traced():
        torch.onnx.export(
            network,
            (network.examples()[0],),
            path,
            input_names=["images"],
            output_names=["colours"],
            dynamic_axes={"images": names, "colours": names},
            opset_version=18,
            dynamo=False,  # torch.export ties height and width to what the padding finds in the example
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    _check(network, path, lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0]))


@contextlib.contextmanager
def _traced() -> Iterator[None]:
    """Silence what tracing warns of: numbers that the example decides. The check afterwards is stricter."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        yield


def _check(network: Exported, path: Path, exported: Callable[[Tensor], Tensor]) -> None:
    """Compare on other shapes than the traced one, too. The file has a temporary name, with one ending more."""
    for images in network.examples():
        with torch.no_grad():
            expected, found = network(images), exported(images)
        same = expected.shape == found.shape
        difference = float((expected - found).abs().max()) if same else float("inf")
        if not difference <= _TOLERANCE:
            raise ImgcolorError(
                f"{path.stem}: expected what the network gives for {list(images.shape)}, {list(expected.shape)} "
                f"within {_TOLERANCE}, found {list(found.shape)} and a difference of {difference:.2g}; this "
                "network cannot be exported"
            )


def _write_weights(model: str, path: Path) -> None:
    checkpoint = read_checkpoint(weights_of(model))
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in checkpoint["state_dict"].items()
    }
    # What Lightning asks for, so that `imgcolor validate --ckpt_path` takes the file too.
    kept = {name: checkpoint[name] for name in ("pytorch-lightning_version", "epoch", "global_step")}
    torch.save({**kept, KEY: checkpoint[KEY], "state_dict": weights}, path)

"""Write a trained network for other programs: ONNX, TorchScript or small weights."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from imgcolor.checkpoints.files import KEY, read_checkpoint
from imgcolor.pipelines import Model
from imgcolor.pretrained.registry import weights_of
from imgcolor.tasks import ColourTask
from imgcolor.utils.errors import ImgcolorError

_TOLERANCE = 1e-4


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
        self.channels = 3 if model.scale_factor else 1
        self.network = model.task.network
        self.size = model.size // (model.scale_factor or 1)

    def forward(self, images: Tensor) -> Tensor:
        """Colour or enlarge: float [B, channels, H, W] in [0, 1] to float [B, 3, H', W'] in [0, 1]."""
        return self.task.coding.to_rgb(self.task.run_network(images)).clamp(0, 1)

    def examples(self) -> list[Tensor]:
        """Inputs of several shapes; the first is no multiple of anything, so that padding is part of the trace."""
        generator = torch.Generator().manual_seed(0)
        size = self.size
        sizes = [(2, size + 5, size + 19), (1, size, size), (3, 2 * size + 1, size)]
        return [torch.rand(n, self.channels, h, w, generator=generator) for n, h, w in sizes]


def write_torchscript(network: Exported, path: Path) -> None:
    """Write a network as TorchScript, and compare the file with it."""
    with _traced():
        program = torch.jit.trace(network, network.examples()[0], check_trace=False)  # type: ignore[no-untyped-call]  # torch's
        torch.jit.save(program, path)
        loaded = torch.jit.load(path)  # type: ignore[no-untyped-call]  # torch's
    _check(network, path, loaded)


def write_onnx(network: Exported, path: Path) -> None:
    """Write a network as ONNX, and compare the file with it."""
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


def write_weights(model: str, path: Path) -> None:
    """Write the weights of a model in half precision, without what only training needs."""
    checkpoint = read_checkpoint(weights_of(model))
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in checkpoint["state_dict"].items()
    }
    # What Lightning asks for, so that `imgcolor validate --ckpt_path` takes the file too.
    kept = {name: checkpoint[name] for name in ("pytorch-lightning_version", "epoch", "global_step")}
    torch.save({**kept, KEY: checkpoint[KEY], "state_dict": weights}, path)

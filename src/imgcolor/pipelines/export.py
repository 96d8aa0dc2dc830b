"""Export a trained network for other programs: ONNX, TorchScript, or a small checkpoint."""

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from imgcolor.checkpoints import KEY, read_checkpoint
from imgcolor.networks.blocks import pad_to_multiple
from imgcolor.networks.flip_tta import run_network
from imgcolor.pipelines.colourizer import Colourizer
from imgcolor.pipelines.photo_colourizer import PhotoColourizer
from imgcolor.pipelines.upscaler import Upscaler, keep_grey
from imgcolor.pretrained import weights_path
from imgcolor.utils.errors import ImgcolorError

_TOLERANCE = 1e-4


class ExportedNetwork(nn.Module):
    """A network with its output coding as one module, without gradients.

    Like the pipeline, it keeps the grey of images that it colourizes, so that black and white stay neutral, and
    enlarges grey images to grey ones.

    Args:
        pipeline: The pipeline whose network is exported.
    """

    def __init__(self, pipeline: Colourizer | Upscaler) -> None:
        super().__init__()
        self.network = pipeline.network
        self.coding = pipeline.coding
        self.flip_tta = pipeline.flip_tta
        self.scale_factor = pipeline.scale_factor if isinstance(pipeline, Upscaler) else 1
        if isinstance(pipeline, Upscaler):
            self.channels = 3
            self.size = (pipeline.image_size or 32) // pipeline.scale_factor
        else:
            self.channels = 1
            self.size = pipeline.size
        if not hasattr(pipeline.network, "size_multiple"):
            pipeline.run_network(self.example_inputs()[0].to(pipeline.device))  # finds the multiple
        self.size_multiple = pipeline.size_multiple
        self._colourizer: Colourizer | None = None
        if isinstance(pipeline, Colourizer) and not isinstance(pipeline, PhotoColourizer):
            self._colourizer = pipeline  # the coding of a PhotoColourizer keeps the grey itself
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Restore float [B, channels, H, W] in [0, 1] to float [B, 3, H', W'] in [0, 1]."""
        height, width = images.shape[-2:]
        padded = pad_to_multiple(images, self.size_multiple)
        output = run_network(self.network, self.coding.network_input(padded), flip_tta=self.flip_tta)
        rgb: Tensor = self.coding.to_rgb(output, padded).clamp(0, 1)
        if self.size_multiple > 1:
            rgb = rgb[..., : height * self.scale_factor, : width * self.scale_factor]
        if self.channels == 3:
            rgb = keep_grey(images, rgb)
        if self._colourizer is not None:
            difference = self._colourizer.colour_difference(rgb)
            rgb = self._colourizer.join_colour_difference(difference, images)
        return rgb

    def example_inputs(self) -> list[Tensor]:
        """Return inputs of several shapes. The first needs padding, so that its trace includes the padding."""
        size = self.size
        return self._inputs([(2, size + 5, size + 19), (1, size, size), (3, 2 * size + 1, size)])

    def thin_inputs(self) -> list[Tensor]:
        """Return very small and thin inputs, which some networks do not accept."""
        return self._inputs([(1, 1, 1), (2, 1, self.size + 3), (1, self.size + 3, 1), (1, 2, 3)])

    def _inputs(self, sizes: Sequence[tuple[int, int, int]]) -> list[Tensor]:
        generator = torch.Generator().manual_seed(0)
        return [torch.rand(n, self.channels, h, w, generator=generator) for n, h, w in sizes]


def write_torchscript(network: ExportedNetwork, path: Path) -> None:
    """Write a network as TorchScript, and check the outputs of the file.

    Raises:
        ImgcolorError: If the file gives other outputs than the network.
    """
    with _tracing():
        program = torch.jit.trace(network, network.example_inputs()[0], check_trace=False)  # type: ignore[no-untyped-call]  # torch's
        torch.jit.save(program, path)
        loaded = torch.jit.load(path)  # type: ignore[no-untyped-call]  # torch's
    _check(network, path, loaded)


def write_onnx(network: ExportedNetwork, path: Path) -> None:
    """Write a network as ONNX, and check the outputs of the file.

    Raises:
        ImgcolorError: If ONNX is not installed, or the file gives other outputs than the network.
    """
    try:
        import onnx  # noqa: F401  # torch's exporter needs it
        import onnxruntime
    except ImportError as error:
        raise ImgcolorError(
            f"export: --format onnx needs onnx and onnxruntime, found none ({error}); install them with "
            "pip install 'imgcolor[export]'"
        ) from error
    names = {0: "batch", 2: "height", 3: "width"}
    with _tracing():
        torch.onnx.export(
            network,
            (network.example_inputs()[0],),
            path,
            input_names=["images"],
            output_names=["colours"],
            dynamic_axes={"images": names, "colours": names},
            opset_version=18,
            dynamo=False,  # the newer exporter fixes the padding of the example's height and width
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    _check(network, path, lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0]))


def write_small_checkpoint(model: str, path: Path) -> None:
    """Write a model's checkpoint with weights in half precision and without the state of the training."""
    checkpoint = read_checkpoint(weights_path(model))
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in checkpoint["state_dict"].items()
    }
    # Lightning requires these, for `imgcolor validate --ckpt_path`.
    kept = {name: checkpoint[name] for name in ("pytorch-lightning_version", "epoch", "global_step")}
    torch.save({**kept, KEY: checkpoint[KEY], "state_dict": weights}, path)


@contextlib.contextmanager
def _tracing() -> Iterator[None]:
    """Disable gradients, and warnings about values that become constant in a trace, which the check finds."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        yield


def _check(network: ExportedNetwork, path: Path, exported: Callable[[Tensor], Tensor]) -> None:
    """Compare the outputs for several shapes. The file still has its temporary name, which ends in ``.part``."""
    for images in (*network.example_inputs(), *_accepted(network, network.thin_inputs())):
        with torch.no_grad():
            expected, found = network(images), exported(images)
        same_shape = expected.shape == found.shape
        difference = float((expected - found).abs().max()) if same_shape else float("inf")
        if not difference <= _TOLERANCE:
            raise ImgcolorError(
                f"{path.stem}: expected the network's output for {list(images.shape)}, {list(expected.shape)} "
                f"within {_TOLERANCE}, found {list(found.shape)} and a difference of {difference:.2g}; this "
                "network cannot be exported"
            )


def _accepted(network: ExportedNetwork, inputs: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield the inputs of sizes that the network accepts."""
    for images in inputs:
        try:
            with torch.no_grad():
                network(images)
        except RuntimeError:
            continue
        yield images

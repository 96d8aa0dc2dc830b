"""Exported models give the output of the pipeline, at every size."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from imgcolor.colour import RGBCoding
from imgcolor.data import BicubicDownsample, LumaGrey
from imgcolor.networks import EDSR, ResidualUNet
from imgcolor.networks.blocks import pad_to_multiple
from imgcolor.networks.flip_tta import run_network
from imgcolor.pipelines import Colourizer, PhotoColourizer, Upscaler, load
from imgcolor.pipelines.export import ExportedNetwork, write_onnx, write_torchscript
from imgcolor.pretrained import cards

SIZES = [
    (1, 1, 1),
    (1, 1, 2),
    (1, 2, 1),
    (2, 1, 37),
    (1, 41, 1),
    (1, 3, 3),
    (3, 17, 31),
    (1, 80, 80),
    (1, 33, 97),
]


def pipeline_output(pipeline: Colourizer | Upscaler, images: Tensor) -> Tensor:
    if isinstance(pipeline, Upscaler):
        return pipeline.upscale_batch(images)
    if not isinstance(pipeline, PhotoColourizer):
        return pipeline.colourize_batch(images, scale="native")
    # An exported model for photos sees the images at their own size, and the pipeline at its working sizes.
    padded = pad_to_multiple(images, 16)
    with torch.no_grad():
        chroma = run_network(pipeline.network, padded, flip_tta=pipeline.flip_tta)
        return pipeline.coding.to_rgb(chroma, padded)[..., : images.shape[-2], : images.shape[-1]]


def exported(pipeline: Colourizer | Upscaler, kind: str, folder: Path) -> Callable[[Tensor], Tensor]:
    network = ExportedNetwork(pipeline).eval()
    if kind == "torchscript":
        write_torchscript(network, folder / "model.pt")
        program: Callable[[Tensor], Tensor] = torch.jit.load(folder / "model.pt")
        return program
    onnxruntime = pytest.importorskip("onnxruntime")
    write_onnx(network, folder / "model.onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def check(pipeline: Colourizer | Upscaler, kind: str, folder: Path) -> None:
    run = exported(pipeline, kind, folder)
    channels = 3 if isinstance(pipeline, Upscaler) else 1
    generator = torch.Generator().manual_seed(3)
    for count, height, width in SIZES:
        images = torch.rand(count, channels, height, width, generator=generator)
        expected = pipeline_output(pipeline, images)
        torch.testing.assert_close(run(images), expected, atol=1e-4, rtol=0, msg=f"{height}×{width}")
    if isinstance(pipeline, Upscaler):
        grey = torch.rand(1, 1, 5, 7, generator=generator).expand(2, 3, 5, 7).clone()
        grey[1, 0] = 1 - grey[1, 0]  # the second image has colours
        assert [bool((large == large[:1]).all()) for large in run(grey)] == [True, False]
        return
    for level in (0.0, 1.0):
        assert (run(torch.full((1, 1, 20, 50), level)) - level).abs().max() < 1e-7


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_a_colourizer_gives_the_output_of_the_pipeline(kind: str, tmp_path: Path) -> None:
    network = ResidualUNet(3, [4, 8], luminance="luma")
    nn.init.normal_(network.head.weight, std=0.3)
    check(Colourizer(network, RGBCoding(), LumaGrey(), image_size=16, flip_tta=True), kind, tmp_path)


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_an_upscaler_gives_the_output_of_the_pipeline(kind: str, tmp_path: Path) -> None:
    check(Upscaler(EDSR(2, 4, 1), RGBCoding(), BicubicDownsample(2), image_size=16), kind, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
@pytest.mark.parametrize("name", list(cards()))
def test_shipped_models_give_the_output_of_the_pipeline(name: str, kind: str, tmp_path: Path) -> None:
    check(load(name), kind, tmp_path)


class LargeImagesOnly(nn.Module):
    """A network that does not accept fewer than 3×3 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 3, 3)

    def forward(self, grey: Tensor) -> Tensor:
        return nn.functional.interpolate(self.convolution(grey), size=grey.shape[-2:])


def test_sizes_that_the_network_does_not_accept_are_not_checked(tmp_path: Path) -> None:
    colourizer = Colourizer(LargeImagesOnly(), RGBCoding(), LumaGrey(), image_size=16)
    write_torchscript(ExportedNetwork(colourizer), tmp_path / "model.pt")

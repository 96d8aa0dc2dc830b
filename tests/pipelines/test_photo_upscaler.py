import numpy as np
import pytest
import torch
from PIL import Image

import imgcolor
from imgcolor.colour import RGBCoding
from imgcolor.data import BicubicDownsample
from imgcolor.networks import EDSR
from imgcolor.pipelines import Upscaler


@pytest.mark.parametrize("scale_factor", [2, 3])
def test_tiles_give_the_result_of_the_whole_image(scale_factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = EDSR(scale_factor, 8, 2)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    upscaler = Upscaler(network, RGBCoding(), BicubicDownsample(scale_factor), image_size=32)
    assert upscaler.scale_factor == scale_factor
    images = torch.rand(1, 3, 100, 130)
    whole = upscaler.run_network(images).clamp(0, 1)
    assert whole.shape == (1, 3, 100 * scale_factor, 130 * scale_factor)
    monkeypatch.setattr("imgcolor.pipelines.upscaler._TILE", 48)
    assert torch.allclose(upscaler.upscale_batch(images), whole, atol=1e-4)


@pytest.mark.parametrize(("name", "scale_factor"), [("photo_x4", 4), ("bicubic_x4", 4), ("bicubic_x2", 2)])
def test_flat_colours_come_back_within_a_level_without_a_grid(name: str, scale_factor: int) -> None:
    upscaler = imgcolor.load(name)
    for colour in (
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 0),
        (128, 128, 128),
        (0, 0, 0),
        (255, 255, 255),
    ):
        large = upscaler.upscale(Image.new("RGB", (24, 20), colour))
        assert large.size == (24 * scale_factor, 20 * scale_factor)
        for (low, high), expected in zip(large.getextrema(), colour, strict=True):
            assert expected - 1 <= low <= high <= expected + 1, (name, colour)


def test_grey_images_stay_grey() -> None:
    large = imgcolor.load("photo_x4").upscale(Image.linear_gradient("L").resize((20, 20)))
    assert (large.mode, large.size) == ("L", (80, 80))


def test_self_ensemble_is_the_mean_over_the_eight_symmetries_of_the_square() -> None:
    torch.manual_seed(0)
    network = EDSR(2, 8, 1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    upscaler = Upscaler(network, RGBCoding(), BicubicDownsample(2))
    image = np.random.default_rng(0).random((3, 12, 17), dtype=np.float32)

    def enlarge(values: np.ndarray) -> np.ndarray:
        return upscaler.upscale_batch(torch.from_numpy(values.copy())[None])[0].numpy()

    # Written with NumPy, and in another order.
    results = [np.rot90(enlarge(np.rot90(image, turns, (1, 2))), -turns, (1, 2)) for turns in range(4)] + [
        np.rot90(enlarge(np.rot90(image[:, ::-1], turns, (1, 2))), -turns, (1, 2))[:, ::-1]
        for turns in range(4)
    ]
    single = enlarge(image)
    upscaler.self_ensemble = True
    assert np.abs(enlarge(image) - np.mean(results, axis=0)).max() < 1e-5
    assert np.abs(enlarge(image) - single).max() > 1e-3
    turned = enlarge(np.rot90(image, axes=(1, 2)))
    assert np.abs(np.rot90(turned, -1, (1, 2)) - enlarge(image)).max() < 1e-5  # no direction is preferred

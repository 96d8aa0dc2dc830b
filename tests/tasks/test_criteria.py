"""The losses of the regression task."""

import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn
from torchvision.models.vgg import cfgs, make_layers
from torchvision.transforms import v2

from imgcolor.networks import RegressionCNN
from imgcolor.tasks import ColourRegression
from imgcolor.tasks.criteria import MSSSIMAndL1, PerceptualDistance
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import read_rows


def ms_ssim_l1(x: np.ndarray, y: np.ndarray) -> float:
    """Return the loss of the middle of two images [H, W], as the formulas of the paper give it."""
    c1, c2 = 0.01**2, 0.03**2
    product = 1.0
    for sigma in (0.5, 1.0, 2.0, 4.0, 8.0):

        def blur(image: np.ndarray, sigma: float = sigma) -> np.ndarray:
            return np.asarray(gaussian_filter(image, sigma, mode="constant", radius=16))

        mx, my = blur(x), blur(y)
        vx, vy, vxy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
        product = product * (2 * vxy + c2) / (vx + vy + c2)
        luminance = (2 * mx * my + c1) / (mx * mx + my * my + c1)
    loss = 0.84 * (1 - luminance * product) + 0.16 * blur(np.abs(x - y))
    return float(loss.mean())


def test_ms_ssim_and_l1_follow_the_paper() -> None:
    random = np.random.default_rng(0)
    x = random.random((40, 48))
    y = (0.8 * x + 0.2 * random.random((40, 48))).clip(0, 1)
    as_rgb = [torch.from_numpy(image).float().expand(1, 3, -1, -1) for image in (x, y)]
    assert float(MSSSIMAndL1()(*as_rgb)) == pytest.approx(ms_ssim_l1(x, y), abs=1e-4)
    assert float(MSSSIMAndL1()(as_rgb[0], as_rgb[0])) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("options", [{"value_range": "signed"}, {"space": "lab"}])
def test_losses_of_rgb_images_refuse_other_ranges(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="ms_ssim_l1 compares RGB"):
        ColourRegression(RegressionCNN(2), "ms_ssim_l1", **options)  # type: ignore[arg-type]


def test_a_fit_lowers_the_loss(tiny_fit: Callable[..., Path]) -> None:
    folder = tiny_fit("experiments/horses/regression_cnn.yaml", "--model.criterion=ms_ssim_l1")
    losses = [float(row["train/loss"]) for row in read_rows(folder / "metrics.csv")]
    assert 0 < losses[-1] < losses[0] < 1


@pytest.fixture
def features() -> nn.Module:
    """The first layers of VGG-16 with random weights."""
    return make_layers(cfgs["D"])[:9]


@pytest.fixture
def address(features: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the random weights, in the format of torchvision."""
    folder = tmp_path / "served"
    folder.mkdir()
    weights = {f"features.{name}": value for name, value in features.state_dict().items()}
    torch.save(weights, folder / "vgg16-random.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/vgg16-random.pth"
        server.shutdown()


def test_the_perceptual_distance_compares_features_of_downloaded_weights(
    address: str, features: nn.Module
) -> None:
    prediction, target = torch.rand(2, 3, 16, 16, requires_grad=True), torch.rand(2, 3, 16, 16)
    distance = PerceptualDistance(address)(prediction, target)
    expected = (features(normalize(prediction)) - features(normalize(target))).square().mean()
    torch.testing.assert_close(distance, expected)
    distance.backward()
    assert prediction.grad is not None
    assert prediction.grad.abs().max() > 0


def test_the_perceptual_distance_names_missing_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ImgcolorError, match=r"vgg16-.*perceptual"):
        PerceptualDistance()(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))


def test_a_task_does_not_save_the_weights_of_the_criterion() -> None:
    names = ColourRegression(RegressionCNN(2), "perceptual").state_dict()
    assert names.keys() == ColourRegression(RegressionCNN(2)).state_dict().keys()


def normalize(images: torch.Tensor) -> torch.Tensor:
    """Normalize images as torchvision does for networks trained on ImageNet."""
    return v2.functional.normalize(images, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])

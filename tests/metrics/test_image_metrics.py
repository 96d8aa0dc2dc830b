import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics import MeanSquaredError, MetricCollection

from imgcolor.metrics import (
    Colourfulness,
    MarginCurve,
    PeakSignalNoiseRatio,
    StructuralSimilarity,
    colourfulness,
    margin_accuracy,
    perceptual_similarity,
)
from imgcolor.utils.errors import ImgcolorError


def test_colourfulness_equals_numpy_and_values_by_hand() -> None:
    images = torch.rand(3, 3, 9, 7)
    for image, found in zip(images, colourfulness(images), strict=True):
        red, green, blue = image.double().numpy() * 255
        rg, yb = red - green, (red + green) / 2 - blue
        expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
        assert float(found) == pytest.approx(expected, rel=1e-5)
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert float(colourfulness(red)) == pytest.approx(0.3 * math.hypot(255, 127.5))
    assert float(colourfulness(torch.full((1, 3, 4, 4), 0.7))) == 0


def test_colourfulness_is_averaged_over_images() -> None:
    images = torch.rand(5, 3, 4, 4)
    metric = Colourfulness()
    metric.update(images[:3])
    metric.update(images[3:])
    torch.testing.assert_close(metric.compute(), colourfulness(images).mean())
    with pytest.raises(ValueError, match="found"):
        colourfulness(images[:, :1])


def test_psnr_equals_scikit_image_and_shares_state_with_mse() -> None:
    prediction, target = torch.rand(2, 5, 3, 4, 6)
    both = MetricCollection({"mse": MeanSquaredError(), "psnr": PeakSignalNoiseRatio()})
    for part in (slice(0, 2), slice(2, 5)):
        both.update(prediction[part], target[part])
    found = both.compute()
    expected = peak_signal_noise_ratio(target.double().numpy(), prediction.double().numpy(), data_range=1)
    assert float(found["psnr"]) == pytest.approx(expected, rel=1e-6)
    assert float(found["mse"]) == pytest.approx(float((prediction - target).square().mean()), rel=1e-6)
    assert len(both.compute_groups) == 1
    perfect = PeakSignalNoiseRatio()
    perfect.update(target, target)
    assert math.isinf(perfect.compute())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 5))
def test_margin_curve_equals_the_margin_accuracy_at_each_margin(seed: int, spread: int, images: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 256, (images, 3, 4, 5), generator=generator)
    noise = torch.randint(-spread, spread + 1, target.shape, generator=generator)
    target, prediction = target.to(torch.uint8), (target + noise).clamp(0, 255).to(torch.uint8)
    metric = MarginCurve()
    metric.update(prediction[:1], target[:1])
    if images > 1:
        metric.update(prediction[1:], target[1:])
    curve = metric.compute()
    assert curve.shape == (257,)
    for margin in (0, 1, 11, 12, 13, 255, 256):
        expected = margin_accuracy(prediction, target, margin).mean()
        torch.testing.assert_close(curve[margin], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(32, 32), (80, 80), (24, 40)])
def test_ssim_equals_scikit_image_in_batches(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(2, 3, *size, generator=generator)
    prediction = (target + 0.1 * torch.randn(target.shape, generator=generator)).clamp(0, 1)
    metric = StructuralSimilarity()
    metric.update(prediction, target)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    expected = [
        structural_similarity(p.numpy(), t.numpy(), channel_axis=0, **options)
        for p, t in zip(prediction, target, strict=True)
    ]
    assert float(metric.compute()) == pytest.approx(np.mean(expected), abs=1e-5)


@pytest.mark.parametrize("size", [(3, 3), (4, 4), (8, 8), (5, 64), (9, 9)])
def test_ssim_of_small_images(size: tuple[int, int]) -> None:
    target = torch.rand(3, 3, *size)
    same, other = StructuralSimilarity(), StructuralSimilarity()
    same.update(target, target)
    other.update(torch.rand(3, 3, *size), target)
    assert float(same.compute()) == pytest.approx(1)
    assert float(other.compute()) < 0.5
    with pytest.raises(ValueError, match="3×3"):
        same.update(target[..., :2], target[..., :2])


def test_the_error_names_missing_lpips_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A proxy that is not there, and an empty cache: no test reaches the network.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ImgcolorError, match=r"alexnet-.*LPIPS"):
        perceptual_similarity()
    with pytest.raises(ValueError, match="resnet"):
        perceptual_similarity("resnet")  # type: ignore[arg-type]

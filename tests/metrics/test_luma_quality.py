import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from imgcolor.metrics.luma_quality import LumaPSNR, LumaSSIM, luma_levels, luma_psnr, luma_ssim


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [((0, 0, 0), 16.0), ((1, 1, 1), 235.0), ((1, 0, 0), 81.481), ((0, 1, 0), 144.553), ((0, 0, 1), 40.966)],
)
def test_luma_of_the_corners_of_the_rgb_cube(rgb: tuple[float, ...], expected: float) -> None:
    assert luma_levels(torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1)).item() == pytest.approx(
        expected, abs=1e-4
    )


def test_psnr_of_a_hand_worked_case() -> None:
    # Green differs by 0.1 everywhere: Y by 12.8553, so PSNR is 20 log10(255 / 12.8553).
    target = images(1, 3, 12, 14) * 0.5
    prediction = target.clone()
    prediction[:, 1] += 0.1
    assert luma_psnr(prediction, target, border=4).item() == pytest.approx(25.949, abs=1e-3)


def test_psnr_leaves_the_border_out() -> None:
    target = images(1, 3, 12, 12) / 2
    prediction = target.clone()
    prediction[..., 2:-2, 2:-2] += 0.01
    expected = luma_psnr(prediction[..., 2:-2, 2:-2], target[..., 2:-2, 2:-2], border=0)
    prediction[..., :2, :] = 0
    assert luma_psnr(prediction, target, border=2).item() == pytest.approx(expected.item())


def test_ssim_equals_scikit_image() -> None:
    target, noise = images(2, 3, 31, 40), images(2, 3, 31, 40, seed=1)
    prediction = (target + 0.3 * (noise - 0.5)).clamp(0, 1)
    found = luma_ssim(prediction, target, border=3)
    for index in range(2):
        first, second = (
            luma_levels(x[index : index + 1])[0, 0, 3:-3, 3:-3].double().numpy() for x in (prediction, target)
        )
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
        _, full = structural_similarity(first, second, data_range=255, **options)
        assert found[index].item() == pytest.approx(np.mean(full[5:-5, 5:-5]), abs=1e-5)


def test_classes_average_over_images_of_different_sizes() -> None:
    psnr, ssim = LumaPSNR(border=2), LumaSSIM(border=2)
    values: dict[str, list[float]] = {"psnr": [], "ssim": []}
    for seed, size in enumerate((20, 25, 30)):
        target = images(1, 3, size, size, seed=seed)
        prediction = (target + 0.1 * images(1, 3, size, size, seed=9)).clamp(0, 1)
        psnr.update(prediction, target)
        ssim.update(prediction, target)
        values["psnr"].append(luma_psnr(prediction, target, 2).item())
        values["ssim"].append(luma_ssim(prediction, target, 2).item())
    assert psnr.compute().item() == pytest.approx(np.mean(values["psnr"]))
    assert ssim.compute().item() == pytest.approx(np.mean(values["ssim"]))


@pytest.mark.parametrize(
    "shapes", [((1, 3, 9, 9), (1, 3, 9, 8)), ((1, 1, 9, 9), (1, 1, 9, 9)), ((1, 3, 8, 8), (1, 3, 8, 8))]
)
def test_wrong_shapes_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="expected"):
        luma_psnr(torch.zeros(shapes[0]), torch.zeros(shapes[1]), border=4)

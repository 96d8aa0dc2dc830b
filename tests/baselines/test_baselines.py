import numpy as np
import pytest
import torch
from PIL import Image

from imgcolor.baselines import GreyCopy, Interpolation, matching_baselines
from imgcolor.data import HorseColourizationDataModule, HorseSuperResolutionDataModule


def test_grey_copy() -> None:
    grey = torch.rand(2, 1, 5, 4)
    assert torch.equal(GreyCopy()(grey), torch.cat([grey] * 3, dim=1))


@pytest.mark.parametrize(
    ("mode", "resample"),
    [("nearest", Image.Resampling.NEAREST), ("bilinear", Image.Resampling.BILINEAR)],
)
@pytest.mark.parametrize("factor", [2, 4])
def test_interpolation_equals_pillows(mode: str, resample: Image.Resampling, factor: int) -> None:
    values = np.random.default_rng(0).random((8, 8), dtype=np.float32)
    expected = np.asarray(Image.fromarray(values).resize((8 * factor, 8 * factor), resample))
    found = Interpolation(mode, factor)(torch.from_numpy(values)[None, None])  # type: ignore[arg-type]
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-6)


def test_bicubic_by_hand() -> None:
    """A step of 0 to 1, one row, factor 2, with torch's kernel (Keys 1981, a = -0.75), clamped to [0, 1]."""

    def keys(x: float, a: float = -0.75) -> float:
        x = abs(x)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0

    row = np.array([0.2, 0.2, 0.2, 0.7, 0.7, 0.7])
    expected = []
    for target in range(12):
        source = (target + 0.5) / 2 - 0.5
        first = int(np.floor(source)) - 1
        taps = range(first, first + 4)
        expected.append(sum(keys(source - tap) * row[min(max(tap, 0), 5)] for tap in taps))
    images = torch.from_numpy(row).float().view(1, 1, 1, 6).repeat(1, 1, 6, 1)
    found = Interpolation("bicubic", 2)(images)
    np.testing.assert_allclose(found[0, 0, 0].numpy(), expected, atol=1e-6)
    overshoot = Interpolation("bicubic", 2)((images > 0.5).float())
    assert overshoot.min() == 0
    assert overshoot.max() == 1


def test_matching_baselines() -> None:
    colour = HorseColourizationDataModule(train_images=2, val_images=2)
    assert list(matching_baselines(*colour.batch(colour.images("val").pixels))) == ["grey_copy"]
    small = HorseSuperResolutionDataModule(8, train_images=2, val_images=2)
    batch = small.batch(small.images("val").pixels)
    baselines = matching_baselines(*batch)
    assert list(baselines) == ["nearest", "bilinear", "bicubic"]
    for baseline in baselines.values():
        assert baseline(batch.degraded).shape == batch.original.shape

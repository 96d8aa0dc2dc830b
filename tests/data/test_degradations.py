import numpy as np
import pytest
import torch
from PIL import Image

from imgcolor.data import BoxDownsample, LumaGrey, MeanGrey
from imgcolor.utils.errors import ImgcolorError


def test_mean_grey_is_the_plain_mean() -> None:
    images = torch.rand(2, 3, 5, 7)
    np.testing.assert_allclose(MeanGrey()(images).numpy()[:, 0], images.numpy().mean(axis=1), rtol=1e-6)


def test_luma_grey_is_pillows_mode_l() -> None:
    """At every one of many colours, black, white and the primaries among them, to the level."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (400, 500, 3), dtype=np.uint8)
    pixels[0, :8] = [[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)]
    expected = np.asarray(Image.fromarray(pixels).convert("L"))
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    assert np.array_equal(LumaGrey()(images).mul(255).round().numpy()[0, 0], expected)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_box_downsample_averages_blocks(factor: int) -> None:
    images = torch.rand(2, 3, 16, 32)
    small = BoxDownsample(factor)(images)
    assert small.shape == (2, 3, 16 // factor, 32 // factor)
    blocks = images.numpy().reshape(2, 3, 16 // factor, factor, 32 // factor, factor)
    np.testing.assert_allclose(small.numpy(), blocks.mean(axis=(3, 5)), rtol=1e-5)


def test_two_halvings_are_one_quartering() -> None:
    """The assignment pools twice by two; one pooling by four gives the same."""
    images = torch.rand(1, 3, 32, 32)
    twice = BoxDownsample(2)(BoxDownsample(2)(images))
    torch.testing.assert_close(BoxDownsample(4)(images), twice)


def test_a_scale_factor_below_two_is_refused() -> None:
    with pytest.raises(ImgcolorError, match="at least 2"):
        BoxDownsample(1)

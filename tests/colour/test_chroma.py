import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F  # the field's name

from imgcolor.colour.chroma import ChromaCoding, chroma_of, join_luma_chroma, luma_of, upsample_chroma


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_luma_is_pillows_mode_l() -> None:
    pixels = (images(32, 32, 3) * 255).to(torch.uint8)
    expected = np.asarray(Image.fromarray(pixels.numpy()).convert("L")).astype(float)
    found = luma_of(pixels.permute(2, 0, 1)[None].float() / 255)[0, 0] * 255
    assert np.abs(found.numpy() - expected).max() <= 1.0  # Pillow rounds down


def test_chroma_is_pillows_ycbcr() -> None:
    pixels = (images(32, 32, 3) * 255).to(torch.uint8)
    expected = np.asarray(Image.fromarray(pixels.numpy()).convert("YCbCr")).astype(float)[..., 1:] - 128
    found = chroma_of(pixels.permute(2, 0, 1)[None].float() / 255)[0].permute(1, 2, 0) * 255
    assert np.abs(found.numpy() - expected).max() <= 1.0


def test_joining_gives_the_image_back() -> None:
    original = images(2, 3, 9, 11)
    assert torch.allclose(join_luma_chroma(luma_of(original), chroma_of(original)), original, atol=1e-5)


def test_joining_keeps_the_luma_exactly_even_for_impossible_colours() -> None:
    luma = images(2, 1, 9, 11)
    joined = join_luma_chroma(luma, images(2, 2, 9, 11, seed=1) * 2 - 1)
    assert joined.min() >= 0
    assert joined.max() <= 1
    assert torch.allclose(luma_of(joined), luma, atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_black_and_white_stay_neutral(level: float) -> None:
    joined = join_luma_chroma(torch.full((1, 1, 4, 4), level), torch.full((1, 2, 4, 4), 0.3))
    assert torch.equal(joined, torch.full((1, 3, 4, 4), level))


def test_upsampled_chroma_of_one_colour_is_that_colour() -> None:
    chroma = torch.tensor([0.1, -0.2]).view(1, 2, 1, 1).expand(1, 2, 6, 5)
    assert torch.allclose(
        upsample_chroma(chroma, images(1, 1, 24, 20)), chroma[:, :, :1, :1].expand(1, 2, 24, 20), atol=1e-6
    )


def test_upsampled_chroma_follows_the_edges_of_the_luma() -> None:
    # Two halves; the edge is in the middle of a low-resolution pixel.
    luma = torch.zeros(1, 1, 64, 64)
    luma[..., 30:] = 1
    chroma = (luma - 0.5).expand(1, 2, -1, -1) * 0.4
    small = F.avg_pool2d(chroma, 4)
    guided = (upsample_chroma(small, luma) - chroma).abs().mean()
    bilinear = (F.interpolate(small, (64, 64), mode="bilinear") - chroma).abs().mean()
    assert guided < bilinear / 4


def test_coding_comes_close_to_smooth_images() -> None:
    ramp = torch.linspace(0.2, 0.8, 32)
    original = torch.stack([ramp.expand(32, 32), ramp.expand(32, 32).T, 1 - ramp.expand(32, 32)])[None]
    coding = ChromaCoding()
    target = coding.target(original)
    assert target.shape == (1, 2, 8, 8)
    grey = luma_of(original)
    error, without = ((images - original).abs().mean() for images in (coding.to_rgb(target, grey), grey))
    assert error < without / 10


def test_coding_asks_for_the_luma() -> None:
    with pytest.raises(ValueError, match="degraded"):
        ChromaCoding().to_rgb(torch.zeros(1, 2, 4, 4))


def test_luma_survives_a_round_trip_through_a_file() -> None:
    grey = (images(1, 1, 16, 16) * 255).round() / 255
    joined = join_luma_chroma(grey, images(1, 2, 16, 16, seed=2) * 0.2)
    buffer = io.BytesIO()
    Image.fromarray((joined[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()).save(buffer, "PNG")
    found = np.asarray(Image.open(buffer).convert("L")).astype(float) / 255
    assert np.abs(found - grey[0, 0].numpy()).max() <= 1.5 / 255

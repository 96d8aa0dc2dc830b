from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgcolor.data.photo_degradations import BicubicDownsample, JPEGCompression
from imgcolor.utils.errors import ImgcolorError

BENCHMARK = Path(__file__).parents[3] / "shared" / "data" / "sr" / "benchmark"


def read(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("scale_factor", [2, 3, 4])
def test_reduction_is_pillows_bicubic(scale_factor: int) -> None:
    pixels = torch.randint(256, (48, 72, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    expected = Image.fromarray(pixels.numpy()).resize(
        (72 // scale_factor, 48 // scale_factor), Image.Resampling.BICUBIC
    )
    found = (
        BicubicDownsample(scale_factor)(pixels.permute(2, 0, 1)[None].float() / 255)[0].permute(1, 2, 0) * 255
    )
    difference = np.abs(found.numpy() - np.asarray(expected).astype(float))
    # Pillow rounds after each of two passes, and treats the borders in another way.
    assert difference[2:-2, 2:-2].max() <= 2.01
    assert difference[2:-2, 2:-2].mean() < 0.5


def test_rows_and_columns_beyond_a_multiple_are_cut_off() -> None:
    images = torch.rand(1, 3, 11, 14)
    assert torch.equal(BicubicDownsample(4)(images), BicubicDownsample(4)(images[..., :8, :12]))


@pytest.mark.real
@pytest.mark.skipif(not BENCHMARK.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize("folder", ["Set5/x4", "Set5/x2", "Set14/x4"])
def test_reduction_equals_the_benchmarks_own_files(folder: str) -> None:
    errors = []
    for large in sorted((BENCHMARK / folder / "HR").iterdir()):
        small = read(BENCHMARK / folder / "LR" / large.name)
        errors.append(
            ((BicubicDownsample(int(folder[-1]))(read(large)) - small) * 255).square().mean().item()
        )
    assert np.sqrt(np.mean(errors)) < 0.5


def test_jpeg_of_high_quality_is_close_and_of_low_quality_is_not() -> None:
    ramp = torch.linspace(0, 1, 32).expand(2, 3, 32, 32)
    images = (ramp + 0.1 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    fine = (JPEGCompression(100, 100, chroma_subsampling=False)(images) - images).abs().mean()
    coarse = (JPEGCompression(10, 10)(images) - images).abs().mean()
    assert fine < 0.005
    assert coarse > 3 * fine


@pytest.mark.parametrize("options", [(0, 50), (60, 50), (50, 101)])
def test_wrong_arguments_are_refused(options: tuple[int, int]) -> None:
    with pytest.raises(ImgcolorError, match="qualities"):
        JPEGCompression(*options)
    with pytest.raises(ImgcolorError, match="scale_factor"):
        BicubicDownsample(1)
    with pytest.raises(ImgcolorError, match="at least 4 pixels"):
        BicubicDownsample(4)(torch.zeros(1, 3, 3, 9))

import pytest
import torch

from imgcolor.data.photo_augmentations import PhotoVariation, RandomPhotoCrop
from imgcolor.utils.errors import ImgcolorError


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def ramps(count: int, size: int = 32) -> torch.Tensor:
    """Images that are dark on the left and bright on the right."""
    return (torch.linspace(0, 255, size).expand(count, 3, size, size)).to(torch.uint8)


def test_crops_keep_shape_and_dtype_and_differ() -> None:
    cropped = RandomPhotoCrop()(ramps(16))
    assert cropped.shape == (16, 3, 32, 32)
    assert cropped.dtype == torch.uint8
    assert len({tuple(image.flatten().tolist()) for image in cropped}) > 10


def test_about_half_of_the_crops_are_flipped() -> None:
    cropped = RandomPhotoCrop()(ramps(400)).float()
    flipped = (cropped[..., :8].mean(dim=(1, 2, 3)) > cropped[..., -8:].mean(dim=(1, 2, 3))).float().mean()
    assert 0.4 < flipped < 0.6
    assert not (RandomPhotoCrop(flip=False)(ramps(100)).float().diff(dim=-1) < -40).any()


def test_whole_images_without_any_change_stay_as_they_are() -> None:
    pixels = torch.randint(256, (4, 3, 20, 24), dtype=torch.uint8)
    unchanged = RandomPhotoCrop(smallest_area=1, aspect=1, degrees=0, flip=False)(pixels)
    assert torch.equal(unchanged, pixels)


def test_varied_images_are_on_256_levels_in_range() -> None:
    varied = PhotoVariation(old_prints=1)(torch.rand(8, 1, 32, 32))
    assert varied.shape == (8, 1, 32, 32)
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert torch.equal((varied * 255).round() / 255, varied)


def test_old_prints_are_the_requested_fraction_of_the_images() -> None:
    grey = torch.full((400, 1, 16, 16), 0.5)
    plain = PhotoVariation(old_prints=0)(grey)
    assert (plain.mean(dim=(1, 2, 3)) - 0.5).abs().max() < 0.02
    some = PhotoVariation(old_prints=0.3)(grey)
    changed = ((some.mean(dim=(1, 2, 3)) - 0.5).abs() > 0.02).float().mean()
    assert 0.2 < changed < 0.4


@pytest.mark.parametrize("options", [{"smallest_area": 0}, {"smallest_area": 1.1}, {"aspect": 0.9}])
def test_arguments_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ImgcolorError, match="expected"):
        RandomPhotoCrop(**options)  # type: ignore[arg-type]
    with pytest.raises(ImgcolorError, match="old_prints"):
        PhotoVariation(old_prints=2)

import pytest
import torch

from imgcolor.data import FlipAndShift
from imgcolor.utils.errors import ImgcolorError


def ramp(count: int) -> torch.Tensor:
    """Images whose every pixel is told by its value."""
    return torch.arange(48, dtype=torch.uint8).view(1, 1, 6, 8).repeat(count, 3, 1, 1)


def test_each_result_is_a_flipped_or_shifted_window_of_its_own_image() -> None:
    images = ramp(200)
    padded = torch.nn.functional.pad(images[:1].float(), (2, 2, 2, 2), mode="reflect").to(torch.uint8)
    windows = {
        tuple(window.flatten().tolist()): (dy, dx, flipped)
        for flipped in (False, True)
        for dy in range(5)
        for dx in range(5)
        for window in [padded[0, :, dy : dy + 6, dx : dx + 8]]
        for window in [window.flip(-1) if flipped else window]
    }
    assert len(windows) == 50
    found = [windows[tuple(image.flatten().tolist())] for image in FlipAndShift(shift=2)(images)]
    assert {dy for dy, _, _ in found} == {dx for _, dx, _ in found} == {0, 1, 2, 3, 4}
    assert 60 < sum(flipped for _, _, flipped in found) < 140


def test_without_flip_and_shift_nothing_changes() -> None:
    images = torch.randint(0, 256, (5, 3, 4, 7), dtype=torch.uint8)
    assert torch.equal(FlipAndShift(flip=False, shift=0)(images), images)


def test_the_global_seed_determines_the_augmentation() -> None:
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(FlipAndShift()(ramp(9)))
    assert torch.equal(*results)


def test_bad_arguments() -> None:
    with pytest.raises(ImgcolorError, match="shift"):
        FlipAndShift(shift=-1)
    with pytest.raises(ImgcolorError, match="6×8"):
        FlipAndShift(shift=6)(ramp(1))

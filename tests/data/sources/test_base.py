import numpy as np
import pytest
import torch

from image_helpers import error_line
from imgcolor.data.sources import ImageSet


def test_length_of_an_image_set() -> None:
    assert len(ImageSet(torch.zeros(3, 3, 4, 5, dtype=torch.uint8), ("a", "b", "c"))) == 3


@pytest.mark.parametrize(
    ("pixels", "names", "found"),
    [
        (torch.zeros(1, 3, 4, 4), ("a",), "torch.float32 [1, 3, 4, 4]"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), ("a",), "torch.uint8 [3, 4, 4]"),
        (torch.zeros(1, 4, 4, 3, dtype=torch.uint8), ("a",), "torch.uint8 [1, 4, 4, 3]"),
        (torch.zeros(0, 3, 4, 4, dtype=torch.uint8), (), "torch.uint8 [0, 3, 4, 4]"),
        (np.zeros((1, 3, 4, 4), np.uint8), ("a",), "a ndarray"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), ("a",), "2 images and 1 names"),
    ],
)
def test_bad_image_sets_are_refused_with_expected_and_found_values(
    pixels: object, names: tuple[str, ...], found: str
) -> None:
    error_line(lambda: ImageSet(pixels, names), "torch.uint8 [N, 3, H, W]", found, "load()")  # type: ignore[arg-type]

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from imgcolor.visualization.grids import draw_palette, image_grid, save_image, to_image


def test_values_are_not_normalised() -> None:
    """An image with low contrast keeps it."""
    image = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1).expand(3, 4, 6)
    converted = to_image(image)
    assert converted.size == (6, 4)
    assert np.asarray(converted).reshape(-1, 3).tolist() == [[102, 128, 153]] * 24


def test_values_outside_the_range_are_clamped() -> None:
    image = torch.tensor([-3.0, 0.5, 7.0]).view(3, 1, 1)
    assert to_image(image).getpixel((0, 0)) == (0, 128, 255)


def test_grid_has_images_at_their_places() -> None:
    red, blue = (torch.eye(3)[i].view(3, 1, 1).expand(3, 32, 32) for i in (0, 2))
    small_grey = torch.full((1, 8, 8), 0.2)
    grid = image_grid({"first": torch.stack([red, blue]), "second": torch.stack([small_grey] * 2)})
    pixels = np.asarray(grid)
    right, left = grid.width - 2 - 48, grid.width - 2 - 96 - 2 - 48  # centres of the two columns
    assert pixels[48, left].tolist() == [255, 0, 0]
    assert pixels[48, right].tolist() == [0, 0, 255]
    assert pixels[96 + 2 + 48, left].tolist() == [51, 51, 51]
    assert (pixels[:, : left - 56] < 128).any(), "the labels are missing"


def test_grid_accepts_any_number_and_shape() -> None:
    for shape in ((1, 3, 1, 1), (3, 1, 7, 90), (2, 3, 200, 100)):
        assert image_grid({"a": torch.rand(shape)}).height >= 96


def test_palette_squares_have_their_colours() -> None:
    colours = torch.rand(10, 3)
    image = draw_palette(colours, columns=4, cell=40)
    assert image.size == (160, 120)
    for number, colour in enumerate(colours):
        at = image.getpixel((number % 4 * 40 + 2, number // 4 * 40 + 2))
        assert at == tuple(colour.mul(255).round().int().tolist())


def test_saved_image_is_lossless_and_the_only_file(tmp_path: Path) -> None:
    image = to_image(torch.rand(3, 5, 4))
    save_image(image, tmp_path / "new" / "a.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "new" / "a.png")), np.asarray(image))
    assert len(list(tmp_path.rglob("*.*"))) == 1

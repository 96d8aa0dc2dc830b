"""Drawn horses: reproducible, and their colours follow from what is where rather than from the grey alone."""

import pytest
import torch

from imgcolor.data.synthetic import draw_horses
from imgcolor.errors import ImgcolorError


def test_images_are_uint8_rgb_of_the_size_asked_for():
    for size in (8, 33):
        images = draw_horses(3, size=size)
        assert images.shape == (3, 3, size, size)
        assert images.dtype == torch.uint8
        assert images.is_contiguous()


def test_the_same_seed_draws_the_same_bytes():
    assert torch.equal(draw_horses(70, seed=5), draw_horses(70, seed=5))


@pytest.mark.parametrize("size", [13, 32])
@pytest.mark.parametrize("count", [1, 5, 64, 65])
def test_a_longer_set_begins_with_the_shorter_one(count, size):
    assert torch.equal(draw_horses(140, size)[:count], draw_horses(count, size))


def test_seeds_draw_different_sets():
    first, second = draw_horses(4, seed=0), draw_horses(4, seed=1)
    assert all(not torch.equal(one, other) for one in first for other in second)


def test_the_global_random_state_is_neither_used_nor_changed():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = draw_horses(2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(draw_horses(2), first)


def test_another_size_shows_the_same_scenes():
    small = draw_horses(8, size=16).float()
    shrunk = torch.nn.functional.avg_pool2d(draw_horses(8, size=64).float(), 4)
    error = (small[:, None] - shrunk[None]).square().mean(dim=(2, 3, 4))  # [small, shrunk]
    assert error.argmin(dim=1).tolist() == list(range(8))
    assert error.diagonal().max() < 200


@pytest.mark.parametrize(
    ("count", "size", "message"),
    [(0, 32, "count .* 1, got 0"), (-1, 32, "count .* 1, got -1"), (1, 7, "size .* 8 pixels, got 7")],
)
def test_too_small_a_count_or_size_is_refused(count, size, message):
    with pytest.raises(ImgcolorError, match=message):
        draw_horses(count, size)


def test_no_two_pictures_are_alike_and_none_is_flat():
    images = draw_horses(200)
    assert len(torch.unique(images.flatten(1), dim=0)) == 200
    assert images.float().std(dim=(2, 3)).amin() > 5
    assert images.float().mean(dim=(1, 2, 3)).std() > 10  # lighter and darker scenes


def test_sky_is_bluer_than_ground():
    images = draw_horses(300).float().mean(dim=(0, 3))  # [3, rows]
    blueness = images[2] - images[0]
    assert blueness[:6].mean() > 5
    assert blueness[-6:].mean() < -20


def test_horses_stand_in_the_middle_of_the_picture():
    # The mean of many scenes without horses would differ little from left to right.
    mean = draw_horses(320).float().mean(dim=(0, 1))  # [rows, columns]
    body = mean[16:22]
    assert body[:, 12:20].mean() < body[:, [0, 1, 30, 31]].mean() - 10


def test_where_a_pixel_is_tells_its_colour_better_than_its_grey_alone():
    # Mean colours learnt on one set and judged on another, so that more keys are no gain by themselves.
    train, val = draw_horses(512, seed=1).float(), draw_horses(256, seed=2).float()

    def key(images, bands):
        grey = images.mean(dim=1).round().long()  # [N, H, W]
        band = torch.arange(32)[:, None] * bands // 32
        return (grey * bands + band).flatten(), images.movedim(1, -1).reshape(-1, 3)

    def error(bands):
        (train_key, train_colour), (val_key, val_colour) = key(train, bands), key(val, bands)
        total = torch.zeros(256 * bands, 3).index_add_(0, train_key, train_colour)
        number = torch.bincount(train_key, minlength=256 * bands)[:, None]
        grey = torch.arange(256.0).repeat_interleave(bands)[:, None]
        table = torch.where(number > 0, total / number.clamp(min=1), grey)
        return (table[val_key] - val_colour).square().mean().item()

    grey_copy = (val - val.mean(dim=1, keepdim=True)).square().mean().item()
    assert error(bands=1) < 0.9 * grey_copy  # there is something to learn from the grey,
    assert error(bands=8) < 0.75 * error(bands=1)  # more from the place,
    assert error(bands=8) > 0.1 * grey_copy  # and the two do not settle it

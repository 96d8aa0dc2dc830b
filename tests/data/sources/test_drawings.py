"""Drawn horses and faces: reproducible, their colours following from what is where, not from the grey alone."""

import pytest
import torch

from imgcolor.data.sources.drawn_faces import draw_faces
from imgcolor.data.sources.drawn_horses import draw_horses
from imgcolor.utils.errors import ImgcolorError

both = pytest.mark.parametrize("draw", [draw_horses, draw_faces])


@both
def test_images_are_uint8_rgb_of_the_given_size(draw):
    for size in (8, 33):
        images = draw(3, size=size)
        assert images.shape == (3, 3, size, size)
        assert images.dtype == torch.uint8
        assert images.is_contiguous()


@both
def test_the_same_seed_draws_the_same_bytes(draw):
    assert torch.equal(draw(70, 32, 5), draw(70, 32, 5))


@pytest.mark.parametrize("size", [13, 32])
@pytest.mark.parametrize("count", [1, 5, 64, 65])
@both
def test_a_longer_set_begins_with_the_shorter_one(draw, count, size):
    assert torch.equal(draw(140, size)[:count], draw(count, size))


@both
def test_different_seeds_draw_different_images(draw):
    first, second = draw(4, 32, 0), draw(4, 32, 1)
    assert all(not torch.equal(one, other) for one in first for other in second)


@both
def test_the_global_random_state_is_neither_used_nor_changed(draw):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = draw(2, 32)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(draw(2, 32), first)


@both
def test_other_sizes_show_the_same_scenes(draw):
    small = draw(8, size=16).float()
    shrunk = torch.nn.functional.avg_pool2d(draw(8, size=64).float(), 4)
    error = (small[:, None] - shrunk[None]).square().mean(dim=(2, 3, 4))  # [small, shrunk]
    assert error.argmin(dim=1).tolist() == list(range(8))
    assert error.diagonal().max() < 200


@pytest.mark.parametrize(
    ("count", "size", "message"),
    [
        (0, 32, "count: .* 1, found 0"),
        (-1, 32, "count: .* 1, found -1"),
        (1, 7, "size: .* 8 pixels, found 7"),
    ],
)
@both
def test_too_small_a_count_or_size_is_refused(draw, count, size, message):
    with pytest.raises(ImgcolorError, match=message):
        draw(count, size)


@both
def test_all_images_differ_and_none_has_one_colour(draw):
    images = draw(200, 32)
    assert len(torch.unique(images.flatten(1), dim=0)) == 200
    assert images.float().std(dim=(2, 3)).amin() > 5
    assert images.float().mean(dim=(1, 2, 3)).std() > 10  # lighter and darker scenes


def test_sky_is_bluer_than_ground():
    images = draw_horses(300).float().mean(dim=(0, 3))  # [3, rows]
    blueness = images[2] - images[0]
    assert blueness[:6].mean() > 5
    assert blueness[-6:].mean() < -20


def test_horses_are_in_the_middle_of_the_image():
    # The mean of many scenes without horses would differ little from left to right.
    mean = draw_horses(320).float().mean(dim=(0, 1))  # [rows, columns]
    body = mean[16:22]
    assert body[:, 12:20].mean() < body[:, [0, 1, 30, 31]].mean() - 10


@pytest.mark.parametrize(("draw", "ratio"), [(draw_horses, 0.75), (draw_faces, 0.95)])
def test_position_and_grey_predict_colour_better_than_grey_alone(draw, ratio):
    # Mean colours learnt on one set and judged on another, so that more keys are no gain by themselves.
    train, val = draw(512, 32, 1).float(), draw(256, 32, 2).float()

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
    assert error(bands=8) < ratio * error(bands=1)  # more from the place,
    assert error(bands=8) > 0.1 * grey_copy  # and the two do not settle it


def test_default_sizes_are_those_of_the_data_sets():
    assert draw_horses(1).shape == (1, 3, 32, 32)
    assert draw_faces(1).shape == (1, 3, 80, 80)


def test_faces_are_in_the_middle_with_two_eyes_above_a_mouth():
    mean = draw_faces(256, 40).float().mean(dim=0)  # [3, rows, columns]
    red, _, blue = mean
    # Skin in the middle is warmer than the background in the corners.
    assert (red - blue)[14:26, 14:26].mean() > (red - blue)[:8, [0, 1, 2, 37, 38, 39]].mean() + 20
    # Of a row through the eyes, the bridge of the nose is the light part; the hair at the crown is dark.
    grey = mean.mean(dim=0)
    assert grey[14:24, 16:24].mean() > grey[2:8, 14:26].mean() + 10
    # Left and right are alike over many faces.
    assert (grey - grey.flip(1)).abs().mean() < 5


def test_faces_cover_light_and_dark_skin():
    cheeks = draw_faces(256, 40).float()[:, :, 20:26, 14:26].mean(dim=(1, 2, 3))
    assert cheeks.amin() < 70
    assert cheeks.amax() > 170

import pytest
import torch

from image_helpers import error_line
from imgcolor.data.sources import SyntheticSource


def draw(count: int, size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, size, size), generator=generator, dtype=torch.uint8)


def test_synthetic_splits_differ_and_repeat() -> None:
    source = SyntheticSource(draw, 8, train_images=13, val_images=4, seed=5)
    train, val, test = source.load("train"), source.load("val"), source.load("test")
    assert (len(train), len(val), len(test)) == (13, 4, 4)
    assert train.names[12] == "train_00012"
    assert test.names == ("test_00000", "test_00001", "test_00002", "test_00003")
    assert not torch.equal(train.pixels[:4], val.pixels)
    assert not torch.equal(val.pixels, test.pixels)
    again = SyntheticSource(draw, 8, train_images=13, val_images=4, seed=5)
    assert torch.equal(again.load("train").pixels, train.pixels)


def test_synthetic_seeds_share_no_split() -> None:
    seeds: list[int] = []

    def note(count: int, size: int, seed: int) -> torch.Tensor:
        seeds.append(seed)
        return draw(count, size, seed)

    for seed in range(4):
        for split in ("train", "val", "test"):
            SyntheticSource(note, 4, 1, 1, seed).load(split)
    assert len(set(seeds)) == 12


@pytest.mark.parametrize("name", ["train_images", "val_images", "size"])
def test_synthetic_source_refuses_numbers_below_one(name: str) -> None:
    error_line(
        lambda: SyntheticSource(draw, **{"size": 8, name: -1}), name.replace("size", "image size"), "-1"
    )


def test_a_drawing_function_that_returns_floats_is_refused() -> None:
    source = SyntheticSource(lambda count, size, seed: draw(count, size, seed).float(), 8)
    error_line(lambda: source.load("train"), "torch.uint8 [N, 3, H, W]", "torch.float32 [2000, 3, 8, 8]")

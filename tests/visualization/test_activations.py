import csv
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from imgcolor.cli.main import main
from imgcolor.networks import ColourCNN, ColourUNet
from imgcolor.tasks import load_task
from imgcolor.utils.errors import ImgcolorError
from imgcolor.visualization.activations import (
    activation_grid,
    capture,
    concentration,
    near_zero,
    write_activations,
)

UNET = "experiments/horses/colour_unet.yaml"
ONE_EPOCH = "--trainer.max_epochs=1"
SMALL = ("--model.network.base_channels=2", ONE_EPOCH)
COURSE_BLOCKS = ["downconv1", "downconv2", "rfconv", "upconv1", "upconv2", "finalconv"]


def maps_of(values: list[list[float]]) -> Tensor:
    """Return one image whose channels are given as lists of 2x2 pixels."""
    return torch.tensor(values).view(1, len(values), 2, 2)


# Capture.


@pytest.mark.parametrize(
    ("network", "side"), [(ColourCNN(24, 4), 16), (ColourUNet(24, 4), 16), (ColourUNet(24, 4, 3, 0, 3, 4), 4)]
)
def test_blocks_are_captured_in_running_order(network: Any, side: int) -> None:
    blocks = capture(network, torch.rand(2, network.in_channels, side, side))
    assert list(blocks) == COURSE_BLOCKS
    assert [tuple(maps.shape) for maps in blocks.values()] == [
        *((2, 4, 8, 8), (2, 8, 4, 4), (2, 8, 4, 4)),
        *((2, 4, 4, 4), (2, 24, 8, 8), (2, 24, 16, 16)),
    ]


def test_maps_are_the_blocks_output_in_evaluation_mode() -> None:
    network = ColourUNet(24, 4, dropout=0.5).train()
    images = torch.rand(2, 1, 8, 8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    maps = capture(network, images)["downconv1"]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(module.training for module in network.modules())
    assert not maps.requires_grad
    torch.testing.assert_close(maps, network.eval().downconv1(images).detach())


def test_modules_at_any_depth_by_name() -> None:
    blocks = capture(ColourCNN(24, 4), torch.rand(1, 1, 8, 8), ["upconv1.2", "downconv1.0"])
    assert list(blocks) == ["downconv1.0", "upconv1.2"]
    assert blocks["downconv1.0"].min() < 0 <= blocks["upconv1.2"].min()  # a convolution, a ReLU


class Odd(nn.Module):
    """A network with unusual modules."""

    def __init__(self) -> None:
        super().__init__()
        self.late = nn.Conv2d(2, 5, 1)
        self.early = nn.Conv2d(1, 2, 1)
        self.steps = nn.ModuleList([nn.Conv2d(2, 2, 1), nn.ReLU(inplace=True)])
        self.vector = nn.Flatten()
        self.pair = nn.LSTM(4, 1)
        self.unused = nn.Conv2d(9, 9, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.early(images)
        for step in self.steps:
            maps = step(step(maps))
        self.vector(maps)
        self.pair(maps[0])
        output: Tensor = self.late(maps)
        return output


def test_only_children_that_return_maps_are_captured() -> None:
    assert list(capture(Odd(), torch.rand(1, 1, 4, 4))) == ["early", "steps.0", "steps.1", "late"]


def test_last_run_of_a_module_is_kept() -> None:
    network = Odd()
    images = torch.rand(1, 1, 4, 4)
    step = network.steps[0]
    maps = capture(network, images)["steps.0"]
    torch.testing.assert_close(maps, step(step(network.early(images))).detach())


def test_in_place_operations_do_not_change_captured_maps() -> None:
    network = nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU(inplace=True))
    blocks = capture(network, torch.randn(1, 1, 4, 4))
    assert blocks["0"].min() < 0
    torch.testing.assert_close(blocks["1"], blocks["0"].relu())


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        (["dwnconv1"], ["'dwnconv1'", "Odd", "early", "steps.1"]),
        (["unused"], ["unused", "nothing", "early"]),
        (["vector"], ["vector", "[1, 32]"]),
        (["pair"], ["pair", "tuple"]),
    ],
)
def test_modules_without_maps_are_named_in_the_error(modules: list[str], words: list[str]) -> None:
    with pytest.raises(ImgcolorError) as caught:
        capture(Odd(), torch.rand(1, 1, 4, 4), modules)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


def test_network_without_maps_is_refused() -> None:
    with pytest.raises(ImgcolorError, match="found none"):
        capture(nn.Conv2d(1, 1, 1), torch.rand(1, 1, 4, 4))


def test_hooks_and_modes_are_restored_after_an_exception() -> None:
    network = ColourUNet(24, 4).train()
    with pytest.raises(RuntimeError, match="channels"):
        capture(network, torch.rand(1, 2, 8, 8))
    assert not any(module._forward_hooks for module in network.modules())
    assert all(module.training for module in network.modules())
    capture(network, torch.rand(1, 1, 8, 8))
    assert not any(module._forward_hooks for module in network.modules())


# The fraction near zero.


def test_near_zero_by_hand() -> None:
    maps = maps_of([[0, 100, -100, 1], [0.99, -0.99, 1, 1.01], [0, 0, 0, 0]])
    assert near_zero(maps).tolist() == [[0.25, 0.5, 1.0]]
    assert near_zero(maps, threshold=0.5).tolist() == [[0.5, 1.0, 1.0]]


def test_near_zero_is_relative_to_all_maps_of_the_block_and_image() -> None:
    weak, strong = [0.1, 0.1, 0.1, 0.1], [50.0, 50.0, 50.0, 50.0]
    alone = maps_of([weak])
    both = maps_of([weak, strong])
    assert near_zero(alone).tolist() == [[0.0]]
    assert near_zero(both).tolist() == [[1.0, 0.0]]
    pair = torch.cat([both, maps_of([weak, weak])])  # other images of the batch do not count
    assert near_zero(pair).tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_a_block_of_zeros_is_all_near_zero() -> None:
    assert near_zero(torch.zeros(2, 3, 4, 5)).tolist() == [[1.0] * 3] * 2


# The concentration.


def test_concentration_by_hand() -> None:
    maps = maps_of([[3, 3, 3, 3], [0, 0, -7, 0], [0, 2, 2, 0], [1, -1, 1, -1], [0, 0, 0, 0]])
    torch.testing.assert_close(concentration(maps), torch.tensor([[0.0, 1.0, 0.5, 0.0, 0.0]]))


def test_concentration_of_n_equal_pixels() -> None:
    maps = torch.zeros(1, 1, 6, 10)
    maps.view(-1)[:7] = 0.3
    assert concentration(maps).item() == pytest.approx(1 - math.log(7) / math.log(60))


def test_concentration_is_one_minus_normalised_entropy() -> None:
    maps = torch.randn(2, 3, 5, 4)
    for image, row in zip(maps.double().numpy(), concentration(maps).numpy(), strict=True):
        for values, found in zip(image, row, strict=True):
            fractions = np.abs(values) / np.abs(values).sum()
            assert found == pytest.approx(1 + (fractions * np.log(fractions)).sum() / np.log(20), abs=1e-6)


def test_concentration_of_a_single_pixel_is_zero() -> None:
    assert concentration(torch.tensor([3.0, 0.0]).view(1, 2, 1, 1)).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_measures_of_values_that_are_not_finite_are_nan(bad: float) -> None:
    maps = maps_of([[1, 2, 3, bad], [1, 2, 3, 4]])
    assert near_zero(maps).isnan().all()
    assert concentration(maps).isnan().tolist() == [[True, False]]
    assert concentration(torch.full((1, 1, 1, 1), bad)).isnan().all()


numbers = st.floats(-1e4, 1e4, width=32)
blocks = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)).flatmap(
    lambda shape: st.lists(numbers, min_size=math.prod(shape), max_size=math.prod(shape)).map(
        lambda values: torch.tensor(values).view(1, *shape)
    )
)


@settings(deadline=None)  # machines are shared
@given(blocks)
def test_measures_are_between_0_and_1(maps: Tensor) -> None:
    for measure in (near_zero(maps), concentration(maps)):
        assert measure.shape == maps.shape[:2]
        assert ((measure >= 0) & (measure <= 1)).all()


@settings(deadline=None)  # machines are shared
@given(blocks, st.integers(-20, 20))
def test_measures_do_not_depend_on_scale_or_sign(maps: Tensor, exponent: int) -> None:
    maps = maps.where(maps.abs() > 1e-20, 0)  # else the scaled ones would be rounded to zero
    scaled = -maps * 2.0**exponent
    torch.testing.assert_close(near_zero(scaled), near_zero(maps), rtol=0, atol=0)
    torch.testing.assert_close(concentration(scaled), concentration(maps), rtol=0, atol=1e-6)


@settings(deadline=None)  # machines are shared
@given(blocks, st.randoms(use_true_random=False))
def test_measures_do_not_depend_on_pixel_positions(maps: Tensor, random: Any) -> None:
    order = list(range(maps[0, 0].numel()))
    random.shuffle(order)
    moved = maps.flatten(2)[..., order].view_as(maps)
    torch.testing.assert_close(near_zero(moved), near_zero(maps), rtol=0, atol=0)
    torch.testing.assert_close(concentration(moved), concentration(maps), rtol=0, atol=1e-6)


# The images.


def tiles(image: Image.Image, number: int) -> np.ndarray[Any, Any]:
    """Return the pixels of a tile in the first row."""
    pixels = np.asarray(image)
    left, top = 6 + number * (80 + 6), 44
    return pixels[top : top + 80, left : left + 80]


def test_brightness_is_relative_to_the_whole_block() -> None:
    maps = torch.stack([torch.full((8, 8), 0.2), torch.full((8, 8), 2.0), torch.zeros(8, 8)])
    image = activation_grid(maps)
    assert [int(tiles(image, number).max()) for number in range(3)] == [26, 255, 0]  # 255 / 10
    assert [int(tiles(image, number).min()) for number in range(3)] == [26, 255, 0]


def test_negative_values_are_blue() -> None:
    maps = torch.tensor([[2.0, -2.0], [0.0, -1.0]])[None]
    tile = tiles(activation_grid(maps), 0)
    assert tile[10, 10].tolist() == [255, 255, 255]
    red, green, blue = tile[10, 70].tolist()
    assert blue == 255
    assert red < green < blue
    assert tile[70, 10].tolist() == [0, 0, 0]
    assert tile[70, 70, 2] == 128


def test_values_that_are_not_finite_are_red() -> None:
    tile = tiles(activation_grid(torch.tensor([[[1.0, math.nan], [math.inf, 0.5]]])), 0)
    assert tile[10, 10].tolist() == [255, 255, 255]
    assert tile[10, 70].tolist() == tile[70, 10].tolist() == [255, 0, 0]


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 90), (64, 8, 8), (130, 4, 4), (2, 200, 100)])
def test_any_number_and_shape_of_maps_fits(shape: tuple[int, int, int]) -> None:
    count, height, width = shape
    image = activation_grid(torch.rand(shape), "a_block_of_some_name")
    columns = min(count, 8 if count <= 64 else 16)
    assert image.width >= columns * max(80, width)
    assert image.height >= math.ceil(count / columns) * height


# The files.


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_write_activations_writes_images_and_table(tmp_path: Path) -> None:
    network = ColourUNet(5, 2)
    images = [torch.rand(1, 8, 8), torch.rand(1, 12, 16)]  # sizes may differ
    table = write_activations(network, images, ["one", "two"], tmp_path / "out")
    assert table == tmp_path / "out" / "activations.csv"
    assert sorted(
        path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("*.png")
    ) == sorted(f"{image}/{module}.png" for image in ("one", "two") for module in COURSE_BLOCKS)
    found = rows(table)
    assert list(found[0]) == ["image", "module", "channel", "height", "width", "near_zero", "concentration"]
    assert len(found) == 2 * (2 + 4 + 4 + 2 + 5 + 5)
    maps = capture(network, images[1][None])["rfconv"]
    of_block = [row for row in found if (row["image"], row["module"]) == ("two", "rfconv")]
    assert [(row["channel"], row["height"], row["width"]) for row in of_block] == [
        (str(channel), "3", "4") for channel in range(4)
    ]
    for name, measure in (("near_zero", near_zero(maps)), ("concentration", concentration(maps))):
        assert [float(row[name]) for row in of_block] == pytest.approx(measure[0].tolist(), rel=1e-5)


def test_file_names_are_safe_and_unique(tmp_path: Path) -> None:
    class Slash(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("/a b", nn.Conv2d(1, 1, 1))

        def forward(self, images: Tensor) -> Tensor:
            output: Tensor = self.get_submodule("/a b")(images)
            return output

    names = ["../x/y", "a", "A", "a", "..", "activations.csv", ""]
    table = write_activations(Slash(), torch.rand(7, 1, 4, 4), names, tmp_path / "out")
    folders = ["_x_y", "a", "A_2", "a_3", "_", "activations.csv_2", "__2"]
    assert [row["image"] for row in rows(table)] == folders
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file()} == {
        "out/activations.csv",
        *(f"out/{folder}/_a_b.png" for folder in folders),
    }


# The command.


def photo(path: Path, width: int, height: int) -> str:
    rng = np.random.default_rng(width)
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return str(path)


def test_command(tiny_fit: Callable[..., Path], workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = tiny_fit(UNET, *SMALL) / "checkpoints" / "last.ckpt"
    images = [photo(workplace / "square.png", 40, 40), photo(workplace / "wide.jpg", 60, 30)]
    capsys.readouterr()
    assert main(["activations", str(checkpoint), *images, "--output", "out"]) == 0
    assert "out/activations.csv" in capsys.readouterr().out
    found = rows(Path("out/activations.csv"))
    assert len(found) == 2 * (2 + 4 + 4 + 2 + 24 + 24)
    sizes = {row["image"]: row["height"] for row in found if row["module"] == "finalconv"}
    assert sizes == {"square": "40", "wide": "32"}
    assert len(list(Path("out").rglob("*.png"))) == 2 * 6
    task = load_task(checkpoint)
    pixels = torch.from_numpy(np.array(Image.open("square.png"))).permute(2, 0, 1)[None].float() / 255
    maps = capture(task.network, task.degradation(pixels))["upconv1"]
    expected = near_zero(maps)[0].tolist()
    fractions = [float(r["near_zero"]) for r in found if (r["image"], r["module"]) == ("square", "upconv1")]
    assert fractions == pytest.approx(expected, rel=1e-5)

    options = ["--size=16", "--output=few", "--modules", "rfconv", "downconv1.1"]
    assert main(["activations", str(checkpoint), *images, *options]) == 0
    found = rows(Path("few/activations.csv"))
    assert [(row["module"], row["height"]) for row in found] == [
        *[("downconv1.1", "16")] * 2,
        *[("rfconv", "4")] * 4,
    ] * 2


def test_command_for_super_resolution(tiny_fit: Callable[..., Path], workplace: Path) -> None:
    """The maps are as large as the image, though the network is given one of a quarter of its size."""
    checkpoint = tiny_fit("experiments/superres/colour_unet.yaml", *SMALL) / "checkpoints" / "last.ckpt"
    assert main(["activations", str(checkpoint), photo(workplace / "a.png", 40, 40)]) == 0
    sides = {row["module"]: row["height"] for row in rows(Path("activations/activations.csv"))}
    assert sides == dict(zip(COURSE_BLOCKS, ["20", "10", "10", "10", "20", "40"], strict=True))


def test_command_with_a_custom_network(
    tiny_fit: Callable[..., Path], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "somebodys.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, width: int = 3):\n"
        "        super().__init__()\n"
        "        self.width = width\n"
        "        self.wide = nn.Conv2d(1, width, 1)\n"
        "        self.steps = nn.ModuleList([nn.ReLU(), nn.Conv2d(width, 24, 1)])\n"
        "    def forward(self, images):\n"
        "        images = self.wide(images)\n"
        "        for step in self.steps:\n"
        "            images = step(images)\n"
        "        return images\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = tiny_fit(UNET, "--model.network=somebodys.Net", "--model.network.width=5", ONE_EPOCH)
    image = photo(workplace / "a.png", 32, 32)
    checkpoint = str(folder / "checkpoints" / "last.ckpt")
    assert main(["activations", checkpoint, image, "--allow-import", "somebodys"]) == 0
    names = sorted(path.name for path in Path("activations/a").iterdir())
    assert names == ["steps.0.png", "steps.1.png", "wide.png"]


def test_command_errors_are_one_line_and_write_nothing(
    tiny_fit: Callable[..., Path], workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tiny_fit(UNET, *SMALL) / "checkpoints" / "last.ckpt"
    image = photo(workplace / "a.png", 32, 32)
    (workplace / "bad.png").write_bytes(b"no image")
    bare = torch.load(checkpoint, weights_only=True)
    bare["imgcolor"]["degradation"] = None
    torch.save(bare, workplace / "bare.ckpt")
    for words, told, status in (
        ([str(checkpoint), image, "--modules", "rfcnv"], ["'rfcnv'", "rfconv"], 1),
        ([str(checkpoint), image, "bad.png"], ["bad.png"], 1),
        ([str(checkpoint), image, "--size=0"], ["size", "at least 1"], 1),
        (["none.ckpt", image], ["none.ckpt"], 1),
        (["bare.ckpt", image], ["bare.ckpt", "degradation"], 1),
        ([str(checkpoint)], ["CKPT IMAGE", "no images"], 2),
        ([], ["CKPT IMAGE", "no checkpoint, images"], 2),
        ([str(checkpoint), image, "--size=big"], ["size", "big"], 2),
    ):
        capsys.readouterr()
        assert main(["activations", *words]) == status
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("imgcolor: error: ")
        assert all(word in line for word in told), line
        assert not Path("activations").exists()

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import imgcolor
from imgcolor.colour import RGBCoding
from imgcolor.data import BoxDownsample, LumaGrey, MeanGrey
from imgcolor.networks import ResidualUNet, ResidualUpscaler
from imgcolor.pipelines import Colourizer, PhotoColourizer, Scale, Upscaler, load
from imgcolor.pretrained import cards
from imgcolor.utils.errors import ImgcolorError


def randomize(network: torch.nn.Module) -> torch.nn.Module:
    """Give the last layer random weights, so that the output is not that of the network's base alone."""
    torch.manual_seed(0)
    torch.nn.init.normal_(network.head.weight, std=0.05)  # type: ignore[union-attr,arg-type]
    return network


@pytest.fixture(scope="module")
def colourizer() -> Colourizer:
    network = randomize(ResidualUNet(3, [4, 8], luminance="luma"))
    return Colourizer(network, RGBCoding(), LumaGrey(), image_size=16)


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    network = randomize(ResidualUpscaler(3, 8, 1, fine_channels=4, fine_blocks=1, scale_factor=4))
    return Upscaler(network, RGBCoding(), BoxDownsample(4), image_size=16)


def make_image(height: int, width: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", list(cards()))
def test_shipped_models_are_small_and_work(name: str) -> None:
    assert cards()[name].path.stat().st_size < 12_000_000
    model = imgcolor.load(name)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8))
    if isinstance(model, Upscaler):
        assert model.upscale(image).size == (30 * model.scale_factor, 24 * model.scale_factor)
    else:
        coloured = np.asarray(model.colourize(image), dtype=int)
        assert coloured.shape == (24, 30, 3)
        assert (coloured.max(axis=2) - coloured.min(axis=2)).mean() > 2  # there is colour


def test_image_of_the_training_size_is_the_networks_output(colourizer: Colourizer) -> None:
    image = make_image(16, 20)
    expected = colourizer.run_network(colourizer.to_grey(image[None]))[0]
    inside = (expected.amin(0) > 0) & (expected.amax(0) < 1)
    assert inside.float().mean() > 0.8
    assert torch.allclose(colourizer.colourize(image)[:, inside], expected[:, inside], atol=1e-6)


@pytest.mark.parametrize("size", [(64, 80), (9, 7), (200, 3)])
def test_result_keeps_the_grey_of_the_full_size(size: tuple[int, int], colourizer: Colourizer) -> None:
    grey = make_image(*size, channels=1) / 2 + 0.25  # far from 0 and 1, where colours are cut
    coloured = colourizer.colourize(grey)
    weights = torch.tensor(LumaGrey.weights)[:, None, None]
    assert coloured.shape == (3, *size)
    assert torch.allclose((weights * coloured).sum(0), grey[0], atol=1e-5)
    assert (coloured.amax(0) - coloured.amin(0)).mean() > 0.001


def test_chroma_of_an_enlarged_image_is_that_of_the_small_image(colourizer: Colourizer) -> None:
    small = torch.full((1, 16, 16), 0.4)
    small[:, :8] = 0.6
    large = F.interpolate(small[None], scale_factor=4, mode="nearest")[0]
    difference = colourizer.colourize(large) - F.interpolate(
        colourizer.colourize(small)[None], scale_factor=4, mode="bilinear"
    )
    assert difference.abs().median() < 0.02


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((20, 30), np.uint8), ((20, 30, 1), np.uint8), ((20, 30, 3), np.uint8), ((20, 30, 4), np.float32)],
)
def test_arrays_give_arrays_of_the_same_kind(
    shape: tuple[int, ...], dtype: type, colourizer: Colourizer
) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 256, shape).astype(dtype) if dtype is np.uint8 else rng.random(shape, dtype)
    before = array.copy()
    coloured = colourizer.colourize(array)
    assert coloured.dtype == dtype
    assert coloured.shape == (20, 30, 4 if shape[-1] == 4 else 3)
    if shape[-1] == 4:
        np.testing.assert_array_equal(coloured[..., 3], array[..., 3])
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_batch_of_arrays_gives_the_results_of_its_images(
    channels: int, colourizer: Colourizer, upscaler: Upscaler
) -> None:
    batch = np.random.default_rng(0).integers(0, 256, (3, 8, 10, channels), dtype=np.uint8)
    for run in (colourizer.colourize, upscaler.upscale):
        together = run(batch)
        for found, single in zip(together, batch, strict=True):
            np.testing.assert_allclose(found.astype(int), run(single).astype(int), atol=1)


def test_all_kinds_of_images_give_the_same_result(colourizer: Colourizer) -> None:
    pixels = (make_image(20, 30) * 255).round().to(torch.uint8)
    of_tensor = colourizer.colourize(pixels)
    array = pixels.permute(1, 2, 0).numpy()
    of_array = colourizer.colourize(array)
    of_image = colourizer.colourize(Image.fromarray(array))
    of_batch = colourizer.colourize(torch.stack([pixels, pixels]))
    np.testing.assert_array_equal(of_tensor.permute(1, 2, 0).numpy(), of_array)
    np.testing.assert_array_equal(np.asarray(of_image), of_array)
    assert torch.equal(of_batch[1], of_tensor)


def test_pillow_modes(colourizer: Colourizer) -> None:
    image = Image.fromarray((make_image(20, 30).permute(1, 2, 0).numpy() * 255).astype(np.uint8))
    alpha = Image.linear_gradient("L").resize(image.size)
    transparent = image.copy()
    transparent.putalpha(alpha)
    result = colourizer.colourize(transparent)
    assert result.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(result.getchannel("A")), np.asarray(alpha))
    grey = image.convert("L")
    sixteen_bit = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    expected = np.asarray(colourizer.colourize(grey))
    for same in (sixteen_bit, grey.convert("LA"), grey.convert("P"), grey.convert("RGB")):
        found = np.asarray(colourizer.colourize(same).convert("RGB"))
        assert np.abs(found.astype(int) - expected).max() <= 1


def test_upscaling_keeps_block_means_and_the_kind_of_image(upscaler: Upscaler) -> None:
    image = make_image(13, 9) / 2 + 0.25
    large = upscaler.upscale(image)
    assert large.shape == (3, 52, 36)
    assert torch.allclose(F.avg_pool2d(large, 4), image, atol=1e-5)
    grey = upscaler.upscale(Image.fromarray(np.full((5, 6), 100, dtype=np.uint8)))
    assert (grey.mode, grey.size) == ("L", (24, 20))


def test_tiles_leave_no_seams(upscaler: Upscaler) -> None:
    image = make_image(40, 400)
    whole = upscaler.run_network(image[None])[0].clamp(0, 1)  # wider than a tile
    assert torch.allclose(upscaler.upscale(image), whole, atol=1e-4)


@pytest.mark.parametrize("side", [100, 193, 225, 353, 400, 1000])
def test_tiles_cover_an_image_with_little_overlap(side: int) -> None:

    pixels: list[int] = []

    def run(part: torch.Tensor) -> torch.Tensor:
        assert max(part.shape[-2:]) <= 192
        pixels.append(part.shape[-2] * part.shape[-1])
        return part

    from imgcolor.pipelines.tiling import run_in_tiles

    images = torch.rand(1, 3, side, side)
    torch.testing.assert_close(run_in_tiles(images, run, (192, 192), 32), images)
    assert sum(pixels) <= 1.5 * side**2


@pytest.mark.slow
def test_strips_leave_no_seams() -> None:
    model = load("horses")
    assert isinstance(model, Colourizer)
    grey = torch.full((1, 1, 1100, 1400), 0.5)  # wider than a strip of that height
    coloured = model.colourize_batch(grey, "native")[0]
    steps = (coloured[:, :, 1:] - coloured[:, :, :-1]).abs()[:, :, 200:-200]
    assert steps.max() < 0.02
    assert (coloured[:, 100].mean(1) - coloured[:, 1000].mean(1)).abs().max() > 0.02  # the rows do matter


def test_exif_rotation_is_applied(colourizer: Colourizer, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20), (90, 90, 90)).save(tmp_path / "phone.jpg", exif=exif)
    with Image.open(tmp_path / "phone.jpg") as image:
        assert colourizer.colourize(image).size == (20, 30)


def test_results_can_be_used_in_training(colourizer: Colourizer) -> None:
    result = colourizer.colourize(make_image(16, 16))
    result.mul_(2)
    (torch.ones(1, requires_grad=True) * result).sum().backward()


def test_a_large_batch_is_split(colourizer: Colourizer, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = torch.rand(5, 1, 20, 24)
    whole = colourizer.colourize(batch)
    monkeypatch.setattr("imgcolor.pipelines.colourizer.MAX_BATCH_PIXELS", 700)
    assert torch.allclose(colourizer.colourize(batch), whole, atol=1e-5)


def test_native_scale_runs_the_network_at_full_size(colourizer: Colourizer) -> None:
    image = make_image(40, 56, channels=1)
    expected = colourizer.run_network(image[None])[0]
    inside = (expected.amin(0) > 0) & (expected.amax(0) < 1)
    assert inside.float().mean() > 0.8
    native = colourizer.colourize(image, scale="native")
    assert torch.allclose(native[:, inside], expected[:, inside], atol=1e-6)
    assert not torch.allclose(colourizer.colourize(image), expected, atol=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        "a.png",
        np.zeros(5),
        np.zeros((4, 4, 2)),
        np.full((4, 4, 3), 200.0),
        torch.zeros(2, 4, 4),
        torch.zeros(3, 4, 4).long(),
        Image.new("L", (0, 5)),
    ],
)
def test_wrong_kinds_of_images_are_refused(wrong: object, colourizer: Colourizer) -> None:
    with pytest.raises(ImgcolorError, match="image: expected"):
        colourizer.colourize(wrong)  # type: ignore[type-var]


def test_the_other_pipelines_method_is_named_in_the_error(colourizer: Colourizer, upscaler: Upscaler) -> None:
    with pytest.raises(ImgcolorError, match="use upscale"):
        upscaler.colourize(make_image(8, 8))
    with pytest.raises(ImgcolorError, match="use colourize"):
        colourizer.upscale(make_image(8, 8))
    with pytest.raises(ImgcolorError, match="scale"):
        colourizer.colourize(make_image(8, 8), scale="huge")  # type: ignore[arg-type]


def test_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImgcolorError, match=r"photos, photo_x4, .*found 'cats'"):
        load("cats")
    with pytest.raises(ImgcolorError, match="checkpoint"):
        load(tmp_path / "none.ckpt")


def test_mean_grey_pipeline_keeps_the_mean() -> None:
    model = Colourizer(randomize(ResidualUNet(3, [4, 8])), RGBCoding(), MeanGrey(), image_size=16)
    grey = make_image(40, 24, channels=1) / 2 + 0.25
    assert torch.allclose(model.colourize(grey).mean(0), grey[0], atol=1e-5)


class EvenSizesOnly(torch.nn.Module):
    """A network that does not accept odd heights and widths."""

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        small = F.pixel_unshuffle(grey, 2)
        return F.pixel_shuffle(small, 2).expand(-1, 3, -1, -1)


def test_images_are_padded_to_the_networks_size_multiple() -> None:
    network = EvenSizesOnly()
    network.size_multiple = 2  # type: ignore[assignment]
    grey = make_image(21, 33, channels=1)
    result = Colourizer(network, RGBCoding(), LumaGrey()).colourize(grey, scale="native")
    assert torch.allclose(result, grey.expand(3, -1, -1), atol=1e-6)


class Halving(torch.nn.Module):
    """A network that halves the size several times, and fails or returns other sizes where that leaves a rest."""

    def __init__(self, halvings: int, concatenates: bool) -> None:
        super().__init__()
        self.halvings = halvings
        self.concatenates = concatenates

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        small = grey
        for _ in range(self.halvings):
            small = F.avg_pool2d(small, 2)
        large = F.interpolate(small, scale_factor=2**self.halvings)
        return torch.cat([grey, large, grey], dim=1) if self.concatenates else large.expand(-1, 3, -1, -1)


@pytest.mark.parametrize("halvings", [1, 3])
@pytest.mark.parametrize("concatenates", [True, False])
@pytest.mark.parametrize("scale", ["working", "native"])
def test_size_multiple_is_found_by_trying(halvings: int, concatenates: bool, scale: Scale) -> None:
    colourizer = Colourizer(Halving(halvings, concatenates), RGBCoding(), LumaGrey(), image_size=43)
    result = colourizer.colourize(make_image(43, 51, channels=1), scale=scale)
    assert result.shape == (3, 43, 51)
    assert colourizer.size_multiple == 2**halvings
    again = colourizer.colourize(make_image(70, 75, channels=1), scale=scale)
    assert again.shape == (3, 70, 75)


def test_sizes_that_the_network_does_not_accept_are_named() -> None:
    network = Halving(7, concatenates=True)
    colourizer = Colourizer(network, RGBCoding(), LumaGrey(), name="deep")
    message = r"deep: Halving failed on images of \[1, 21, 33\], also if they are padded .* size_multiple"
    with pytest.raises(ImgcolorError, match=message):
        colourizer.colourize(make_image(21, 33), scale="native")
    network.size_multiple = 128
    assert colourizer.colourize(make_image(21, 33), scale="native").shape == (3, 21, 33)


def test_given_size_multiple_that_is_wrong_is_named() -> None:
    network = EvenSizesOnly()
    network.size_multiple = 3  # type: ignore[assignment]
    with pytest.raises(ImgcolorError, match=r"EvenSizesOnly failed on images of \[1, 21, 33\] \("):
        Colourizer(network, RGBCoding(), LumaGrey()).colourize(make_image(21, 33), scale="native")


@pytest.mark.parametrize("degradation", [None, torch.nn.Identity(), BoxDownsample(2)])
def test_wrong_degradation_is_refused(degradation: torch.nn.Module | None) -> None:
    with pytest.raises(ImgcolorError, match="trained to undo MeanGrey or LumaGrey, found"):
        Colourizer(EvenSizesOnly(), RGBCoding(), degradation)


def test_to_moves_the_network() -> None:
    colourizer = Colourizer(ResidualUNet(3, [4, 8], luminance="luma"), RGBCoding(), LumaGrey())
    assert colourizer.device.type == "cpu"
    assert colourizer.to("meta").device.type == "meta"


def test_colorize_is_another_spelling() -> None:
    assert Colourizer.colorize is Colourizer.colourize


@pytest.fixture(scope="module", params=[name for name, card in cards().items() if "colourizes" in card.does])
def shipped(request: pytest.FixtureRequest) -> Colourizer:
    pipeline = load(request.param)
    assert isinstance(pipeline, Colourizer)
    return pipeline


def untrained(luminance: str | None = None) -> Colourizer:
    """A colourizer whose network does not keep the grey, and gives colours far outside the RGB cube."""
    torch.manual_seed(0)
    network = ResidualUNet(3, [4, 8], luminance=luminance)  # type: ignore[arg-type]
    torch.nn.init.normal_(network.head.weight, std=0.5)
    return Colourizer(network, RGBCoding(), LumaGrey(), image_size=16)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("size", [(24, 40), (80, 80), (32, 32), (1, 50)])
@pytest.mark.parametrize("options", [{}, {"saturation": 3.0}, {"scale": "native"}])
def test_black_and_white_stay_neutral(
    options: dict[str, Any], size: tuple[int, int], level: int, shipped: Colourizer
) -> None:
    if options.get("scale") == "native" and isinstance(shipped, PhotoColourizer):
        pytest.skip("these models have their own sizes")
    for colourizer in (shipped, untrained(), untrained("luma")):
        if options.get("scale") == "native" and isinstance(colourizer, PhotoColourizer):
            continue
        for channels in (1, 3):
            image = torch.full((channels, *size), level, dtype=torch.uint8)
            assert (colourizer.colourize(image, **options) == level).all()


def test_black_and_white_areas_of_a_photo_stay_neutral(shipped: Colourizer) -> None:
    grey = F.interpolate(make_image(6, 8, channels=1)[None], (60, 80), mode="bilinear")[0]
    grey = ((grey - 0.5) * 2 + 0.5).clamp(0, 1)
    for colourizer in (shipped, untrained()):
        coloured = colourizer.colourize(grey)
        for level in (0, 1):
            area = (grey == level).expand_as(coloured)
            assert area.sum() > 100
            assert (coloured[area] == level).all()
        assert (coloured.amax(0) - coloured.amin(0)).mean() > 0.01


@pytest.mark.parametrize("scale", ["working", "native"])
def test_colours_inside_the_rgb_cube_are_the_sum_of_grey_and_difference(scale: Scale) -> None:
    colourizer = load("faces")
    assert isinstance(colourizer, Colourizer)
    grey = F.interpolate(make_image(6, 5, channels=1)[None], (120, 100), mode="bilinear")
    if scale == "native":
        expected = colourizer.run_network(grey)
    else:
        small = F.interpolate(grey, colourizer.working_size(120, 100), mode="bilinear", antialias=True)
        difference = colourizer.colour_difference(colourizer.run_network(small.clamp(0, 1)))
        expected = grey + F.interpolate(difference, (120, 100), mode="bilinear", antialias=False)
    inside = (expected.amin(1) > 0) & (expected.amax(1) < 1)
    error = (colourizer.colourize_batch(grey, scale) - expected).abs().amax(1)
    assert inside.float().mean() > 0.8
    assert error[inside].max() <= 1e-6


class NetworkInputs:
    """Record the shapes that a pipeline's network sees, and give grey output of the right size quickly."""

    def __init__(self, pipeline: Colourizer | Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shapes: list[tuple[int, int, int]] = []
        scale_factor = getattr(pipeline, "scale_factor", 1)

        def forward(images: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            self.shapes.append((len(images), *images.shape[-2:]))
            if isinstance(pipeline, PhotoColourizer):
                return F.avg_pool2d(images, 4).expand(-1, 2, -1, -1) / 10
            return F.interpolate(images.expand(-1, 3, -1, -1), scale_factor=scale_factor, mode="nearest")

        monkeypatch.setattr(pipeline.network, "forward", forward)

    def pixels(self, smallest_side: int = 16) -> list[int]:
        """Return the pixels of each call, where networks pad short sides."""
        return [
            count * max(height, smallest_side) * max(width, smallest_side)
            for count, height, width in self.shapes
        ]


THIN = [(1, 200_000), (200_000, 1), (20, 20_000), (20_000, 20), (3, 5000)]


@pytest.mark.parametrize("size", THIN)
def test_thin_images_are_small_for_the_network(
    size: tuple[int, int], shipped: Colourizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = NetworkInputs(shipped, monkeypatch)
    assert shipped.colourize(torch.rand(1, *size)).shape == (3, *size)
    assert sum(inputs.pixels()) <= 2 * 32 * 80**2  # two working sizes, or the mirror image


@pytest.mark.parametrize("size", [*THIN, (20_000, 300), (300, 20_000)])
def test_thin_images_at_native_scale_are_divided(
    size: tuple[int, int], colourizer: Colourizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = NetworkInputs(colourizer, monkeypatch)
    grey = torch.rand(1, *size)
    assert torch.allclose(colourizer.colourize(grey, scale="native"), grey.expand(3, -1, -1), atol=1e-5)
    assert max(inputs.pixels()) <= 2 * 2**20
    assert sum(inputs.pixels()) <= 2 * 16 * math.prod(size)


def test_a_batch_of_thin_images_is_divided(colourizer: Colourizer, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = NetworkInputs(colourizer, monkeypatch)
    colourizer.colourize(torch.rand(64, 1, 1, 16_000), scale="native")
    assert max(inputs.pixels()) <= 2**20


@pytest.mark.parametrize("size", THIN)
@pytest.mark.parametrize("name", ["photo_x4", "bicubic_x2", "horses_x4"])
def test_thin_images_are_enlarged_in_few_tiles(
    name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = load(name)
    assert isinstance(pipeline, Upscaler)
    inputs = NetworkInputs(pipeline, monkeypatch)
    assert pipeline.upscale(torch.rand(1, *size)).shape[-2:] == tuple(
        side * pipeline.scale_factor for side in size
    )
    assert max(inputs.pixels(1)) <= 416**2
    assert sum(inputs.pixels(1)) <= (1 + pipeline.flip_tta) * 1.5 * math.prod(size)
    assert len(inputs.shapes) <= 200


@pytest.mark.parametrize(
    "size", [(20, 30), (1, 30), (7, 150), (7, 220), (100, 100), (500, 700), (3000, 2000)]
)
def test_working_size_of_other_images_keeps_the_aspect_ratio(
    size: tuple[int, int], colourizer: Colourizer
) -> None:
    factor = min(4, 16 / min(size))
    expected = tuple(min(32 * 16, max(1, round(side * factor))) for side in size)
    assert colourizer.working_size(*size) == expected

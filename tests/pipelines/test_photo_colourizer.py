from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imgcolor
from imgcolor.colour import ChromaCoding, chroma_of, luma_of
from imgcolor.data import LumaGrey
from imgcolor.networks import ChromaUNet
from imgcolor.pipelines import Hint, PhotoColourizer
from imgcolor.pipelines.export import ExportedNetwork, write_onnx
from imgcolor.utils.errors import ImgcolorError


@pytest.fixture(scope="module")
def colourizer() -> PhotoColourizer:
    torch.manual_seed(0)
    network = ChromaUNet((8, 16, 20), (1, 1, 1), (1, 1), attention_blocks=1, heads=2)
    torch.nn.init.normal_(network.head.weight, std=0.02)
    coding = ChromaCoding(working_sizes=(32, 48), saturation=1.0)
    return PhotoColourizer(network, coding, LumaGrey(), image_size=64)


@pytest.fixture(scope="module")
def photos() -> PhotoColourizer:
    pipeline = imgcolor.load("photos")
    assert isinstance(pipeline, PhotoColourizer)
    return pipeline


def grey_image(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, height, width, generator=torch.Generator().manual_seed(1)) * 0.6 + 0.2


@pytest.mark.parametrize("size", [(64, 48), (1, 1), (1, 300), (300, 1), (37, 101), (16, 16)])
def test_the_luma_is_that_of_the_image_at_any_size(
    size: tuple[int, int], colourizer: PhotoColourizer
) -> None:
    grey = grey_image(*size)
    coloured = colourizer.colourize(grey)
    assert coloured.shape == (3, *size)
    assert torch.allclose(luma_of(coloured), grey, atol=1e-5)
    assert chroma_of(coloured).abs().max() > 0


def test_saturation_scales_the_chroma(colourizer: PhotoColourizer) -> None:
    grey = grey_image(40, 56)
    assert torch.allclose(colourizer.colourize(grey, saturation=0), grey.expand(3, -1, -1))
    weak, strong = (chroma_of(colourizer.colourize(grey, saturation=s)) for s in (0.1, 0.2))
    assert torch.allclose(2 * weak, strong, atol=1e-5)
    assert torch.allclose(colourizer.colourize(grey), colourizer.colourize(grey, saturation=1.0))


def test_images_of_a_batch_do_not_influence_each_other(colourizer: PhotoColourizer) -> None:
    batch = torch.stack([grey_image(40, 56), 1 - grey_image(40, 56)])
    together = colourizer.colourize(batch)
    assert torch.allclose(together[0], colourizer.colourize(batch[0]), atol=1e-5)


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_images_stay_neutral(level: int, photos: PhotoColourizer) -> None:
    coloured = np.asarray(photos.colourize(Image.new("L", (50, 40), level)))
    assert (coloured == level).all()


def test_hints_draw_the_colours_towards_them(photos: PhotoColourizer) -> None:
    grey = Image.linear_gradient("L").resize((80, 64))
    for colour, channel in (((200, 40, 40), 1), ((40, 40, 200), 0)):
        hints = [Hint(x, y, colour) for x in (10, 40, 70) for y in (12, 32, 52)]
        wanted = chroma_of(torch.tensor(colour).view(3, 1, 1) / 255)[channel].item()

        def mean(image: Image.Image, channel: int = channel) -> float:
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
            return chroma_of(pixels)[channel].mean().item()

        without, with_hints = mean(photos.colourize(grey)), mean(photos.colourize(grey, hints=hints))
        assert abs(with_hints - wanted) < abs(without - wanted) / 2


def test_hints_outside_the_image_are_refused(colourizer: PhotoColourizer) -> None:
    with pytest.raises(ImgcolorError, match=r"inside the image of 56×40 pixels, found 56,3"):
        colourizer.colourize(grey_image(40, 56), hints=[Hint(56, 3, (1, 2, 3))])


@pytest.mark.parametrize("text", ["", "1,2", "1,2,red", "-1,2,#000000", "1,2,#00000", "1.5,2,#000000"])
def test_text_that_is_no_hint_is_refused(text: str) -> None:
    with pytest.raises(ImgcolorError, match="expected X,Y,#RRGGBB"):
        Hint.parse(text)


def test_a_hint_is_read_from_text() -> None:
    assert Hint.parse("120, 45,#c08040") == Hint(120, 45, (192, 128, 64))


def test_wrong_arguments_are_refused(colourizer: PhotoColourizer) -> None:
    with pytest.raises(ImgcolorError, match="expected the scale working"):
        colourizer.colourize(grey_image(8, 8), scale="native")
    with pytest.raises(ImgcolorError, match="saturation"):
        colourizer.colourize(grey_image(8, 8), saturation=-1)
    with pytest.raises(ImgcolorError, match="expected no hints, found 1; the model photos uses hints"):
        imgcolor.load("faces").colourize(grey_image(8, 8), hints=[Hint(0, 0, (1, 2, 3))])


def test_other_colourizers_take_a_saturation_too() -> None:
    faces, grey = imgcolor.load("faces"), grey_image(80, 80)
    assert torch.allclose(faces.colourize(grey, saturation=0), grey.expand(3, -1, -1), atol=1e-6)
    assert torch.allclose(faces.colourize(grey, saturation=1), faces.colourize(grey), atol=0.02)


def test_the_network_is_exported_as_onnx(colourizer: PhotoColourizer, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    write_onnx(ExportedNetwork(colourizer), tmp_path / "photo.onnx")  # compares the outputs for several sizes
    assert (tmp_path / "photo.onnx").stat().st_size > 1000


PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "sr" / "val"


@pytest.mark.real
@pytest.mark.skipif(not PHOTOS.is_dir(), reason="needs ../shared/data")
def test_ten_hints_gain_three_decibels(photos: PhotoColourizer) -> None:
    random = np.random.default_rng(0)
    errors: dict[str, list[float]] = {"without": [], "with": []}
    for path in sorted(PHOTOS.iterdir()):
        photo = Image.open(path).convert("RGB")
        true, grey = np.asarray(photo, float), photo.convert("L")
        hints = []
        for _ in range(10):
            x, y = (int(random.integers(3, side - 3)) for side in photo.size)
            red, green, blue = true[y - 3 : y + 4, x - 3 : x + 4].mean((0, 1)).round().astype(int).tolist()
            hints.append(Hint(x, y, (red, green, blue)))
        for name, given in (("without", []), ("with", hints)):
            result = np.asarray(photos.colourize(grey, hints=given), float)
            errors[name].append(float(np.square(result - true).mean()))
    gain = 10 * np.log10(np.mean(errors["without"]) / np.mean(errors["with"]))
    assert gain >= 3, gain

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgcolor.demo.actions import MAX_COLOURIZED_PIXELS, METRICS, run_model, suggest_model
from imgcolor.metrics import margin_accuracy
from imgcolor.pipelines import Colourizer, load
from imgcolor.pipelines.photo import Photo
from imgcolor.utils.errors import ImgcolorError


@pytest.fixture(scope="module")
def faces() -> Colourizer:
    pipeline = load("faces")
    assert isinstance(pipeline, Colourizer)
    return pipeline


def test_a_colour_photo_is_colourized_and_measured(face: Path, faces: Colourizer) -> None:
    result = run_model(face, faces)
    image = Image.open(face)
    np.testing.assert_array_equal(np.asarray(result.after), np.asarray(faces.colourize(image)))
    np.testing.assert_array_equal(np.asarray(result.before), np.asarray(image.convert("L")))
    assert result.original is not None
    np.testing.assert_array_equal(np.asarray(result.original), np.asarray(image))
    assert list(result.metrics) == ["faces", "table", "grey", "photo"]
    assert all(set(result.metrics[name]) == set(METRICS) for name in ("faces", "table", "grey"))
    original, after, before = (
        torch.from_numpy(np.array(shown.convert("RGB"))).permute(2, 0, 1)[None]
        for shown in (result.original, result.after, result.before)
    )
    assert result.metrics["faces"]["12-margin"] == pytest.approx(float(margin_accuracy(after, original)))
    assert result.metrics["grey"]["12-margin"] == pytest.approx(float(margin_accuracy(before, original)))
    colours = {name: metrics["colourfulness"] for name, metrics in result.metrics.items()}
    assert colours["grey"] == 0
    assert min(colours["faces"], colours["table"], colours["photo"]) > 3
    assert colours["faces"] != colours["table"]


def test_a_grey_photo_has_no_original_and_no_metrics(face: Path, faces: Colourizer) -> None:
    grey = face.with_name("grey.jpg")
    Image.open(face).convert("L").convert("RGB").save(grey)  # most programs write grey photos in this way
    result = run_model(grey, faces)
    assert result.original is None
    assert result.metrics == {}
    assert result.after.mode == "RGB"


def test_transparent_rotated_and_16_bit_photos(face: Path, faces: Colourizer) -> None:
    image = Image.open(face)
    transparent, opaque, turned, sixteen_bit = (
        face.with_name(name) for name in ("clear.png", "opaque.png", "turned.jpg", "deep.tif")
    )
    clear = image.copy()
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    clear.save(transparent)
    image.convert("RGBA").save(opaque)
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    image.save(turned, exif=exif)
    Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(sixteen_bit)
    result = run_model(transparent, faces)
    assert result.after.mode == "RGBA"
    assert result.original is not None
    assert result.metrics == {}  # invisible pixels would count
    assert run_model(opaque, faces).metrics == run_model(face, faces).metrics
    assert run_model(turned, faces).after.size == (48, 40)
    np.testing.assert_array_equal(
        np.asarray(run_model(sixteen_bit, faces).before), np.asarray(image.convert("L"))
    )


def test_an_upscaled_photo_is_compared_with_bicubic_interpolation(face: Path) -> None:
    result = run_model(face, load("horses_x4"))
    assert result.before.size == result.after.size == (160, 192)
    assert result.original is None
    difference = np.asarray(result.before).astype(int) - np.asarray(result.after)
    assert 0 < np.abs(difference).mean() < 10


@pytest.mark.parametrize("name", ["faces", "horses", "photos"])
@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_photos_stay_neutral(level: int, name: str, tmp_path: Path) -> None:
    Image.new("RGB", (50, 40), (level,) * 3).save(tmp_path / "plain.png")
    result = run_model(tmp_path / "plain.png", load(name))
    assert (np.asarray(result.after) == level).all()


def test_large_photos_are_made_smaller(tmp_path: Path, faces: Colourizer) -> None:
    Image.new("L", (3000, 1500), 100).save(tmp_path / "large.png")
    result = run_model(tmp_path / "large.png", faces)
    width, height = result.after.size
    assert 0.99 * MAX_COLOURIZED_PIXELS < width * height <= MAX_COLOURIZED_PIXELS
    assert width / height == pytest.approx(2, abs=0.01)
    assert result.original_size == (3000, 1500)


@pytest.mark.parametrize("size", [(101, 1), (2, 500)])
def test_extreme_aspect_ratios_are_refused(size: tuple[int, int], tmp_path: Path, faces: Colourizer) -> None:
    Image.new("L", size, 100).save(tmp_path / "line.png")
    with pytest.raises(ImgcolorError, match=r"^line\.png: expected a photo that is at most 100 times"):
        run_model(tmp_path / "line.png", faces)


@pytest.mark.parametrize("size", [(300, 3), (3, 300), (30, 20), (5, 5)])
def test_shrink_to_keeps_the_limit_and_the_orientation(size: tuple[int, int]) -> None:
    photo = Photo(torch.rand(3, *size)).shrink_to(25)
    height, width = photo.pixels.shape[-2:]
    assert 15 <= height * width <= 25
    assert (height > width) == (size[0] > size[1])


def test_large_photos_are_made_smaller_before_upscaling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgcolor.demo.actions.MAX_UPSCALED_PIXELS", 200)  # 33,000 take seconds
    Image.new("L", (400, 200), 100).save(tmp_path / "large.png")
    result = run_model(tmp_path / "large.png", load("horses_x4"))
    assert result.after.size == (80, 40)
    assert result.original_size == (400, 200)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"no image", "not an image"),
        # would start Ghostscript
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not an image"),
        (None, "truncated"),
    ],
)
def test_files_that_are_not_photos_are_refused(
    content: bytes | None, message: str, face: Path, faces: Colourizer
) -> None:
    bad = face.with_name("bad.png")
    bad.write_bytes(face.read_bytes()[:1000] if content is None else content)
    with pytest.raises(ImgcolorError, match=rf"^bad\.png .*{message}"):
        run_model(bad, faces)


def test_files_with_too_many_pixels_are_refused(tmp_path: Path, faces: Colourizer) -> None:
    Image.new("1", (8000, 8000)).save(tmp_path / "bomb.png")
    with pytest.raises(ImgcolorError, match=r"bomb\.png is too large .*at most 33,554,432 pixels"):
        run_model(tmp_path / "bomb.png", faces)


def test_the_model_fits_what_was_dropped(face: Path, tmp_path: Path) -> None:
    colour = Image.open(face)
    grey, large, text = (tmp_path / name for name in ("grey.png", "large.png", "text.txt"))
    colour.convert("L").save(grey)
    colour.resize((800, 960)).save(large)
    text.write_text("no photo")
    assert suggest_model(face) == "photo_x4"
    assert [suggest_model(path) for path in (grey, large, text)] == ["photos"] * 3

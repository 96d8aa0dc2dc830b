from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgcolor.demo.actions import COLOURIZED_PIXELS, METRICS, try_out
from imgcolor.metrics import margin_accuracy
from imgcolor.pipelines import Model, load
from imgcolor.pipelines.photo import Photo
from imgcolor.utils.errors import ImgcolorError


@pytest.fixture(scope="module")
def faces() -> Model:
    return load("faces")


def test_a_coloured_photo_is_coloured_anew_and_measured(face: Path, faces: Model) -> None:
    trial = try_out(face, faces)
    image = Image.open(face)
    np.testing.assert_array_equal(np.asarray(trial.after), np.asarray(faces.colourize(image)))
    np.testing.assert_array_equal(np.asarray(trial.before), np.asarray(image.convert("L")))
    assert trial.truth is not None
    np.testing.assert_array_equal(np.asarray(trial.truth), np.asarray(image))
    assert list(trial.metrics) == ["faces", "table", "grey", "photo"]
    assert all(set(trial.metrics[name]) == set(METRICS) for name in ("faces", "table", "grey"))
    truth, after, before = (
        torch.from_numpy(np.array(shown.convert("RGB"))).permute(2, 0, 1)[None]
        for shown in (trial.truth, trial.after, trial.before)
    )
    assert trial.metrics["faces"]["12-margin"] == pytest.approx(float(margin_accuracy(after, truth)))
    assert trial.metrics["grey"]["12-margin"] == pytest.approx(float(margin_accuracy(before, truth)))
    colours = {name: metrics["colourfulness"] for name, metrics in trial.metrics.items()}
    assert colours["grey"] == 0
    assert min(colours["faces"], colours["table"], colours["photo"]) > 3
    assert colours["faces"] != colours["table"]


def test_a_grey_photo_has_no_truth(face: Path, faces: Model) -> None:
    grey = face.with_name("grey.jpg")
    Image.open(face).convert("L").convert("RGB").save(grey)  # as most programs write one
    trial = try_out(grey, faces)
    assert trial.truth is None
    assert trial.metrics == {}
    assert trial.after.mode == "RGB"


def test_transparent_turned_and_deep_photos(face: Path, faces: Model) -> None:
    image = Image.open(face)
    transparent, opaque, turned, deep = (
        face.with_name(name) for name in ("clear.png", "opaque.png", "turned.jpg", "deep.tif")
    )
    clear = image.copy()
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    clear.save(transparent)
    image.convert("RGBA").save(opaque)
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    image.save(turned, exif=exif)
    Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(deep)
    trial = try_out(transparent, faces)
    assert trial.after.mode == "RGBA"
    assert trial.truth is not None
    assert trial.metrics == {}  # pixels that none sees would count
    assert try_out(opaque, faces).metrics == try_out(face, faces).metrics
    assert try_out(turned, faces).after.size == (48, 40)
    np.testing.assert_array_equal(np.asarray(try_out(deep, faces).before), np.asarray(image.convert("L")))


def test_what_is_enlarged_stands_beside_bicubic_interpolation(face: Path) -> None:
    trial = try_out(face, load("superres"))
    assert trial.before.size == trial.after.size == (160, 192)
    assert trial.truth is None
    difference = np.asarray(trial.before).astype(int) - np.asarray(trial.after)
    assert 0 < np.abs(difference).mean() < 10


def test_large_photos_are_made_smaller(tmp_path: Path, faces: Model) -> None:
    Image.new("L", (3000, 1500), 100).save(tmp_path / "large.png")
    trial = try_out(tmp_path / "large.png", faces)
    width, height = trial.after.size
    assert 0.99 * COLOURIZED_PIXELS < width * height <= COLOURIZED_PIXELS
    assert width / height == pytest.approx(2, abs=0.01)
    assert trial.original_size == (3000, 1500)


@pytest.mark.parametrize("size", [(101, 1), (2, 500)])
def test_lines_are_no_photos(size: tuple[int, int], tmp_path: Path, faces: Model) -> None:
    Image.new("L", size, 100).save(tmp_path / "line.png")
    with pytest.raises(ImgcolorError, match=r"^line\.png: expected a photo that is at most 100 times"):
        try_out(tmp_path / "line.png", faces)


@pytest.mark.parametrize("size", [(300, 3), (3, 300), (30, 20), (5, 5)])
def test_photos_made_smaller_keep_within(size: tuple[int, int]) -> None:
    photo = Photo(torch.rand(3, *size)).within(25)
    height, width = photo.pixels.shape[-2:]
    assert 15 <= height * width <= 25
    assert (height > width) == (size[0] > size[1])


def test_what_is_enlarged_is_small_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgcolor.demo.actions.ENLARGED_PIXELS", 200)  # 33,000 take seconds
    Image.new("L", (400, 200), 100).save(tmp_path / "large.png")
    trial = try_out(tmp_path / "large.png", load("superres"))
    assert trial.after.size == (80, 40)
    assert trial.original_size == (400, 200)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"no image", "no image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "no image"),  # would start gs
        (None, "truncated"),
    ],
)
def test_what_is_no_photo(content: bytes | None, message: str, face: Path, faces: Model) -> None:
    bad = face.with_name("bad.png")
    bad.write_bytes(face.read_bytes()[:1000] if content is None else content)
    with pytest.raises(ImgcolorError, match=rf"^bad\.png .*{message}"):
        try_out(bad, faces)


def test_more_pixels_than_are_read(tmp_path: Path, faces: Model) -> None:
    Image.new("1", (8000, 8000)).save(tmp_path / "bomb.png")
    with pytest.raises(ImgcolorError, match=r"bomb\.png is too large .*at most 33,554,432 pixels"):
        try_out(tmp_path / "bomb.png", faces)

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from image_helpers import RED, error_line, noise, save
from imgcolor.data.sources import LFWSource

LFW_LISTS = {"Train": "3\nAda_L\t2\nBob\t1\nCy_de_V\t1\n", "Test": "1\nDee\t2\n"}
LFW_NAMES = {
    "Train": ["Ada_L/Ada_L_0001.jpg", "Ada_L/Ada_L_0002.jpg", "Bob/Bob_0001.jpg", "Cy_de_V/Cy_de_V_0001.jpg"],
    "Test": ["Dee/Dee_0001.jpg", "Dee/Dee_0002.jpg"],
}


def lfw_face(seed: int) -> np.ndarray:
    """A 250x250 image whose middle 150x150 pixels have a colour of their own, in a red frame."""
    image = np.full((250, 250, 3), RED, np.uint8)
    image[50:200, 50:200] = (0, 20 * seed, 200)
    return image


@pytest.fixture
def lfw(tmp_path: Path) -> Path:
    """What is unpacked and placed by hand: no archive, and one person more than the lists name."""
    base = tmp_path / "lfw-py"
    for index, name in enumerate([*LFW_NAMES["Train"], *LFW_NAMES["Test"], "Eve/Eve_0001.jpg"]):
        save(base / "lfw_funneled" / name, lfw_face(index), quality=100, subsampling=0)
    for part, text in LFW_LISTS.items():
        (base / f"peopleDev{part}.txt").write_text(text)
    return tmp_path


def test_lfw_follows_the_lists_and_crops_to_the_middle(lfw: Path) -> None:
    source = LFWSource(lfw, 20)
    train, val, test = source.load("train"), source.load("val"), source.load("test")
    assert list(train.names) == LFW_NAMES["Train"]
    assert list(val.names) == list(test.names) == LFW_NAMES["Test"]
    assert train.pixels.shape == (4, 3, 20, 20)
    assert torch.equal(val.pixels, test.pixels)
    for index, image in enumerate([*train.pixels, *val.pixels]):
        expected = torch.tensor([0, 20 * index, 200]).view(3, 1, 1)
        assert (image.int() - expected).abs().max() <= 6  # JPEG; nothing of the frame


def test_lfw_crops_to_150_of_250_pixels(lfw: Path) -> None:
    path = lfw / "lfw-py" / "lfw_funneled" / LFW_NAMES["Test"][0]
    save(path, noise(250, 250), quality=100, subsampling=0)
    with Image.open(path) as image:
        middle = np.asarray(image.convert("RGB"))[50:200, 50:200]
    exact = LFWSource(lfw, 150).load("val").pixels[0]
    assert np.array_equal(exact.permute(1, 2, 0).numpy(), middle)
    small = Image.fromarray(middle).resize((80, 80), Image.Resampling.LANCZOS)
    assert np.array_equal(
        LFWSource(lfw, 80).load("val").pixels[0].permute(1, 2, 0).numpy(), np.asarray(small)
    )
    assert LFWSource(lfw, 250).load("val").pixels.shape == (2, 3, 250, 250)  # cut, then enlarged
    assert (LFWSource(lfw, 250).load("train").pixels[:, 0] < 60).all()


@pytest.mark.parametrize(
    ("image_set", "folder"),
    [("original", "lfw"), ("funneled", "lfw_funneled"), ("deepfunneled", "lfw-deepfunneled")],
)
def test_each_lfw_image_set_has_a_folder(lfw: Path, image_set: str, folder: str) -> None:
    (lfw / "lfw-py" / "lfw_funneled").rename(lfw / "lfw-py" / folder)
    assert len(LFWSource(str(lfw), 8, image_set).load("train")) == 4  # type: ignore[arg-type]


def test_lfw_lists_can_have_windows_line_ends(lfw: Path) -> None:
    (lfw / "lfw-py" / "peopleDevTest.txt").write_bytes(b"1\r\nDee\t2\r\n\r\n")
    assert list(LFWSource(lfw, 8).load("val").names) == LFW_NAMES["Test"]


def test_the_error_for_missing_lfw_says_how_to_install_it(tmp_path: Path) -> None:
    error_line(
        lambda: LFWSource(tmp_path, 8).load("train"),
        f"no folder {tmp_path}/lfw-py",
        "peopleDevTrain.txt and peopleDevTest.txt",
        f"{tmp_path}/lfw-py/lfw_funneled/NAME/NAME_0001.jpg",
        "no longer be downloaded automatically",
        "lfw-funneled.tgz",
        "--data.source folder",
        "--data.source synthetic",
    )


def test_the_error_names_a_missing_lfw_image(lfw: Path) -> None:
    base = lfw / "lfw-py"
    (base / "lfw_funneled" / "Bob" / "Bob_0001.jpg").unlink()
    error_line(
        lambda: LFWSource(lfw, 8).load("train"), f"no {base}/lfw_funneled/Bob/Bob_0001.jpg, 1 of 4 images"
    )
    error_line(lambda: LFWSource(lfw, 8, "original").load("val"), f"no {base}/lfw/Dee/Dee_0001.jpg, 2 of 2")
    (base / "peopleDevTest.txt").unlink()
    error_line(lambda: LFWSource(lfw, 8).load("val"), f"no file {base}/peopleDevTest.txt")


@pytest.mark.parametrize(
    "text",
    ["", "0\n", "2\nDee\t2\n", "1\nDee\ttwo\n", "1\nDee\n", "name,images\nDee,2\n", "1\nDee\t2\nEve\n"],
)
def test_lfw_damaged_list_is_named(lfw: Path, text: str) -> None:
    people = lfw / "lfw-py" / "peopleDevTest.txt"
    people.write_text(text)
    error_line(lambda: LFWSource(lfw, 8).load("test"), f"{people} damaged")


def test_lfw_damaged_image_is_named(lfw: Path) -> None:
    path = lfw / "lfw-py" / "lfw_funneled" / "Dee" / "Dee_0002.jpg"
    path.write_bytes(b"")
    error_line(lambda: LFWSource(lfw, 8).load("val"), f"{path} is empty")


def test_lfw_refuses_a_wrong_size_or_image_set() -> None:
    error_line(lambda: LFWSource("anywhere", 0), "image size", "0")
    error_line(
        lambda: LFWSource("anywhere", 8, "aligned"),  # type: ignore[arg-type]
        "original, funneled, deepfunneled",
        "'aligned'",
    )

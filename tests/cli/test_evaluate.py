from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from imgcolor.cli.main import main
from imgcolor.utils.files import read_rows


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three originals in `photos`; in `coloured` one equal, one grey and one noisy copy."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for name, size in (("a", (24, 32)), ("b", (20, 20)), ("in/c", (16, 40))):
        pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
        noisy = np.clip(pixels.astype(int) + generator.integers(-9, 10, pixels.shape), 0, 255).astype(
            np.uint8
        )
        image = Image.fromarray(pixels)
        result = {"a": image, "b": image.convert("L").convert("RGB"), "in/c": Image.fromarray(noisy)}[name]
        for folder, content, extension in (("photos", image, "png"), ("coloured", result, "tif")):
            path = Path(folder, f"{name}.{extension}")
            path.parent.mkdir(parents=True, exist_ok=True)
            content.save(path)
    return tmp_path


def test_two_folders_are_compared_image_by_image(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "photos", "coloured", "--output", "scores.csv"]) == 0
    rows = {row["image"]: row for row in read_rows(Path("scores.csv"))}
    assert list(rows) == ["a", "b", "in/c"]
    equal, grey, noisy = rows["a"], rows["b"], rows["in/c"]
    assert (float(equal["mse"]), float(equal["ssim"]), float(equal["delta_e"])) == (0, pytest.approx(1), 0)
    assert (float(equal["margin12"]), float(equal["closer_than_grey"])) == (1, 1)
    assert float(grey["delta_e"]) == pytest.approx(float(grey["delta_e_grey"]), abs=0.02)
    assert float(grey["colourfulness"]) == 0
    first, second = (np.asarray(Image.open(p)) / 255 for p in ("photos/in/c.png", "coloured/in/c.tif"))
    assert float(noisy["psnr"]) == pytest.approx(-10 * np.log10(((first - second) ** 2).mean()), abs=1e-3)
    expected = deltaE_ciede2000(rgb2lab(first), rgb2lab(second)).mean()
    assert float(noisy["delta_e"]) == pytest.approx(expected, abs=0.01)
    printed = capsys.readouterr().out
    assert "3 images of coloured against photos" in printed
    assert "66.7%" in printed  # the equal and the noisy one are closer than grey


def test_images_without_a_counterpart_are_named(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("coloured/b.tif").unlink()
    assert main(["evaluate", "photos", "coloured"]) == 0
    assert "left out: 1 image of photos without a counterpart in coloured: b" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["photos", "nothing"], "nothing: expected a folder"),
        (["photos", "photos/in"], "found none in common"),
        (["photos"], "expected ORIGINALS RESULTS"),
        (["photos", "coloured", "--margin", "3"], "--margin: expected three paths"),
        (["a.npy", "names.txt", "photos", "--output", "x.csv"], "--output: expected two folders"),
    ],
)
def test_folders_that_do_not_fit_are_refused(
    folders: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    assert main(["evaluate", *arguments]) != 0
    assert expected in capsys.readouterr().err


def test_images_of_different_sizes_are_refused(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (5, 5)).save("coloured/a.tif")
    assert main(["evaluate", "photos", "coloured"]) == 1
    assert "expected the size of its original, 32×24, found 5×5" in capsys.readouterr().err


def test_two_images_of_one_name_are_refused(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (5, 5)).save("coloured/a.png")
    assert main(["evaluate", "photos", "coloured"]) == 1
    assert "expected one image of this name" in capsys.readouterr().err


def test_images_of_16_bits_are_scaled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ramp = np.linspace(0, 255, 16 * 16).round().astype(np.uint16).reshape(16, 16)
    for folder, image in (
        ("sixteen_bit", Image.fromarray(ramp * 257)),
        ("flat", Image.fromarray(ramp.astype(np.uint8))),
    ):
        Path(folder).mkdir()
        image.save(Path(folder, "ramp.png"))
    assert main(["evaluate", "flat", "sixteen_bit", "--output", "scores.csv"]) == 0
    assert float(read_rows(Path("scores.csv"))[0]["mse"]) == pytest.approx(0, abs=1e-5)

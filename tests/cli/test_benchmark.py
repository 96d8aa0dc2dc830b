from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from image_helpers import save
from imgcolor.checkpoints import KEY, checkpoint_entry, get_config
from imgcolor.cli.main import main
from imgcolor.cli.published import published_images, published_values
from imgcolor.colour import RGBCoding
from imgcolor.data import BicubicDownsample
from imgcolor.metrics.luma_quality import luma_psnr, luma_ssim
from imgcolor.networks import EDSR
from imgcolor.pipelines import load
from imgcolor.utils.files import read_rows

BENCHMARK = Path(__file__).parents[3] / "shared" / "data" / "sr" / "benchmark"


def smooth(height: int, width: int, seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def make_set(folder: str, count: int = 2, scale_factor: int = 4, size: tuple[int, int] = (48, 64)) -> Path:
    """Write HR/ and LR/ with images of two sizes; the second one is grey."""
    for number in range(count):
        height, width = size if number % 2 == 0 else size[::-1]
        large = smooth(height, width, number)
        large = large.convert("L") if number == 1 else large
        small = large.resize((width // scale_factor, height // scale_factor), Image.Resampling.BICUBIC)
        save(Path(folder, "HR", f"{number}.png"), large)
        save(Path(folder, "LR", f"{number}.png"), small)
    return Path(folder)


def luma(path: Path, border: int) -> np.ndarray:
    rgb = np.asarray(Image.open(path).convert("RGB")) / 255
    y = 16 + rgb @ np.array([65.481, 128.553, 24.966])
    return y[border:-border, border:-border]


@pytest.fixture
def three_times(workplace: Path) -> Path:
    """Write a checkpoint of a network with the scale factor 3."""
    network = EDSR(3, 8, 1)
    entry = checkpoint_entry(
        task=None,
        network=get_config(network),
        coding=get_config(RGBCoding()),
        degradation=get_config(BicubicDownsample(3)),
        image_size=24,
        flip_tta=False,
    )
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({KEY: entry, "state_dict": weights}, "x3.ckpt")
    return Path("x3.ckpt")


def test_values_are_those_of_scikit_image(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_set("mine/x4")
    assert main(["benchmark", "bicubic_x4", "mine/x4", "--output", "out"]) == 0
    rows = read_rows(Path("out/scores.csv"))
    assert [(row["set"], row["image"], row["pixels"]) for row in rows] == [
        ("mine", "0", "192"),
        ("mine", "1", "192"),
    ]
    assert sorted(path.name for path in Path("out/mine").iterdir()) == ["0.png", "1.png"]
    assert Image.open("out/mine/1.png").mode == "L"  # as `imgcolor upscale` writes it
    for row in rows:
        name = f"{row['image']}.png"
        small = Image.open(folder / "LR" / name)
        large = small.resize((small.width * 4, small.height * 4), Image.Resampling.BICUBIC)
        bicubic = save(Path("bicubic", name), large)
        truth = luma(folder / "HR" / name, 4)
        for prefix, result in (("", Path("out/mine", name)), ("bicubic_", bicubic)):
            y = luma(result, 4)
            psnr = peak_signal_noise_ratio(truth, y, data_range=255)
            assert float(row[f"{prefix}psnr_y"]) == pytest.approx(psnr, abs=1e-3)
            ssim = structural_similarity(
                truth, y, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
            )
            assert float(row[f"{prefix}ssim_y"]) == pytest.approx(ssim, abs=1e-4)
        assert float(row["seconds"]) > 0
        assert float(row["processor_seconds"]) > 0
    printed = capsys.readouterr().out
    assert "mine ×4: 2 images; low-resolution images: the set's own LR/ files" in printed
    assert f"{np.mean([float(row['psnr_y']) for row in rows]):.2f}" in printed
    assert "bicubic (Pillow)" in printed
    assert "Time per pixel of the low-resolution image: processor time" in printed
    assert " threads" in printed
    assert "SRCNN" not in printed


def test_results_are_those_of_the_upscale_command(workplace: Path) -> None:
    make_set("mine")
    assert main(["benchmark", "bicubic_x2", "mine", "--output", "out"]) == 1  # a set for the scale factor 4
    assert not Path("out").exists()
    assert main(["benchmark", "photo_x4", "mine", "--output", "out"]) == 0
    assert main(["upscale", "mine/LR", "--output", "large"]) == 0
    for path in Path("large").iterdir():
        difference = np.asarray(Image.open(path), int) - np.asarray(
            Image.open(Path("out/mine", path.name)), int
        )
        assert np.abs(difference).max() <= 1


def test_self_ensemble_gives_the_results_of_the_upscale_command(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set("mine")
    assert main(["benchmark", "bicubic_x4", "mine", "--self-ensemble", "--output", "out"]) == 0
    assert "bicubic_x4, self-ensemble" in capsys.readouterr().out
    assert (
        main(["upscale", "mine/LR", "--model", "bicubic_x4", "--self-ensemble", "--output", "ensemble"]) == 0
    )
    assert main(["upscale", "mine/LR", "--model", "bicubic_x4", "--output", "single"]) == 0
    for name in ("0.png", "1.png"):
        result = np.asarray(Image.open(Path("out/mine", name)))
        assert np.array_equal(result, np.asarray(Image.open(Path("ensemble", name))))
        assert not np.array_equal(result, np.asarray(Image.open(Path("single", name))))


def test_low_resolution_images_are_made_by_the_models_degradation(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(Path("own/HR/a.png"), smooth(50, 67, 0))
    for model, degradation in (("bicubic_x4", "BicubicDownsample"), ("horses_x4", "BoxDownsample")):
        assert main(["benchmark", model, "own", "--output", model]) == 0
        printed = capsys.readouterr().out
        assert f"low-resolution images: made from HR/ by {degradation}" in printed
        assert "originals cut to a multiple of 4 pixels: 1" in printed
        assert Image.open(f"{model}/own/a.png").size == (64, 48)
    pixels = torch.from_numpy(np.array(Image.open("own/HR/a.png"))).permute(2, 0, 1)[None] / 255
    upscaler = load("bicubic_x4")
    large = upscaler.upscale_batch(BicubicDownsample(4)(pixels))  # type: ignore[union-attr]
    expected = luma_psnr((large * 255).round() / 255, pixels[..., :48, :64], 4).item()
    (row,) = read_rows(Path("bicubic_x4/scores.csv"))
    assert float(row["psnr_y"]) == pytest.approx(expected, abs=1e-3)


def test_jpeg(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_set("mine")
    assert main(["benchmark", "photo_x4", "mine", "--jpeg", "40", "--output", "out"]) == 0
    assert "files, saved as JPEG of quality 40" in capsys.readouterr().out
    for path in sorted(Path("mine/LR").iterdir()):
        Image.open(path).save(path.with_suffix(".jpg"), quality=40)
        path.unlink()
    assert main(["benchmark", "photo_x4", "mine", "--output", "same"]) == 0
    rows, same = (read_rows(Path(folder, "scores.csv")) for folder in ("out", "same"))
    for row, other in zip(rows, same, strict=True):
        for name in ("psnr_y", "ssim_y", "bicubic_psnr_y"):
            assert float(row[name]) == pytest.approx(float(other[name]), abs=1e-4)


def test_published_values_are_shown_for_the_whole_named_set_only(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set("set5/X4", count=5)
    assert main(["benchmark", "bicubic_x4", "set5/X4"]) == 0
    printed = capsys.readouterr().out
    assert "SRCNN" in printed
    assert "30.48" in printed
    assert "27.49" not in printed
    assert main(["benchmark", "bicubic_x4", "set5/X4", "--jpeg", "90"]) == 0
    printed = capsys.readouterr().out
    assert "SRCNN" not in printed
    assert "published values left out: they hold for low-resolution images without JPEG" in printed
    Path("set5/X4/LR/0.png").unlink()
    assert main(["benchmark", "bicubic_x4", "set5/X4"]) == 0
    assert "they hold for the 5 images of the whole set" in capsys.readouterr().out
    for path in Path("set5/X4/LR").iterdir():
        path.unlink()
    Path("set5/X4/LR").rmdir()
    assert main(["benchmark", "bicubic_x4", "set5/X4"]) == 0
    assert "they hold for the set's own LR/ files" in capsys.readouterr().out


def test_list_of_published_values() -> None:
    assert {value.method: value.psnr for value in published_values("B100", 2)} == {"VDSR": 31.90}
    assert published_values("Set5", 3) == []
    assert published_values("mine", 4) == []
    assert (published_images("b100"), published_images("mine")) == (100, None)
    assert all(value.training and value.source for value in published_values("Set14", 4))


def test_a_file_without_a_partner_is_named(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_set("mine")
    Path("mine/LR/0.png").rename("mine/LR/zero.png")
    assert main(["benchmark", "bicubic_x4", "mine"]) == 0
    printed = capsys.readouterr().out
    assert "left out: 1 image of mine/HR without a counterpart in mine/LR: 0\n" in printed
    assert "left out: 1 image of mine/LR without a counterpart in mine/HR: zero\n" in printed
    assert "mine ×4: 1 image;" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["bicubic_x2", "mine"],
            "LR/0.png: expected 32×24 pixels for bicubic_x2, which has the scale factor 2",
        ),
        (["bicubic_x4", "mine", "other/mine"], "expected sets of different names, found mine for mine too"),
        (
            ["bicubic_x4", "other"],
            "expected HR/ in the folder itself, found it in other/mine; pass one of them",
        ),
        (["bicubic_x4", "small"], "small/HR/a.png: expected at least 19×19 pixels"),
        (
            ["bicubic_x4", "mine/HR"],
            "mine/HR: expected a folder HR/, because bicubic_x4 enlarges, found none",
        ),
        (
            ["faces", "mine"],
            "expected grey/ and truth/, or colour photos, because faces colourizes, found HR/",
        ),
        (["faces", "photos", "--jpeg", "9"], "--jpeg: expected a model that enlarges, found faces"),
        (
            ["faces", "photos", "--self-ensemble"],
            "--self-ensemble: expected a model that enlarges, found faces",
        ),
        (["faces", "half"], "half: expected truth/ next to grey/, found none"),
        (["faces", "unequal"], "unequal/grey/a.png: expected the size of its original, 20×20, found 10×20"),
        (["faces", "photos", "--output", "photos/out"], "expected a folder outside the set photos"),
        (["faces", "photos", "--output", ".", "--overwrite"], "expected a folder outside the set photos"),
        (["faces", "photos", "--output", "a.csv"], "expected a folder, found the name of a file"),
        (["faces", "photos", "--output", "mine"], "expected a new or an empty folder, found files"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    workplace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    make_set("mine")
    make_set("other/mine")
    save(Path("small/HR/a.png"), smooth(16, 30, 0))
    save(Path("photos/a.png"), smooth(20, 20, 0))
    save(Path("half/grey/a.png"), smooth(20, 20, 0))
    save(Path("unequal/truth/a.png"), smooth(20, 20, 0))
    save(Path("unequal/grey/a.png"), smooth(20, 10, 0))
    before = sorted(workplace.rglob("*"))
    assert main(["benchmark", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert sorted(workplace.rglob("*")) == before


def test_colour_models_are_measured_as_by_evaluate(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(2):
        photo = smooth(40, 30, number)
        save(Path(f"photos/in/{number}.png"), photo)
        save(Path(f"pair/truth/{number}.png"), photo)
        save(Path(f"pair/grey/{number}.png"), photo.convert("L"))
    assert main(["benchmark", "faces", "photos", "pair", "--output", "out"]) == 0
    printed = capsys.readouterr().out
    assert "photos: 2 images; grey images: made from the photos by LumaGrey" in printed
    assert "pair: 2 images; grey images: the set's own grey/ files" in printed
    assert "left grey" in printed
    assert "µs per pixel" in printed
    rows = read_rows(Path("out/scores.csv"))
    assert [(row["set"], row["image"]) for row in rows] == [
        ("photos", "in/0"),
        ("photos", "in/1"),
        ("pair", "0"),
        ("pair", "1"),
    ]
    assert {row["psnr"] for row in rows[:2]} == {row["psnr"] for row in rows[2:]}
    assert main(["evaluate", "pair/truth", "out/pair", "--output", "model.csv"]) == 0
    assert main(["evaluate", "pair/truth", "pair/grey", "--output", "grey.csv"]) == 0
    for prefix, file in (("", "model.csv"), ("grey_", "grey.csv")):
        for row, other in zip(rows[2:], read_rows(Path(file)), strict=True):
            for name in ("psnr", "ssim", "delta_e", "margin12", "colourfulness"):
                assert float(row[prefix + name]) == pytest.approx(float(other[name]), abs=1e-4)


def test_existing_results_are_replaced_with_overwrite(workplace: Path) -> None:
    save(Path("photos/a.png"), smooth(20, 20, 0))
    arguments = ["benchmark", "horses", "photos", "--output", "out"]
    assert main(arguments) == 0
    assert main(arguments) == 1
    assert main([*arguments, "--overwrite"]) == 0


def test_scale_factor_3(three_times: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_set("mine/x3", scale_factor=3, size=(49, 64))
    assert main(["benchmark", str(three_times), "mine/x3", "--output", "out"]) == 0
    assert "mine ×3: 2 images" in capsys.readouterr().out
    assert Image.open("out/mine/0.png").size == (63, 48)
    assert main(["upscale", "mine/x3/LR", "--model", str(three_times), "--output", "large"]) == 0
    assert Image.open("large/0.png").size == (63, 48)


@pytest.mark.real
@pytest.mark.skipif(not BENCHMARK.is_dir(), reason="needs ../shared/data")
def test_set5_is_measured_as_the_files_of_upscale(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = BENCHMARK / "Set5" / "x4"
    assert main(["benchmark", "bicubic_x4", str(folder), "--output", "out"]) == 0
    assert main(["upscale", str(folder / "LR"), "--model", "bicubic_x4", "--output", "large"]) == 0

    def read(path: Path) -> torch.Tensor:
        return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None] / 255

    rows = read_rows(Path("out/scores.csv"))
    assert len(rows) == 5
    for row in rows:
        name = f"{row['image']}.png"
        large, truth = read(Path("large", name)), read(folder / "HR" / name)
        assert float(row["psnr_y"]) == pytest.approx(luma_psnr(large, truth, 4).item(), abs=1e-3)
        assert float(row["ssim_y"]) == pytest.approx(luma_ssim(large, truth, 4).item(), abs=1e-4)
    mean = np.mean([float(row["bicubic_psnr_y"]) for row in rows])
    assert mean == pytest.approx(28.43, abs=0.01)
    assert "EDSR-baseline" in capsys.readouterr().out

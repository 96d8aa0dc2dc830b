import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgcolor.cli.main import main


def photo(path: Path, size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(path.name)).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)  # type: ignore[arg-type]
    return path


def test_files_folders_and_patterns_are_colourized(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(workplace / "a.jpg")
    photo(workplace / "album" / "deep" / "b.png", mode="L")
    photo(workplace / "album" / "c.webp", size=(7, 50))
    photo(workplace / "d1.tiff", mode="RGBA")
    assert main(["colourize", "a.jpg", "album", "d*.tiff", "--compare"]) == 0
    found = {
        path.relative_to("coloured").as_posix(): Image.open(path) for path in Path("coloured").rglob("*.png")
    }
    sizes = {name: image.size for name, image in found.items() if name != "comparison.png"}
    assert sizes == {"a.png": (40, 30), "deep/b.png": (40, 30), "c.png": (7, 50), "d1.png": (40, 30)}
    assert {image.mode for name, image in found.items() if name != "d1.png"} == {"RGB"}
    assert found["d1.png"].mode == "RGBA"
    assert found["comparison.png"].width > 2 * 40
    assert "4 of 4 photos" in capsys.readouterr().out


def test_earlier_results_are_skipped(workplace: Path) -> None:
    photo(workplace / "a.jpg")
    photo(workplace / "album" / "b.jpg")
    assert main(["colourize", "."]) == 0
    assert main(["colourize", ".", "--overwrite"]) == 0
    assert (
        main(["colourize", "**", "--output", "flat"]) == 1
    )  # a.jpg, b.jpg, and their results of the same names
    assert main(["colourize", "**/*.jpg", "--output", "flat"]) == 0
    assert sorted(path.name for path in Path("flat").iterdir()) == ["a.png", "b.png"]


def test_exif_rotation_and_formats(workplace: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    photo(workplace / "turned.jpg", exif=exif)
    for kind in ("jpg", "webp", "tif", "same"):
        assert main(["colorize", "turned.jpg", "--output", kind, "--format", kind]) == 0
        (path,) = Path(kind).iterdir()
        assert path.suffix == (".jpg" if kind == "same" else f".{kind}")
        with Image.open(path) as image:
            assert image.size == (30, 40)


def test_a_format_that_cannot_be_written_becomes_png(workplace: Path) -> None:
    photo(workplace / "album" / "a.jpg")
    photo(workplace / "album" / "b.gif")
    assert main(["colourize", "album", "--format", "same"]) == 0
    assert sorted(path.name for path in Path("coloured").iterdir()) == ["a.jpg", "b.png"]


def test_comparison_shows_names_and_puts_transparent_photos_on_white(workplace: Path) -> None:
    for name, alpha in (("short.png", 255), ("clear.png", 0)):
        Image.new("RGBA", (160, 120), (90, 90, 90, alpha)).save(workplace / name)
    assert main(["colourize", "short.png", "clear.png", "--compare"]) == 0
    with Image.open("coloured/comparison.png") as sheet:
        pixels = np.asarray(sheet.convert("L"))
    assert pixels.shape == (8 + 22 + 120 + 22 + 8, 8 + 2 * (160 + 4 + 160) + 24 + 8)
    images, left = slice(30, 150), 8 + 160 + 4 + 160 + 24
    assert pixels[images, 8:168].max() < 100  # in grey
    assert pixels[images, left:].min() == 255
    for start in (8, left):
        assert pixels[:30, start : start + 160].min() < 128  # its caption
        assert pixels[150:, start : start + 160].min() < 100  # its name


def columns(path: Path, top: int, height: int, width: int, count: int) -> list[np.ndarray]:
    """Return the images of the only group of a comparison sheet."""
    with Image.open(path) as sheet:
        assert sheet.size == (16 + count * width + (count - 1) * 4, 16 + 22 + height + 22)
        pixels = np.asarray(sheet.convert("RGB"))
    return [
        pixels[top : top + height, start : start + width]
        for start in (8 + number * (width + 4) for number in range(count))
    ]


def test_comparison_of_a_colour_photo_has_the_original(workplace: Path) -> None:
    image = Image.open(photo(workplace / "a.png", size=(200, 100)))
    assert main(["colourize", "a.png", "--compare"]) == 0
    grey, result, original = columns(Path("coloured/comparison.png"), 30, 100, 200, 3)
    np.testing.assert_array_equal(grey, np.asarray(image.convert("L").convert("RGB")))
    np.testing.assert_array_equal(result, np.asarray(Image.open("coloured/a.png")))
    np.testing.assert_array_equal(original, np.asarray(image))
    image.convert("L").convert("RGB").save("grey.jpg")
    assert main(["colourize", "grey.jpg", "--compare", "--output", "two"]) == 0
    columns(Path("two/comparison.png"), 30, 100, 200, 2)


def test_comparison_of_an_enlarged_photo_has_interpolations_of_the_same_size(workplace: Path) -> None:
    image = Image.open(photo(workplace / "a.png", size=(150, 200)))
    assert main(["upscale", "a.png", "--compare", "--model", "bicubic_x2"]) == 0
    nearest, bicubic, result = columns(Path("enlarged/comparison.png"), 30, 320, 300, 3)
    np.testing.assert_array_equal(nearest, np.asarray(image)[20:180].repeat(2, 0).repeat(2, 1))  # the middle
    resized = np.asarray(image.resize((300, 400), Image.Resampling.BICUBIC))[40:360]
    assert np.abs(bicubic.astype(int) - resized).mean() < 10  # Pillow's filter has another coefficient
    np.testing.assert_array_equal(result, np.asarray(Image.open("enlarged/a.png"))[40:360])


@pytest.mark.parametrize("size", [(5000, 1), (1, 5000), (3, 2), (600, 400)])
@pytest.mark.parametrize("command", ["colourize", "upscale"])
def test_comparison_of_thin_and_small_photos_can_be_seen(
    command: str, size: tuple[int, int], workplace: Path
) -> None:
    photo(workplace / "a.png", size=size)
    model = "horses" if command == "colourize" else "bicubic_x2"
    assert main([command, "a.png", "--compare", "--model", model, "--output", "out"]) == 0
    with Image.open("out/comparison.png") as sheet:
        width, height = sheet.size
    assert width <= 16 + 3 * 320 + 2 * 4
    assert 16 + 44 + 20 <= height <= 16 + 44 + 320


def test_a_result_that_cannot_be_written_does_not_stop_the_others(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(workplace / "album" / "a.png")
    photo(workplace / "album" / "deep" / "b.png")
    Path("coloured").mkdir()
    Path("coloured/deep").write_text("no folder")
    assert main(["colourize", "album"]) == 1
    output = capsys.readouterr()
    assert Path("coloured/a.png").exists()
    assert "1 of 2 photos could not be converted" in output.err
    assert "coloured/deep/b.png: cannot be written" in output.err
    assert main(["colourize", "album", "--output", "coloured/deep"]) == 1
    assert "expected a folder to write to, found a file" in capsys.readouterr().err


def test_files_are_replaced_only_with_overwrite(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo(workplace / "a.jpg")
    assert main(["colourize", "a.jpg"]) == 0
    first = Path("coloured/a.png").stat().st_mtime_ns
    assert main(["colourize", "a.jpg"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert Path("coloured/a.png").stat().st_mtime_ns == first
    assert main(["colourize", "a.jpg", "--overwrite"]) == 0
    assert Path("coloured/a.png").stat().st_mtime_ns != first
    photo(workplace / "b.png")
    assert main(["colourize", "b.png", "--output", ".", "--overwrite"]) == 1
    assert "one of the photos itself" in capsys.readouterr().err
    photo(workplace / "comparison.jpg")
    assert main(["colourize", "comparison.jpg", "--output", "new", "--compare"]) == 1
    assert "rename the photo" in capsys.readouterr().err
    assert main(["colourize", "a.jpg", "--output", "new.png"]) == 1
    assert "expected a folder" in capsys.readouterr().err
    photo(workplace / "a.webp")
    assert main(["colourize", "a.jpg", "a.webp", "--output", "both"]) == 1
    assert "would both become" in capsys.readouterr().err


def test_a_bad_file_does_not_stop_the_others(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo(workplace / "album" / "a.png")
    (workplace / "album" / "b.png").write_bytes(b"no image")
    photo(workplace / "album" / "c.png")
    (workplace / "album" / "d.jpg").write_bytes(photo(workplace / "album" / "e.jpg").read_bytes()[:300])
    assert main(["colourize", "album"]) == 1
    output = capsys.readouterr()
    assert sorted(path.name for path in Path("coloured").iterdir()) == ["a.png", "c.png", "e.png"]
    assert "b.png" in output.err
    assert "d.jpg" in output.err
    assert "2 of 5 photos could not be converted" in output.err
    assert "3 of 5" in output.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected photos or folders"),
        (["nothing.jpg"], "found nothing"),
        (["a.jpg", "--model", "cats"], "expected one of photos"),
        (["a.jpg", "--model", "horses_x4"], "expected a model for `imgcolor colourize`"),
        (["a.jpg", "--scale", "huge"], "scale"),
        (["a.jpg", "--scale", "native"], "expected working with the model photos"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: list[str], message: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(workplace / "a.jpg")
    assert main(["colourize", *arguments]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not Path("coloured").exists()


def test_upscale_keeps_the_mode(workplace: Path) -> None:
    photo(workplace / "a.png", size=(20, 10), mode="LA")
    assert main(["upscale", "a.png"]) == 0
    with Image.open("enlarged/a.png") as image:
        assert (image.size, image.mode) == ((80, 40), "LA")


def test_a_result_that_would_be_too_large_is_refused(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (4000, 3000)).save(workplace / "large.png")
    assert main(["upscale", "large.png"]) == 1
    assert "make it smaller first" in capsys.readouterr().err
    assert not Path("enlarged").exists()


def test_transparent_photos_are_put_on_white_in_jpeg(workplace: Path) -> None:
    image = Image.new("LA", (20, 20), (0, 0))
    image.save(workplace / "clear.png")
    for command, size in (("colourize", 20), ("upscale", 80)):
        assert main([command, "clear.png", "--format", "jpg", "--output", command]) == 0
        with Image.open(f"{command}/clear.jpg") as written:
            assert written.size == (size, size)
            assert np.asarray(written.convert("L")).min() > 250


def test_models_are_listed_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("faces", "horses", "horses_x4", "MB"))
    assert main(["models", "faces"]) == 0
    assert "experiments/faces/best.yaml" in capsys.readouterr().out
    assert main(["models", "cats"]) == 1
    assert "expected one of photos" in capsys.readouterr().err


def test_validate_accepts_a_shipped_model(workplace: Path, repository: Path) -> None:
    from imgcolor.pretrained import cards

    options = ["--data.source=synthetic", "--data.train_images=20", "--data.val_images=10"]
    experiment = str(repository / "experiments" / "faces" / "best.yaml")
    weights = str(cards()["faces"].path)
    bar = "--trainer.enable_progress_bar=false"
    assert main(["validate", "--config", experiment, "--ckpt_path", weights, *options, bar]) == 0
    (metrics,) = Path("lightning_logs").rglob("metrics.json")
    assert 0 < json.loads(metrics.read_text())["val/margin12"] < 1


def test_the_python_example_in_the_docs_runs(repository: Path, workplace: Path) -> None:
    (example,) = re.findall(
        r"^```python\n(.*?)^```", (repository / "docs" / "photos.md").read_text(), re.M | re.S
    )
    check = "assert (coloured.size, coloured.mode, large.size) == ((60, 80), 'RGB', (240, 320))\n"
    done = subprocess.run(
        [sys.executable, "-c", example + check], cwd=workplace, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_onnx_file_accepts_any_shape(workplace: Path) -> None:
    import torch

    from imgcolor.pipelines import load

    onnxruntime = pytest.importorskip("onnxruntime")
    assert main(["export", "horses"]) == 0
    assert main(["export", "horses"]) == 1  # is there already
    session = onnxruntime.InferenceSession("horses.onnx", providers=["CPUExecutionProvider"])
    pipeline = load("horses")
    for shape in ((1, 1, 32, 32), (2, 1, 50, 31), (5, 1, 8, 100)):
        grey = torch.rand(shape)
        (colours,) = session.run(None, {"images": grey.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(colours, pipeline.colourize_batch(grey, "native").numpy(), atol=1e-4)


def test_exported_files_include_the_palette(tiny_fit: Callable[..., Path]) -> None:
    import torch

    from imgcolor.pipelines import load

    onnxruntime = pytest.importorskip("onnxruntime")
    checkpoint = str(
        tiny_fit("experiments/quickstart.yaml", "--trainer.max_epochs=1") / "checkpoints/last.ckpt"
    )
    pipeline = load(checkpoint)
    grey = torch.rand(2, 1, 21, 34)
    with torch.no_grad():
        expected = pipeline.colourize_batch(grey, "native").numpy()
    assert main(["export", checkpoint, "--output", "colours.onnx"]) == 0
    session = onnxruntime.InferenceSession("colours.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"images": grey.numpy()})[0], expected, atol=1e-4)
    assert main(["export", checkpoint, "--format", "torchscript", "--output", "colours.pt"]) == 0
    np.testing.assert_allclose(torch.jit.load("colours.pt")(grey).numpy(), expected, atol=1e-4)


def test_torchscript_and_small_checkpoint(workplace: Path) -> None:
    import torch

    from imgcolor.pipelines import load

    assert main(["export", "horses_x4", "--format", "torchscript", "--output", "deep/s.pt"]) == 0
    small = torch.rand(3, 3, 11, 6)
    pipeline = load("horses_x4")
    with torch.no_grad():
        expected = pipeline.run_network(small).clamp(0, 1)
        assert torch.allclose(torch.jit.load("deep/s.pt")(small), expected, atol=1e-4)
    assert main(["export", "horses_x4", "--format", "weights", "--output", "s.ckpt"]) == 0
    with torch.no_grad():
        assert torch.allclose(load("s.ckpt").run_network(small).clamp(0, 1), expected)

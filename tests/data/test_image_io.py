"""Bad image files: damaged, with a wrong extension, too large, with unusual names, circular links, changing."""

import io
import os
import random
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from icc_profiles import DISPLAY_P3, rgb_profile
from imgcolor.cli.main import main
from imgcolor.data import image_files, image_io
from imgcolor.data.disk_cache import cache_folder
from imgcolor.data.image_files import decode
from imgcolor.data.image_io import read_image
from imgcolor.data.sources import FolderSource
from imgcolor.pipelines.metadata import Metadata
from imgcolor.pipelines.photo import Photo
from imgcolor.pipelines.sixteen_bit_files import encode_16_bit
from imgcolor.utils.errors import ImgcolorError

SIZE = 24


def make_image(seed: int = 0) -> Image.Image:
    """Half smooth, half noise, so that every codec is tested."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    pixels = np.stack([10 * columns, 10 * rows, 5 * (rows + columns)], -1).astype(np.uint8)
    pixels[::2] = np.random.default_rng(seed).integers(0, 256, pixels[::2].shape)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _heic_files() -> dict[str, bytes]:
    try:
        import pillow_heif
    except ImportError:
        return {}
    pillow_heif.register_heif_opener()
    return {"photo.heic": encoded(make_image(), "HEIF")}


HEIC_FILES = _heic_files()


def whole_files() -> dict[str, bytes]:
    """Return a file of every kind: name to content."""
    image = make_image()
    turned = Image.Exif()
    turned[0x0112] = 6
    grey16 = Image.fromarray(np.random.default_rng(1).integers(0, 65536, (SIZE, SIZE), dtype=np.uint16))
    rgb16 = np.random.default_rng(1).integers(0, 65536, (SIZE, SIZE, 3), dtype=np.uint16)
    profile = rgb_profile(DISPLAY_P3, 2.2)
    pages = io.BytesIO()
    tifffile.imwrite(pages, rgb16, photometric="rgb")
    described = Image.Exif()
    described[0x010E], described[0x0112] = "a mill", 3
    described.get_ifd(0x8825)[1] = "N"
    described[0x8825] = described.get_ifd(0x8825)
    return HEIC_FILES | {
        "profile.png": encoded(image, "PNG", icc_profile=profile, exif=described),
        "rgb16.png": encode_16_bit(rgb16, "PNG", Metadata(), print),
        "profile.jpg": encoded(
            image, "JPEG", icc_profile=profile, exif=described, xmp=b"<x/>", dpi=(300, 300)
        ),
        "grey_profile.webp": encoded(image.convert("L"), "WEBP", icc_profile=profile, exif=described),
        "rgb16.tif": pages.getvalue(),
        "pages.tif": encoded(
            image, "TIFF", save_all=True, append_images=[make_image(2)], icc_profile=profile
        ),
        "rgb.png": encoded(image, "PNG"),
        "palette.png": encoded(image.convert("P"), "PNG"),
        "alpha.png": encoded(image.convert("RGBA"), "PNG"),
        "grey16.png": encoded(grey16, "PNG"),
        "turned.jpg": encoded(image, "JPEG", exif=turned),
        "progressive.jpg": encoded(image, "JPEG", progressive=True),
        "lossy.webp": encoded(image, "WEBP"),
        "lossless.webp": encoded(image, "WEBP", lossless=True),
        "raw.tif": encoded(image, "TIFF"),
        "lzw.tif": encoded(image, "TIFF", compression="tiff_lzw"),
        "deflate.tif": encoded(image, "TIFF", compression="tiff_adobe_deflate"),
        "palette.gif": encoded(image.convert("P"), "GIF"),
        "moving.gif": encoded(image, "GIF", save_all=True, append_images=[make_image(2)]),
    }


FILES = whole_files()


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Damage a file: flip bits, replace, remove or insert bytes, or make a length huge."""
    damaged = bytearray(data)
    place = chance.randrange(len(data))
    noise = chance.randbytes(chance.randint(1, 16))
    match chance.randrange(5):
        case 0:
            for _ in range(chance.randint(1, 4)):
                damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case 1:
            damaged[place : place + len(noise)] = noise
        case 2:
            del damaged[place : place + len(noise)]
        case 3:
            damaged[place:place] = noise
        case _:
            damaged[place : place + 4] = chance.choice([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"])
    return bytes(damaged)


def read_or_refused(path: Path) -> torch.Tensor | None:
    """Return the image, which is the same twice, or None if an error of one line names the file."""
    try:
        image = read_image(path, SIZE)
    except ImgcolorError as error:
        message = str(error)
        assert message.startswith(f"{path} ")
        assert len(message.splitlines()) == 1
        return None
    assert (image.dtype, image.shape) == (torch.uint8, (3, SIZE, SIZE))
    assert torch.equal(read_image(path, SIZE), image)  # no uninitialized memory
    photo = Photo.read(path)  # as the commands read it: with 16 bits and metadata
    assert photo.pixels.isfinite().all()
    for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        photo.metadata.options(kind, False, lambda _: None)
    return image


def check_mutations(folder: Path, count: int) -> None:
    for name, data in FILES.items():
        path = folder / name
        path.write_bytes(data)
        original = read_image(path, SIZE)
        refused = 0
        for seed in range(count):
            path.write_bytes(mutated(data, random.Random(f"{name} {seed}")))
            image = read_or_refused(path)
            refused += image is None
            # Only PNG has checksums of everything, so damage must be found there.
            if name.endswith(".png") and image is not None:
                assert torch.equal(image, original), f"{name}, seed {seed}"
        assert refused > 0


def check_cuts(folder: Path, step: int) -> None:
    for name, data in FILES.items():
        path = folder / name
        path.write_bytes(data)
        original = read_image(path, SIZE)
        for length in range(0, len(data), step):
            path.write_bytes(data[:length])
            image = read_or_refused(path)
            assert image is None or torch.equal(image, original), f"{name}, {length} of {len(data)} bytes"


# --- damage -----------------------------------------------------------------------------------------------


def test_damaged_files_are_refused_or_read_consistently(tmp_path: Path) -> None:
    check_mutations(tmp_path, 40)


@pytest.mark.slow
def test_thousands_of_damaged_files_are_refused_or_read_consistently(tmp_path: Path) -> None:
    check_mutations(tmp_path, 2000)


def test_truncated_files_are_refused_or_complete(tmp_path: Path) -> None:
    check_cuts(tmp_path, 61)


@pytest.mark.slow
def test_files_truncated_anywhere_are_refused_or_complete(tmp_path: Path) -> None:
    check_cuts(tmp_path, 1)


def test_damaged_photos_are_named_and_the_others_colourized(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "album").mkdir()
    count = 0
    one_photo_each = {name: data for name, data in FILES.items() if name != "pages.tif"}
    for name, data in one_photo_each.items():
        for seed in range(3):
            path = workplace / "album" / f"{seed}-{name.replace('.', '-')}{Path(name).suffix}"
            path.write_bytes(mutated(data, random.Random(f"{seed} {name}")) if seed else data)
            count += 1
    status = main(["colourize", "album"])
    output = capsys.readouterr()
    done = {path.stem for path in Path("coloured").iterdir()}
    assert {f"0-{name.replace('.', '-')}" for name in one_photo_each} <= done  # the whole ones
    assert status == 1
    assert f"{len(done)} of {count} photos" in output.out
    assert f"{count - len(done)} of {count} photos could not be converted" in output.err
    for path in Path("coloured").iterdir():
        Image.open(path).load()


@pytest.mark.parametrize("command", ["fit", "palette", "activations", "evaluate"])
def test_each_command_names_a_damaged_image(
    command: str, workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "val"):
        (workplace / "photos" / split).mkdir(parents=True)
        (workplace / "photos" / split / "a.png").write_bytes(FILES["rgb.png"])
    bad = workplace / "photos" / "train" / "b.png"
    damaged = bytearray(FILES["palette.png"])
    damaged[-40] ^= 1  # in the pixels: Pillow decodes it without an error
    bad.write_bytes(damaged)
    np.save("estimations.npy", np.zeros((1, SIZE, SIZE, 3), np.uint8))
    Path("names.txt").write_text("b.png\n")
    from imgcolor.pretrained.registry import cards

    words = {
        "fit": ["--config", str(repository / "experiments/quickstart.yaml"), "--data.source=folder"],
        "palette": ["--source=folder", "--root=photos"],
        "activations": [str(cards()["horses"].path), str(bad)],
        "evaluate": ["estimations.npy", "names.txt", "photos/train"],
    }[command]
    assert main([command, *words, *(["--data.root=photos"] if command == "fit" else [])]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "train/b.png is truncated or damaged" in line


# --- correct files ----------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    pixels=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    kind=st.sampled_from([("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("BMP", {})]),
    extension=st.sampled_from([".png", ".jpg", ".gif", ".tif", ".webp", ".TGA"]),
)
def test_lossless_files_are_read_exactly_with_any_extension(
    pixels: np.ndarray,
    kind: tuple[str, dict[str, Any]],
    extension: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("any") / f"a{extension}"
    path.write_bytes(encoded(Image.fromarray(pixels), kind[0], **kind[1]))
    found = decode(path, lambda image: np.asarray(image.convert("RGB")))
    assert np.array_equal(found, pixels)


# --- bombs ------------------------------------------------------------------------------------------------


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    body = b"\x89PNG\r\n\x1a\n"
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    for name, data in (header, *chunks, (b"IEND", b"")):
        body += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return body


def resized(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) >= 1
    return data.replace(old, new, 1)


WIDTH_TAG = struct.pack("<HHI", 256, 4, 1)
ZEROS = zlib.compress(bytes(300_000_000), 9)

BOMBS = {
    "wide.png": png(60_000, 60_000, (b"IDAT", ZEROS)),
    "text.png": png(1, 1, (b"zTXt", b"a\0\0" + ZEROS), (b"IDAT", zlib.compress(bytes(2)))),
    "profile.png": png(1, 1, (b"iCCP", b"a\0\0" + ZEROS), (b"IDAT", zlib.compress(bytes(2)))),
    "wide.gif": resized(FILES["palette.gif"], struct.pack("<HH", SIZE, SIZE), b"\xff" * 4),
    "wide.jpg": resized(FILES["turned.jpg"], struct.pack(">HH", SIZE, SIZE), b"\xff\xdc" * 2),
    "wide.tif": resized(
        FILES["raw.tif"], WIDTH_TAG + struct.pack("<I", SIZE), WIDTH_TAG + b"\xff\xff\xff\x7f"
    ),
    "wide.webp": resized(FILES["lossy.webp"], struct.pack("<HH", SIZE, SIZE), b"\xff\x3f" * 2),
}


@pytest.mark.parametrize("name", BOMBS)
def test_decompression_bombs_are_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(BOMBS[name])
    with pytest.raises(ImgcolorError, match=name):
        read_image(path, SIZE)
    assert main(["colourize", str(path), "--output", str(tmp_path / "out")]) == 1
    assert name in capsys.readouterr().err


def test_surplus_pixel_data_is_refused_or_ignored(tmp_path: Path) -> None:
    path = tmp_path / "more.png"
    path.write_bytes(png(SIZE, SIZE, (b"IDAT", ZEROS)))
    image = read_or_refused(path)
    assert image is None or not image.any()


def test_large_images_are_decoded_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In parallel, large images could fill the memory. Small images are decoded in parallel."""
    path = tmp_path / "a.png"
    path.write_bytes(FILES["rgb.png"])

    def together(large: int) -> bool:
        monkeypatch.setattr(image_files, "_LARGE", large)
        meeting = threading.Barrier(2)
        met = []

        def meet(_: Image.Image) -> None:
            try:
                meeting.wait(timeout=1)
                met.append(True)
            except threading.BrokenBarrierError:
                met.append(False)

        threads = [threading.Thread(target=decode, args=(path, meet)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return all(met)

    assert together(SIZE * SIZE)
    assert not together(SIZE * SIZE - 1)


# --- other programs ---------------------------------------------------------------------------------------


def test_no_other_program_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would run Ghostscript on PostScript files, with any extension."""
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/executed\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ghostscript.parent}:{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 24\n%%EndComments\nshowpage\n"
    for name in ("a.png", "a.eps"):
        (tmp_path / name).write_bytes(script)
        with pytest.raises(ImgcolorError, match="is not an image that Pillow can read"):
            read_image(tmp_path / name, SIZE)
    assert ".eps" not in image_files.readable_extensions()
    assert not (tmp_path / "executed").exists()


# --- names ------------------------------------------------------------------------------------------------

NAMES = [
    "two\nlines.png",
    "a b.png",
    "-dash.png",
    "--model.png",
    "größe 馬.png",
    "[x].png",
    "~.png",
    "%s{0}.png",
]
BYTES = os.fsdecode(b"caf\xe9.png")  # not UTF-8


def test_unusual_file_names_are_read_and_colourized(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [*NAMES, BYTES]
    (workplace / "test").mkdir()
    for name in names:
        (workplace / "test" / name).write_bytes(FILES["rgb.png"])
    assert FolderSource(workplace, SIZE).load("test").names == tuple(sorted(names))
    assert main(["colourize", "test"]) == 0
    assert sorted(path.name for path in Path("coloured").iterdir()) == sorted(names)
    os.chdir("test")
    assert main(["colourize", "--output=../again", "--", *names]) == 0
    assert len(list(Path("../again").iterdir())) == len(names)
    (Path(BYTES)).write_bytes(b"damaged")
    assert main(["colourize", ".", "--output=../third"]) == 1
    output = capsys.readouterr()
    assert r"caf\udce9.png is not an image" in output.err
    assert f"{len(names) - 1} of {len(names)} photos" in output.out


def test_predictions_with_unusual_file_names_are_evaluated(
    workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from imgcolor.pretrained.registry import cards

    names = [*NAMES[1:], BYTES, "a\u2028b.png"]
    (workplace / "photos").mkdir()
    for name in names:
        (workplace / "photos" / name).write_bytes(FILES["rgb.png"])
    words = [
        "predict",
        "--config",
        str(repository / "experiments/horses/best_regression.yaml"),
        "--ckpt_path",
    ]
    words += [
        str(cards()["horses"].path),
        "--data.source=folder",
        "--data.root=photos",
        f"--data.size={SIZE}",
    ]
    words += ["--trainer.enable_progress_bar=false", "--predictions.folder=out"]
    assert main(words) == 0
    assert main(["evaluate", "out/estimations.npy", "out/names.txt", "photos"]) == 0
    assert f"{len(names)} images" in capsys.readouterr().out
    (workplace / "photos" / NAMES[0]).write_bytes(FILES["rgb.png"])
    assert main([*words[:-1], "--predictions.folder=second"]) == 1
    assert "rename the file" in capsys.readouterr().err
    assert not (workplace / "second").exists()


# --- links ------------------------------------------------------------------------------------------------


def test_circular_links_are_followed_once(
    tmp_path: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve folders that link to each other have half a billion paths."""
    folders = [tmp_path / "photos" / "train" / f"{number:02}" for number in range(12)]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(FILES["rgb.png"])
    for folder in folders:
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    images = FolderSource(tmp_path / "photos", SIZE).load("train")
    assert images.names == tuple(f"{number:02}/a.png" for number in range(12))
    assert main(["colourize", str(tmp_path / "photos")]) == 0
    assert "12 of 12 photos" in capsys.readouterr().out
    loop = folders[0] / "loop.png"
    loop.symlink_to(loop)
    with pytest.raises(ImgcolorError, match=r"loop\.png is a broken link"):
        FolderSource(tmp_path / "photos", SIZE).load("train")
    assert main(["colourize", str(tmp_path / "photos"), "--output", "second"]) == 1
    output = capsys.readouterr()
    assert "12 of 13 photos" in output.out
    assert "loop.png is a broken link" in output.err


def test_results_replace_links_and_do_not_follow_them(workplace: Path) -> None:
    (workplace / "a.png").write_bytes(FILES["rgb.png"])
    outside = workplace / "outside.png"
    (workplace / "coloured").mkdir()
    (workplace / "coloured" / "a.png").symlink_to(outside)
    assert main(["colourize", "a.png", "--overwrite"]) == 0
    assert not outside.exists()
    outside.write_bytes(b"something else")
    (workplace / "coloured" / "a.png").unlink()
    (workplace / "coloured" / "a.png").symlink_to(outside)
    assert main(["colourize", "a.png", "--overwrite"]) == 0
    assert outside.read_bytes() == b"something else"


# --- files that are deleted or changed --------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for split in ("train", "val"):
        (tmp_path / "photos" / split).mkdir(parents=True)
        for number in range(6):
            (tmp_path / "photos" / split / f"{number}.png").write_bytes(encoded(make_image(number), "PNG"))
    return tmp_path / "photos"


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something after the files were listed, when the first of them is read."""
    read = image_io._read

    def reading(path: Path, *options: Any) -> torch.Tensor:
        if path.name == "0.png":
            act()
        return read(path, *options)

    monkeypatch.setattr(image_io, "_read", reading)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # one at a time


@pytest.mark.parametrize("limit", [None, 0.0])
def test_files_deleted_or_changed_before_reading_are_named(
    photos: Path, monkeypatch: pytest.MonkeyPatch, limit: float | None
) -> None:
    last = photos / "train" / "5.png"
    source = FolderSource(photos, SIZE, memory_limit=limit)
    with monkeypatch.context() as patch:
        meanwhile(patch, lambda: last.write_bytes(encoded(make_image(7).resize((5, 5)), "PNG")))
        with pytest.raises(ImgcolorError, match=r"5\.png has changed since it was listed"):
            source.load("train")
    with monkeypatch.context() as patch:
        meanwhile(patch, last.unlink)
        with pytest.raises(ImgcolorError, match=r"5\.png does not exist"):
            source.load("train")
    assert not list(cache_folder().glob("*.uint8"))
    assert len(source.load("train")) == 5


def test_a_broken_link_is_named_when_the_cache_is_filled(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "train" / "3.png").unlink()
    (photos / "train" / "3.png").symlink_to("gone")
    with pytest.raises(ImgcolorError, match=r"3\.png: expected an image file"):
        FolderSource(photos, SIZE, memory_limit=0).load("train")


def test_a_file_changed_while_reading_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(FILES["raw.tif"])

    def change(image: Image.Image) -> None:
        os.utime(path, ns=(0, 0))  # every write changes the time

    with pytest.raises(ImgcolorError, match=r"a\.tif has changed while it was read"):
        decode(path, change)


def test_training_continues_when_files_are_deleted(
    photos: Path, workplace: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "vandal.py").write_text(
        "import shutil\n"
        "from pathlib import Path\n"
        "from lightning.pytorch import Callback\n"
        "class Vandal(Callback):\n"
        "    def on_train_epoch_start(self, trainer, pl_module):\n"
        "        shutil.rmtree('photos', ignore_errors=True)\n"
        "        for file in Path('cache').rglob('*.uint8'):\n"
        "            file.unlink()\n"
    )
    monkeypatch.syspath_prepend(workplace)
    words = ["fit", "--config", str(repository / "experiments/horses/regression_cnn.yaml")]
    words += ["--data.source=folder", f"--data.root={photos}", f"--data.size={SIZE}", "--data.batch_size=3"]
    words += [
        "--model.network.base_channels=2",
        "--trainer.max_epochs=1",
        "--trainer.enable_progress_bar=false",
    ]
    assert main([*words, "--data.memory_limit=0", "--trainer.callbacks+=vandal.Vandal"]) == 0
    assert not photos.exists()


def test_a_truncated_cache_file_is_written_again(photos: Path) -> None:
    """Mapped unchanged, its missing images would be black."""
    source = FolderSource(photos, SIZE, memory_limit=0)
    expected = source.load("train").pixels.clone()
    (file,) = cache_folder().glob("*.uint8")
    os.truncate(file, 1000)
    assert torch.equal(source.load("train").pixels, expected)
    file.write_bytes(b"\x80\x04cos\nsystem\n.")  # would run code if it was unpickled
    assert torch.equal(source.load("train").pixels, expected)


def test_an_image_replaced_with_the_same_size_and_time_is_read_again(photos: Path) -> None:
    """Some copying tools keep the time, and all bitmaps of one shape have the same size."""
    path = photos / "train" / "0.bmp"
    path.write_bytes(encoded(make_image(1), "BMP"))
    times = path.stat()
    source = FolderSource(photos, SIZE, memory_limit=0)
    before = source.load("train").pixels[0].clone()
    path.write_bytes(encoded(make_image(2), "BMP"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not torch.equal(source.load("train").pixels[0], before)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

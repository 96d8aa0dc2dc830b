"""Photo files as cameras and scanners write them: profiles, metadata, pages, depth, and formats that are not read."""

import contextlib
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, PngImagePlugin

import imgcolor
from icc_profiles import DISPLAY_P3, PROPHOTO, grey_profile, rgb_profile
from image_helpers import error_line, noise, save
from imgcolor.cli.main import main
from imgcolor.data.colour_profiles import srgb_profile
from imgcolor.data.image_files import image_files
from imgcolor.data.image_io import read_image
from imgcolor.pipelines.photo import Photo

KINDS = ("png", "jpg", "webp", "tif")


def srgb_of(linear: np.ndarray) -> np.ndarray:
    """The transfer function of sRGB (IEC 61966-2-1), as levels."""
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)
    return np.round(255 * curve.clip(0, 1))


SRGB_TO_XYZ = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
"""XYZ (D50) of sRGB's red, green and blue, as columns."""


# Colour profiles


@pytest.mark.parametrize("gamma", [1.0, 1.8])
def test_grey_profiles_are_applied(gamma: float, tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint8)[None].repeat(4, 0)
    path = save(tmp_path / "a.png", levels, icc_profile=grey_profile(gamma))
    expected = srgb_of((levels / 255.0) ** gamma)
    pixels = Photo.read(path).pixels.numpy() * 255
    assert pixels.shape == (1, 4, 256)
    assert np.abs(pixels[0] - expected).max() <= 2


@pytest.mark.parametrize(("primaries", "gamma"), [(PROPHOTO, 1.8), (DISPLAY_P3, 2.2)])
@pytest.mark.parametrize("kind", KINDS)
def test_rgb_profiles_are_applied(
    primaries: tuple[tuple[float, float, float], ...], gamma: float, kind: str, tmp_path: Path
) -> None:
    levels = np.full((16, 16, 3), (150, 140, 120), np.uint8)  # a colour that sRGB holds
    options: dict[str, object] = {"quality": 100} if kind in ("jpg", "webp") else {}
    path = save(tmp_path / f"a.{kind}", levels, icc_profile=rgb_profile(primaries, gamma), **options)
    xyz = np.array(primaries).T @ (levels[0, 0] / 255.0) ** gamma
    expected = srgb_of(np.linalg.solve(SRGB_TO_XYZ, xyz))
    for pixels in (
        Photo.read(path).pixels * 255,
        read_image(path, 16).float(),
    ):  # for commands, and for training
        assert np.abs(pixels[:, 8, 8].numpy() - expected).max() <= 3


def test_a_profile_of_srgb_changes_nothing_and_is_written(workplace: Path) -> None:
    plain = save(workplace / "plain.png", noise(20, 20))
    tagged = save(workplace / "tagged.png", noise(20, 20), icc_profile=srgb_profile())
    assert np.array_equal(Photo.read(plain).pixels, Photo.read(tagged).pixels)
    assert main(["colourize", "plain.png", "tagged.png"]) == 0
    assert "icc_profile" not in Image.open("coloured/plain.png").info
    assert Image.open("coloured/tagged.png").info["icc_profile"] == srgb_profile()


def test_the_result_of_a_photo_with_a_profile_is_tagged_as_srgb(workplace: Path) -> None:
    save(workplace / "a.png", noise(20, 20), icc_profile=rgb_profile(DISPLAY_P3, 2.2))
    for kind in KINDS:
        assert main(["colourize", "a.png", "--output", kind, "--format", kind]) == 0
        with Image.open(f"{kind}/a.{kind}") as result:
            assert result.info["icc_profile"] == srgb_profile()


def test_transparency_survives_a_profile(tmp_path: Path) -> None:
    image = Image.fromarray(noise(8, 8)).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize((8, 8)))
    path = save(tmp_path / "a.png", image, icc_profile=rgb_profile(PROPHOTO, 1.8))
    photo = Photo.read(path)
    assert photo.alpha is not None
    assert np.array_equal(np.asarray(photo.alpha), np.asarray(image.getchannel("A")))


@pytest.mark.parametrize("icc", [b"damaged", grey_profile(1.8)[:200], grey_profile(1.8)])
def test_a_profile_that_cannot_be_used_is_said(
    icc: bytes, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(workplace / "a.png", noise(20, 20), icc_profile=icc)  # RGB; the whole profile is one for grey images
    save(workplace / "b.png", noise(20, 20))
    assert main(["colourize", "a.png", "b.png"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "profile" in line]
    assert line.startswith("a.png holds a colour profile that is not used")
    assert np.array_equal(Image.open("coloured/a.png"), Image.open("coloured/b.png"))


def test_profiles_of_images_in_python_are_applied(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.full((20, 20), 100, np.uint8), icc_profile=grey_profile(1.0))
    result = np.asarray(imgcolor.load("photos").colourize(Image.open(path)).convert("L"))
    assert abs(int(result.mean()) - int(srgb_of(np.array(100 / 255)))) <= 2


# Metadata


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.ImageDescription] = "a mill"
    tags[ExifTags.Base.Artist] = "Eva"
    tags[ExifTags.Base.Orientation] = 6
    for directory, values in (
        (ExifTags.IFD.Exif, {0x9003: "2001:02:03 04:05:06", 0xA002: 40, 0xA003: 30}),
        (ExifTags.IFD.GPSInfo, {1: "N", 2: (51.0, 30.0, 0.0)}),
    ):
        tags.get_ifd(directory).update(values)
        tags[directory] = tags.get_ifd(directory)
    return tags


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><place>Delft</place></x:xmpmeta>'


def save_with_metadata(path: Path, pixels: np.ndarray) -> Path:
    tags = exif()
    options: dict[str, object] = {"exif": tags, "xmp": XMP, "dpi": (300, 300)}
    if path.suffix == ".png":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options |= {"pnginfo": text}
    elif path.suffix == ".tif":
        tags[700] = XMP
    return save(path, pixels, **options)


@pytest.mark.parametrize(
    ("command", "source", "target"),
    [("upscale", "jpg", "png"), *(("colourize", source, target) for source in KINDS for target in KINDS)],
)
def test_metadata_is_copied(command: str, source: str, target: str, workplace: Path) -> None:
    save_with_metadata(workplace / f"a.{source}", noise(30, 40))
    assert main([command, f"a.{source}", "--output", "out", "--format", target]) == 0
    factor = 4 if command == "upscale" else 1
    with Image.open(f"out/a.{target}") as result:
        assert result.size == (30 * factor, 40 * factor)  # upright
        tags = result.getexif()
        assert tags[ExifTags.Base.ImageDescription] == "a mill"
        assert tags[ExifTags.Base.Artist] == "Eva"
        assert tags.get(ExifTags.Base.Orientation, 1) == 1
        assert tags.get_ifd(ExifTags.IFD.Exif)[0x9003] == "2001:02:03 04:05:06"
        assert 0xA002 not in tags.get_ifd(ExifTags.IFD.Exif)  # the size of the photo, not of the result
        assert tags.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"
        xmp = result.info.get("xmp") or result.info.get("XML:com.adobe.xmp") or result.tag_v2[700]
        assert b"Delft" in (xmp.encode() if isinstance(xmp, str) else xmp)
        if source != "webp" and target != "webp":
            assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_strip_leaves_the_metadata_out(workplace: Path) -> None:
    save_with_metadata(workplace / "a.jpg", noise(30, 40))
    assert main(["colourize", "a.jpg", "--format", "jpg", "--strip"]) == 0
    with Image.open("coloured/a.jpg") as result:
        assert not dict(result.getexif())
        assert "xmp" not in result.info


def test_a_description_and_damaged_exif(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Description", "the old mill")
    save(workplace / "a.png", noise(20, 20), pnginfo=text)
    save(workplace / "b.png", noise(20, 20), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff damaged")
    assert main(["colourize", "a.png", "b.png"]) == 0
    assert Image.open("coloured/a.png").info["Description"] == "the old mill"
    assert main(["colourize", "a.png", "--format", "tif"]) == 0
    assert Image.open("coloured/a.tif").getexif()[ExifTags.Base.ImageDescription] == "the old mill"


def test_exif_that_is_too_large_for_jpeg_is_said(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tags = exif()
    tags[ExifTags.Base.Artist] = "E" * 70_000
    save(workplace / "a.png", noise(20, 20), exif=tags)
    assert main(["colourize", "a.png", "--format", "jpg"]) == 0
    assert "a.jpg lacks the photo's EXIF data" in capsys.readouterr().err


# Pages, frames and files that are not read


def test_all_pages_of_a_tiff_are_done(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = [Image.fromarray(noise(20 + number, 30, seed=number)) for number in range(3)]
    pages[0].save("scan.tif", save_all=True, append_images=pages[1:])
    assert main(["colourize", "scan.tif", "--compare"]) == 0
    assert "3 of 3 photos" in capsys.readouterr().out
    for number, page in enumerate(pages, 1):
        page.save(f"{number}.png")
        assert main(["colourize", f"{number}.png", "--output", "alone"]) == 0
        assert np.array_equal(
            Image.open(f"coloured/scan_page{number}.png"), Image.open(f"alone/{number}.png")
        )


def test_of_an_animation_the_first_frame_is_used_and_said(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [Image.fromarray(noise(20, 30, seed=number)) for number in range(3)]
    for kind in ("gif", "webp", "png"):
        frames[0].save(f"a.{kind}", save_all=True, append_images=frames[1:])
        assert main(["colourize", f"a.{kind}", "--output", kind]) == 0
        assert f"a.{kind} holds several frames: only the first is used" in capsys.readouterr().err
    save(workplace / "train" / "b.png", frames[0])
    frames[0].save("train/c.tif", save_all=True, append_images=frames[1:])
    read_image(Path("train/c.tif"), 8)
    assert "train/c.tif holds several pages: only the first is used" in capsys.readouterr().err


def test_images_that_cannot_be_read_are_named(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(workplace / "album" / "a.png", noise(20, 20))
    for name in ("b.jxl", "deep/c.CR2", "notes.txt"):
        path = workplace / "album" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"content")
    assert main(["colourize", "album"]) == 0
    error = capsys.readouterr().err
    assert "album holds images that cannot be read: b.jxl, deep/c.CR2" in error
    assert "notes.txt" not in error
    image_files(workplace / "album")  # as training reads a folder
    assert "b.jxl" in capsys.readouterr().err


def test_heic_is_read_with_the_extra(workplace: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    save(workplace / "album" / "a.HEIC", np.full((32, 32, 3), 120, np.uint8))
    assert main(["colourize", "album"]) == 0
    assert Path("coloured/a.png").exists()


# 16 bits


def test_16_bits_of_grey_are_kept(workplace: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).round().astype(np.uint16)
    Image.fromarray(ramp).save("ramp.png")
    Image.fromarray(ramp).save("ramp.tif")
    for kind in ("png", "tif"):
        assert main(["colourize", f"ramp.{kind}", "--output", kind, "--format", kind]) == 0
    from torchvision.io import ImageReadMode, decode_png, read_file

    png = (
        decode_png(read_file("png/ramp.png"), ImageReadMode.UNCHANGED).permute(1, 2, 0).numpy().astype(float)
    )
    tif = tifffile.imread("tif/ramp.tif").astype(float)
    assert np.array_equal(png, tif)
    luma = png @ (0.299, 0.587, 0.114)
    assert np.abs(luma - ramp).max() < 2
    with Image.open("png/ramp.png") as result:  # any other reader accepts the file
        assert result.mode == "RGB"
        result.load()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_16_bits_of_rgb_are_read(kind: str, orientation: int, tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    path = tmp_path / f"a.{kind}"
    if kind == "tif":
        tifffile.imwrite(path, levels, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    else:
        from imgcolor.pipelines.metadata import Metadata
        from imgcolor.pipelines.sixteen_bit_files import encode_16_bit

        tags = Image.Exif()
        tags[ExifTags.Base.Orientation] = orientation
        path.write_bytes(encode_16_bit(levels, "PNG", Metadata(exif=tags.tobytes()), print))
    photo = Photo.read(path)
    assert photo.bits == 16
    eight = Photo.read(
        save(tmp_path / "8.png", (levels >> 8).astype(np.uint8), exif=_orientation(orientation))
    )
    assert photo.pixels.shape == eight.pixels.shape
    assert np.abs(photo.pixels.numpy() - eight.pixels.numpy()).max() < 1 / 255
    assert len(np.unique(np.round(photo.pixels.numpy() * 65535) % 256)) > 50  # not 8 bits times 257


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (5, 4), (4, 3), (5, 7)])
@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_16_bit_tiff_files_with_one_plane_per_channel_are_read(
    shape: tuple[int, int], planarconfig: str, tmp_path: Path
) -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (*shape, 3), dtype=np.uint16)
    stored = levels if planarconfig == "contig" else np.moveaxis(levels, -1, 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planarconfig)
    photo = Photo.read(path)
    assert photo.bits == 16
    assert np.abs(photo.pixels.numpy().transpose(1, 2, 0) * 65535 - levels).max() < 0.01


def _orientation(value: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = value
    return tags


def test_transparent_16_bit_results_and_their_metadata(workplace: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (20, 30, 4), dtype=np.uint16)
    tifffile.imwrite(
        "a.tif", levels, photometric="rgb", extrasamples=["unassalpha"], description="a mill", metadata=None,
        resolution=(300, 300), resolutionunit="INCH",
    )  # fmt: skip
    for kind in ("png", "tif"):
        assert main(["colourize", "a.tif", "--output", kind, "--format", kind]) == 0
        with Image.open(f"{kind}/a.{kind}") as result:
            assert result.mode == "RGBA"
            assert np.abs(np.asarray(result.getchannel("A"), int) - (levels[..., 3] >> 8)).max() <= 1
            assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            assert "a mill" in str(result.getexif()[ExifTags.Base.ImageDescription])


def test_losing_16_bits_is_said(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.full((20, 20), 30_000, np.uint16)).save("a.png")
    assert main(["colourize", "a.png", "--format", "jpg"]) == 0
    assert "a.jpg has 8 bits per channel, and the photo 16" in capsys.readouterr().err


# Missing photos, and runs that stop


def test_a_missing_photo_does_not_stop_the_others(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(workplace / "a.jpg", noise(20, 20))
    assert main(["colourize", "a.jpg", "nothere.jpg"]) == 1
    output = capsys.readouterr()
    assert "1 of 2 photos" in output.out
    assert "nothere.jpg: expected an image file" in output.err
    assert Path("coloured/a.png").exists()


def test_strict_stops_at_the_first_fault(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(workplace / "a.jpg", noise(20, 20))
    assert main(["colourize", "a.jpg", "nothere.jpg", "--strict"]) == 1
    assert not Path("coloured").exists()
    for number in range(300):  # more than are read at once
        shutil.copy(workplace / "a.jpg", save(workplace / "album" / f"{number:03}.jpg", noise(8, 8)))
    (workplace / "album" / "000.jpg").write_bytes(b"no image")
    assert main(["colourize", "album", "--strict", "--model", "horses"]) == 1
    assert not Path("coloured/299.png").exists()
    assert main(["colourize", "album", "--skip-existing", "--model", "horses"]) == 1
    assert Path("coloured/299.png").exists()


def test_skip_existing_goes_on(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        save(workplace / "album" / f"{name}.jpg", noise(20, 20))
    assert main(["colourize", "album/a.jpg"]) == 0
    first = Path("coloured/a.png").stat().st_mtime_ns
    assert main(["colourize", "album", "--skip-existing"]) == 0
    assert "1 of 1 photos in coloured; 1 result existed already" in capsys.readouterr().out
    assert Path("coloured/a.png").stat().st_mtime_ns == first
    assert main(["colourize", "album", "--skip-existing"]) == 0
    assert "no photos to convert; 2 results existed already" in capsys.readouterr().out
    assert main(["colourize", "album", "--skip-existing", "--overwrite"]) == 2


def test_ctrl_c_says_how_many_are_done(workplace: Path) -> None:
    for number in range(300):  # more than are read at once
        save(workplace / "album" / f"{number:03}.png", noise(64, 64, seed=number))
    command = [sys.executable, "-m", "imgcolor", "colourize", "album", "--model", "horses"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=_accept_interrupts
    ) as process:
        while not list(Path("coloured").glob("*.png")):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        error = process.stderr.read()
    assert process.returncode == 130
    assert "of 300 photos are converted; run the same command with --skip-existing to continue" in error
    done = len(list(Path("coloured").glob("*.png")))
    assert 0 < done < 300
    assert main(["colourize", "album", "--skip-existing", "--model", "horses"]) == 0
    assert len(list(Path("coloured").glob("*.png"))) == 300


def _accept_interrupts() -> None:
    # When a shell runs the tests in the background, child processes ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_page_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    small, large = Image.new("L", (8, 8)), Image.new("L", (80, 80))
    small.save(tmp_path / "a.tif", save_all=True, append_images=[large])
    error_line(lambda: Photo.read(tmp_path / "a.tif", max_pixels=100, page=1), "a.tif", "too large")


# Other kinds of files


def png(levels: np.ndarray, bits: int, colour_type: int, *chunks: bytes) -> bytes:
    """Return a PNG file without filters, with chunks before its pixels."""
    height, width, _ = levels.shape
    rows = levels.astype(">u2" if bits == 16 else "u1").reshape(height, -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = [_chunk(b"IHDR", header), *chunks, _chunk(b"IDAT", zlib.compress(data)), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_gamma_value_of_a_png_is_used(channels: int, tmp_path: Path) -> None:
    levels = np.arange(256).reshape(16, 16, 1).repeat(channels, 2)
    linear = _chunk(b"gAMA", struct.pack(">I", 100_000))
    path = tmp_path / "linear.png"
    path.write_bytes(png(levels, 8, 0 if channels == 1 else 2, linear))
    expected = srgb_of(levels / 255.0)
    assert np.abs(Photo.read(path).pixels.numpy().transpose(1, 2, 0) * 255 - expected).max() < 0.51
    for other in (_chunk(b"gAMA", struct.pack(">I", 45_455)), linear + _chunk(b"sRGB", b"\0")):
        path.write_bytes(png(levels, 8, 0 if channels == 1 else 2, other))
        assert np.abs(Photo.read(path).pixels.numpy().transpose(1, 2, 0) * 255 - levels).max() < 1e-3


def test_16_bits_of_grey_with_alpha_are_read(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (6, 9, 2))
    path = tmp_path / "a.png"
    path.write_bytes(png(levels, 16, 4))
    photo = Photo.read(path)
    assert photo.bits == 16
    assert np.abs(photo.pixels.numpy()[0] * 65535 - levels[..., 0]).max() < 0.01
    assert photo.alpha is not None
    assert np.abs(np.asarray(photo.alpha, int) - levels[..., 1] / 257).max() <= 1


def test_16_bit_tiff_files_whose_white_is_0_are_read(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (6, 9), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", 65535 - levels, photometric="miniswhite")
    assert np.abs(Photo.read(tmp_path / "a.tif").pixels.numpy()[0] * 65535 - levels).max() < 0.01


def test_exif_that_is_no_exif_does_not_stop_a_photo(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(workplace / "a.jpg", noise(20, 20), exif=b"Exif\0\0http://n")
    assert main(["colourize", "a.jpg"]) == 0
    assert "a.jpg holds EXIF data that cannot be copied" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["photo_x4", "horses_x4"])
def test_a_grey_photo_in_three_channels_stays_grey(model: str) -> None:
    grey = noise(12, 14)[..., :1].repeat(3, 2)
    result = imgcolor.load(model).upscale(np.stack([grey, noise(12, 14)]))
    assert (result[0] == result[0][..., :1]).all()
    assert (result[1] != result[1][..., :1]).any()

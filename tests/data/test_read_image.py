import io
import os
import struct
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from image_helpers import BLACK, BLUE, GREEN, RED, WHITE, error_line, noise, png, save
from imgcolor.data.image_io import read_image
from imgcolor.data.sources import FolderSource


def one_colour(mode: str, value: object) -> Image.Image:
    return Image.new(mode, (2, 2), value)  # type: ignore[arg-type]


def ycbcr() -> Image.Image:
    image = one_colour("YCbCr", (255, 128, 128))
    image.info["compression"] = "tiff_lzw"  # Pillow 12.3 cannot read its own uncompressed ones
    return image


def palette(transparent: bool) -> Image.Image:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([*BLUE, *RED])
    if transparent:
        image.info["transparency"] = 1
    return image


def grey16(value: int, big_endian: bool = False) -> Image.Image:
    return Image.fromarray(np.full((2, 2), value, ">u2" if big_endian else "<u2"))


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("rgb.png", one_colour("RGB", (1, 2, 3)), (1, 2, 3)),
        ("one_bit.png", one_colour("1", 1), WHITE),
        ("one_bit.bmp", one_colour("1", 0), BLACK),
        ("grey.png", one_colour("L", 77), (77, 77, 77)),
        ("palette.gif", palette(False), RED),
        ("palette.png", palette(False), RED),
        ("palette_clear.png", palette(True), WHITE),
        ("grey_alpha.png", one_colour("LA", (0, 0)), WHITE),
        ("grey_half.png", one_colour("LA", (0, 51)), (204, 204, 204)),
        ("opaque.png", one_colour("RGBA", (9, 8, 7, 255)), (9, 8, 7)),
        ("clear.png", one_colour("RGBA", (9, 8, 7, 0)), WHITE),
        ("half.png", one_colour("RGBA", (255, 0, 0, 51)), (255, 204, 204)),
        ("half.webp", one_colour("RGBA", (0, 0, 0, 0)), WHITE),
        ("cmyk.tif", one_colour("CMYK", (0, 255, 255, 0)), RED),
        ("ycbcr.tif", ycbcr(), WHITE),
        ("grey16.png", grey16(65535), WHITE),
        ("grey16_mid.png", grey16(257 * 100), (100, 100, 100)),
        ("grey16_dark.png", grey16(255), (1, 1, 1)),  # clipping would make it white
        ("grey16.tif", grey16(257 * 200), (200, 200, 200)),
        ("grey16_big.tif", grey16(257 * 30, big_endian=True), (30, 30, 30)),
        ("grey32.tif", one_colour("I", 257 * 60), (60, 60, 60)),
        ("grey16.pgm", grey16(257 * 5), (5, 5, 5)),
    ],
)
def test_each_kind_of_image_becomes_eight_bit_rgb(
    tmp_path: Path, name: str, image: Image.Image, expected: tuple[int, int, int]
) -> None:
    pixels = read_image(save(tmp_path / name, image), 2)
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (3, 2, 2)
    assert pixels.is_contiguous()
    assert torch.equal(pixels, torch.tensor(expected, dtype=torch.uint8)[:, None, None].expand(3, 2, 2))


def test_sixteen_bit_rgb_is_scaled(tmp_path: Path) -> None:
    path = tmp_path / "rgb16.png"
    path.write_bytes(png(1, 1, 16, 2, b"\0" + struct.pack(">HHH", 257 * 10, 257 * 128, 65535)))
    assert read_image(path, 1).flatten().tolist() == [10, 128, 255]


def test_a_transparent_colour_becomes_white(tmp_path: Path) -> None:
    path = save(tmp_path / "key.png", one_colour("RGB", RED), transparency=RED)
    assert read_image(path, 2).unique().tolist() == [255]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int, extension: str) -> None:
    upright = noise()
    stored = {  # what a camera held that way would have written
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f"photo.{extension}", np.ascontiguousarray(stored), exif=exif)
    assert np.array_equal(read_image(path, 8).permute(1, 2, 0).numpy(), upright)


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [one_colour("RGB", colour) for colour in (GREEN, RED)]
    path = save(tmp_path / "moving.gif", frames[0], save_all=True, append_images=frames[1:])
    assert read_image(path, 2)[:, 0, 0].tolist() == list(GREEN)


def test_an_image_of_the_right_size_is_unchanged(tmp_path: Path) -> None:
    pixels = noise(32, 32)
    assert np.array_equal(read_image(save(tmp_path / "a.png", pixels), 32).permute(1, 2, 0).numpy(), pixels)


def test_a_wide_image_is_cropped_at_its_centre_and_resized(tmp_path: Path) -> None:
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = (10, 200, 30)
    middle = read_image(save(tmp_path / "wide.png", wide), 4)[:, :, 1:3]
    expected = torch.tensor([10, 200, 30])[:, None, None]
    assert (middle.int() - expected).abs().max() <= 4  # Lanczos rings a little at the cut


def test_resizing_averages_instead_of_skipping(tmp_path: Path) -> None:
    board = np.indices((64, 64)).sum(0) % 2 * np.uint8(255)
    pixels = read_image(save(tmp_path / "board.png", board.astype(np.uint8)), 8)
    assert (pixels.int() - 127).abs().max() <= 2


def test_one_pixel_is_enlarged(tmp_path: Path) -> None:
    pixels = read_image(save(tmp_path / "dot.png", Image.new("RGB", (1, 1), (1, 2, 3))), 5)
    assert pixels.shape == (3, 5, 5)
    assert pixels.flatten(1).unique(dim=1).flatten().tolist() == [1, 2, 3]


def folder_named_like_an_image(path: Path) -> None:
    path.mkdir()


def broken_link(path: Path) -> None:
    path.symlink_to(path.parent / "gone.png")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def nothing(path: Path) -> None:
    pass


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("not an image\n" * 100)


def cut_short(path: Path) -> None:
    data = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(data, {".jpg": "JPEG"}.get(path.suffix, path.suffix[1:].upper()))
    path.write_bytes(data.getvalue()[: len(data.getvalue()) // 2])


def header_only(path: Path) -> None:
    path.write_bytes(png(8, 8, 8, 2, b"")[:33])


def flipped_bits(path: Path) -> None:
    whole = bytearray(png(8, 8, 8, 2, bytes(200)))
    whole[45:60] = b"\xff" * 15
    path.write_bytes(whole)


def floats(path: Path) -> None:
    save(path, one_colour("F", 0.5))


def beyond_16_bits(path: Path) -> None:
    save(path, one_colour("I", 70000))


def huge(path: Path) -> None:
    path.write_bytes(png(20000, 20000, 1, 0, b""))


BAD_FILES = [
    ("is_folder.png", folder_named_like_an_image, "is a folder"),
    ("link.png", broken_link, "is a broken link"),
    ("absent.png", nothing, "does not exist"),
    ("pipe.png", pipe, "is not a regular file"),
    ("empty.png", empty, "is empty"),
    ("text.png", text, "is not an image that Pillow can read"),
    ("cut.jpg", cut_short, "is truncated"),
    ("cut.png", cut_short, "is truncated"),
    ("cut.bmp", cut_short, "is truncated"),
    ("cut.gif", cut_short, "is truncated"),
    ("cut.tiff", cut_short, "is truncated"),
    ("cut.webp", cut_short, "is damaged, or of a kind that Pillow cannot decode"),
    ("header.png", header_only, "is not an image that Pillow can read"),
    ("flipped.png", flipped_bits, "is truncated or damaged"),
    ("floats.tif", floats, "holds floating-point values"),
    ("wide_range.tif", beyond_16_bits, "holds values from 70000 to 70000, beyond 16 bits"),
    ("huge.png", huge, "is too large"),
]


@pytest.mark.parametrize(("name", "make", "fault"), BAD_FILES, ids=[name for name, *_ in BAD_FILES])
def test_the_error_names_a_bad_file_its_fault_and_what_to_do(
    tmp_path: Path, name: str, make: Callable[[Path], None], fault: str
) -> None:
    path = tmp_path / name
    make(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error_line(
            lambda: read_image(path, 8), f"{path} ", fault, "expected", "replace the file or remove it"
        )


def test_the_error_has_one_line_for_any_file_name(tmp_path: Path) -> None:
    path = tmp_path / "a\nb.png"
    path.touch()
    error_line(lambda: read_image(path, 8), "a b.png is empty")


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:  # root may open anything, whatever a file's mode
        raise PermissionError(13, "Permission denied")

    path = save(tmp_path / "a.png", noise())
    monkeypatch.setattr(Image, "open", refuse)
    error_line(lambda: read_image(path, 8), f"{path} cannot be opened (Permission denied)")


def test_size_below_one_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", noise())
    error_line(lambda: read_image(path, 0), "image size", "at least 1", "found 0")


def test_400_million_pixels_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    huge(path)
    start = time.perf_counter()
    error_line(lambda: read_image(path, 8), str(path), "178,956,970")
    assert time.perf_counter() - start < 1


def test_the_limit_of_pixels_holds_without_pillows_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    path = tmp_path / "huge.png"
    huge(path)
    error_line(lambda: read_image(path, 8), "is too large (20000 x 20000 pixels)")


def test_size_below_the_limit_is_read_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)  # 64 pixels: Pillow warns, and would refuse 81
    save(tmp_path / "train" / "a.png", noise())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(tmp_path / "train" / "a.png", 8)
        FolderSource(tmp_path, 8).load("train")


def test_pillow_does_not_load_truncated_images() -> None:
    assert not ImageFile.LOAD_TRUNCATED_IMAGES

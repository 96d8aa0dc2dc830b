"""Every source, on generated images; CIFAR-10 over a real server on this machine."""

import hashlib
import http.server
import io
import os
import pickle
import struct
import tarfile
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile
from torchvision.datasets import CIFAR10

from imgcolor.data import image_io
from imgcolor.data.image_io import read_image
from imgcolor.data.sources import Cifar10Source, FolderSource, ImageSet, LFWSource, SyntheticSource
from imgcolor.data.sources.cifar10 import CATEGORIES
from imgcolor.utils.errors import ImgcolorError

WHITE, BLACK, RED, GREEN, BLUE = (255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)


def error_line(call: Callable[[], object], *parts: str) -> str:
    """Run a call that must fail with one line which holds every part."""
    with pytest.raises(ImgcolorError) as caught:
        call()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert part in message, f"{part!r} is not in {message!r}"
    return message


def noise(height: int = 8, width: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, image: Image.Image | np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG of a kind, or of a size, that Pillow cannot write (quickly): colour 0 is grey, 2 is RGB."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# --- ImageSet ---------------------------------------------------------------------------------------------


def test_image_set_knows_its_length() -> None:
    assert len(ImageSet(torch.zeros(3, 3, 4, 5, dtype=torch.uint8), ("a", "b", "c"))) == 3


@pytest.mark.parametrize(
    ("pixels", "names", "found"),
    [
        (torch.zeros(1, 3, 4, 4), ("a",), "torch.float32 [1, 3, 4, 4]"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), ("a",), "torch.uint8 [3, 4, 4]"),
        (torch.zeros(1, 4, 4, 3, dtype=torch.uint8), ("a",), "torch.uint8 [1, 4, 4, 3]"),
        (torch.zeros(0, 3, 4, 4, dtype=torch.uint8), (), "torch.uint8 [0, 3, 4, 4]"),
        (np.zeros((1, 3, 4, 4), np.uint8), ("a",), "a ndarray"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), ("a",), "2 images and 1 names"),
    ],
)
def test_image_set_says_what_it_expected_and_found(
    pixels: object, names: tuple[str, ...], found: str
) -> None:
    error_line(lambda: ImageSet(pixels, names), "torch.uint8 [N, 3, H, W]", found, "load()")  # type: ignore[arg-type]


# --- read_image: kinds of image ---------------------------------------------------------------------------


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
def test_every_kind_becomes_eight_bit_rgb(
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


def test_colour_made_transparent_in_an_rgb_file_turns_white(tmp_path: Path) -> None:
    path = save(tmp_path / "key.png", one_colour("RGB", RED), transparency=RED)
    assert read_image(path, 2).unique().tolist() == [255]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int, ending: str) -> None:
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
    path = save(tmp_path / f"photo.{ending}", np.ascontiguousarray(stored), exif=exif)
    assert np.array_equal(read_image(path, 8).permute(1, 2, 0).numpy(), upright)


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [one_colour("RGB", colour) for colour in (GREEN, RED)]
    path = save(tmp_path / "moving.gif", frames[0], save_all=True, append_images=frames[1:])
    assert read_image(path, 2)[:, 0, 0].tolist() == list(GREEN)


def test_right_size_passes_exactly(tmp_path: Path) -> None:
    pixels = noise(32, 32)
    assert np.array_equal(read_image(save(tmp_path / "a.png", pixels), 32).permute(1, 2, 0).numpy(), pixels)


def test_wide_image_is_cut_at_its_centre_and_resized(tmp_path: Path) -> None:
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


# --- read_image: bad files --------------------------------------------------------------------------------


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
    ("pipe.png", pipe, "is no regular file"),
    ("empty.png", empty, "is empty"),
    ("text.png", text, "is no image that Pillow can read"),
    ("cut.jpg", cut_short, "is truncated"),
    ("cut.png", cut_short, "is truncated"),
    ("cut.bmp", cut_short, "is truncated"),
    ("cut.gif", cut_short, "is truncated"),
    ("cut.tiff", cut_short, "is truncated"),
    ("cut.webp", cut_short, "is damaged, or of a kind that Pillow cannot decode"),
    ("header.png", header_only, "is no image that Pillow can read"),
    ("flipped.png", flipped_bits, "is truncated or damaged"),
    ("floats.tif", floats, "holds floating-point values"),
    ("wide_range.tif", beyond_16_bits, "holds values from 70000 to 70000, beyond 16 bits"),
    ("huge.png", huge, "is too large"),
]


@pytest.mark.parametrize(("name", "make", "fault"), BAD_FILES, ids=[name for name, *_ in BAD_FILES])
def test_bad_file_is_named_with_its_fault_and_the_way_out(
    tmp_path: Path, name: str, make: Callable[[Path], None], fault: str
) -> None:
    path = tmp_path / name
    make(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error_line(
            lambda: read_image(path, 8), f"{path} ", fault, "expected", "replace the file or take it away"
        )


def test_message_stays_on_one_line_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "a\nb.png"
    path.touch()
    error_line(lambda: read_image(path, 8), "a b.png is empty")


def test_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_limit_holds_where_another_library_switches_pillows_off(
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


def test_truncated_images_stay_forbidden() -> None:
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


# --- FolderSource -----------------------------------------------------------------------------------------


def test_folder_is_read_in_the_order_of_its_relative_paths(tmp_path: Path) -> None:
    names = ["10.png", "2.png", "B/1.PNG", "a/b/c.Jpeg", "a.bmp", "z/1.webp"]
    for seed, name in enumerate(names):
        save(tmp_path / "train" / name, noise(seed=seed))
    images = FolderSource(tmp_path, 8).load("train")
    assert images.names == tuple(sorted(names))
    assert images.pixels.shape == (6, 3, 8, 8)
    for name, pixels in zip(images.names, images.pixels, strict=True):
        assert torch.equal(pixels, read_image(tmp_path / "train" / name, 8))


def test_hidden_files_and_other_endings_are_left_out(tmp_path: Path) -> None:
    save(tmp_path / "val" / "a.png", noise())
    for name in ("._a.png", ".thumbnails/a.png", "labels.csv", "features.h5", "README", "a.png.bak"):
        path = tmp_path / "val" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("no image")
    assert FolderSource(str(tmp_path), 8).load("val").names == ("a.png",)


def test_test_falls_back_to_val_only_where_there_is_no_test(tmp_path: Path) -> None:
    save(tmp_path / "val" / "v.png", noise())
    assert FolderSource(tmp_path, 8).load("test").names == ("v.png",)
    save(tmp_path / "test" / "t.png", noise())
    assert FolderSource(tmp_path, 8).load("test").names == ("t.png",)
    (tmp_path / "test" / "t.png").unlink()
    error_line(lambda: FolderSource(tmp_path, 8).load("test"), str(tmp_path / "test"), "found 0 other files")


def test_linked_folders_are_read_and_a_link_that_leads_back_up_is_not_followed(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere" / "a.png", noise())
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "horse").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path / "train")
    assert FolderSource(tmp_path, 8).load("train").names == ("horse/a.png",)


def test_first_bad_file_in_order_is_the_one_that_is_named(tmp_path: Path) -> None:
    for index in range(30):
        save(tmp_path / "train" / f"{index:02d}.png", noise())
    for name in ("07.png", "21.png"):
        (tmp_path / "train" / name).write_bytes(b"")
    source = FolderSource(tmp_path, 8)
    error_line(lambda: source.load("train"), f"{tmp_path / 'train' / '07.png'} is empty")


def test_broken_link_among_the_images_is_not_passed_over(tmp_path: Path) -> None:
    save(tmp_path / "train" / "a.png", noise())
    broken_link(tmp_path / "train" / "b.png")
    error_line(lambda: FolderSource(tmp_path, 8).load("train"), "b.png is a broken link")


def test_missing_root(tmp_path: Path) -> None:
    root = tmp_path / "gone"
    error_line(
        lambda: FolderSource(root, 8).load("train"), f"found nothing at {root}", f"{root}/val", "--data.root"
    )


def test_root_that_is_a_file(tmp_path: Path) -> None:
    root = save(tmp_path / "a.png", noise())
    error_line(lambda: FolderSource(root, 8).load("train"), f"found a file at {root}", "--data.root")


def test_missing_split_names_the_folders_that_are_there(tmp_path: Path) -> None:
    for name in ("training", "validation"):
        (tmp_path / name).mkdir()
    source = FolderSource(tmp_path, 8)
    message = error_line(lambda: source.load("train"), f"{tmp_path / 'train'} is no folder", "--data.root")
    assert "found the folders: training, validation;" in message
    (tmp_path / "train").mkdir()
    error_line(lambda: source.load("test"), f"{tmp_path / 'val'} is no folder")


def test_folder_without_splits_is_its_own_test_split(tmp_path: Path) -> None:
    save(tmp_path / "holiday" / "b.png", noise())
    save(tmp_path / "a.png", noise())
    assert FolderSource(tmp_path, 8).load("test").names == ("a.png", "holiday/b.png")


def test_split_without_images_names_the_endings_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    source = FolderSource(tmp_path, 8)
    error_line(lambda: source.load("train"), f"{tmp_path / 'train'}: expected images", "found 0 other files")
    for name in ("a.txt", "b.CSV", "c"):
        (tmp_path / "train" / name).touch()
    error_line(lambda: source.load("train"), "found 3 other files", ".csv, .txt, no extension", "--data.root")


def test_folder_that_may_not_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "train").mkdir()
    monkeypatch.setattr(Path, "iterdir", refuse)
    error_line(lambda: FolderSource(tmp_path, 8).load("train"), "Permission denied", str(tmp_path / "train"))


def test_folder_source_refuses_a_size_below_one() -> None:
    error_line(lambda: FolderSource("anywhere", 0), "image size", "found 0")


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_goes_to_stderr_for_many_files_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    for name in ("a", "b"):
        save(tmp_path / "train" / f"{name}.png", noise())
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    FolderSource(tmp_path, 8).load("train")
    assert capsys.readouterr() == ("", "")  # two files take no time
    monkeypatch.setattr(image_io, "_PROGRESS_FROM", 1)
    FolderSource(tmp_path, 8).load("train")
    out, err = capsys.readouterr()
    assert out == ""
    assert ("Reading train" in err) == terminal


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_files_are_read_in_parts_that_make_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    for seed in range(5):
        save(tmp_path / "train" / f"{seed}.png", noise(seed=seed))
    monkeypatch.setattr(image_io, "_AT_ONCE", at_once)
    pixels = FolderSource(tmp_path, 8).load("train").pixels.permute(0, 2, 3, 1)
    assert np.array_equal(pixels, [noise(seed=seed) for seed in range(5)])


# --- SyntheticSource --------------------------------------------------------------------------------------


def draw(count: int, size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, size, size), generator=generator, dtype=torch.uint8)


def test_synthetic_splits_differ_and_repeat() -> None:
    source = SyntheticSource(draw, 8, train_images=13, val_images=4, seed=5)
    train, val, test = source.load("train"), source.load("val"), source.load("test")
    assert (len(train), len(val), len(test)) == (13, 4, 4)
    assert train.names[12] == "train_00012"
    assert test.names == ("test_00000", "test_00001", "test_00002", "test_00003")
    assert not torch.equal(train.pixels[:4], val.pixels)
    assert not torch.equal(val.pixels, test.pixels)
    again = SyntheticSource(draw, 8, train_images=13, val_images=4, seed=5)
    assert torch.equal(again.load("train").pixels, train.pixels)


def test_synthetic_seeds_share_no_split() -> None:
    seeds: list[int] = []

    def note(count: int, size: int, seed: int) -> torch.Tensor:
        seeds.append(seed)
        return draw(count, size, seed)

    for seed in range(4):
        for split in ("train", "val", "test"):
            SyntheticSource(note, 4, 1, 1, seed).load(split)
    assert len(set(seeds)) == 12


@pytest.mark.parametrize("name", ["train_images", "val_images", "size"])
def test_synthetic_source_refuses_numbers_below_one(name: str) -> None:
    error_line(
        lambda: SyntheticSource(draw, **{"size": 8, name: -1}), name.replace("size", "image size"), "-1"
    )


def test_drawing_function_is_held_to_its_contract() -> None:
    source = SyntheticSource(lambda count, size, seed: draw(count, size, seed).float(), 8)
    error_line(lambda: source.load("train"), "torch.uint8 [N, 3, H, W]", "torch.float32 [2000, 3, 8, 8]")


# --- LFWSource --------------------------------------------------------------------------------------------

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


def test_lfw_follows_the_lists_and_keeps_the_middle(lfw: Path) -> None:
    source = LFWSource(lfw, 20)
    train, val, test = source.load("train"), source.load("val"), source.load("test")
    assert list(train.names) == LFW_NAMES["Train"]
    assert list(val.names) == list(test.names) == LFW_NAMES["Test"]
    assert train.pixels.shape == (4, 3, 20, 20)
    assert torch.equal(val.pixels, test.pixels)
    for index, image in enumerate([*train.pixels, *val.pixels]):
        expected = torch.tensor([0, 20 * index, 200]).view(3, 1, 1)
        assert (image.int() - expected).abs().max() <= 6  # JPEG; nothing of the frame


def test_lfw_keeps_150_pixels_of_250(lfw: Path) -> None:
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
def test_lfw_image_sets_have_a_folder_each(lfw: Path, image_set: str, folder: str) -> None:
    (lfw / "lfw-py" / "lfw_funneled").rename(lfw / "lfw-py" / folder)
    assert len(LFWSource(str(lfw), 8, image_set).load("train")) == 4  # type: ignore[arg-type]


def test_lfw_lists_may_have_windows_line_ends(lfw: Path) -> None:
    (lfw / "lfw-py" / "peopleDevTest.txt").write_bytes(b"1\r\nDee\t2\r\n\r\n")
    assert list(LFWSource(lfw, 8).load("val").names) == LFW_NAMES["Test"]


def test_lfw_says_how_to_place_it_by_hand(tmp_path: Path) -> None:
    error_line(
        lambda: LFWSource(tmp_path, 8).load("train"),
        f"no folder {tmp_path}/lfw-py",
        "peopleDevTrain.txt and peopleDevTest.txt",
        f"{tmp_path}/lfw-py/lfw_funneled/NAME/NAME_0001.jpg",
        "no automatic download",
        "lfw-funneled.tgz",
        "--data.source folder",
        "--data.source synthetic",
    )


def test_lfw_names_what_is_missing(lfw: Path) -> None:
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


# --- Cifar10Source ----------------------------------------------------------------------------------------


class OfficialPickler(pickle.Pickler):
    """Writes dtypes as the official files hold them: with integers, which some NumPy versions warn about."""

    def reducer_override(self, value: object) -> object:
        if isinstance(value, np.dtype):
            make, (kind, *_), state = value.__reduce__()
            return make, (kind, 0, 1), state
        return NotImplemented


def pickled(value: object) -> bytes:
    data = io.BytesIO()
    OfficialPickler(data, protocol=2).dump(value)
    return data.getvalue()


@dataclass
class TinyCifar10:
    """Fourteen images a file, in the official layout, and what must come out: each category's in order."""

    files: dict[str, bytes] = field(default_factory=dict)
    train: dict[int, list[np.ndarray]] = field(default_factory=dict)
    test: dict[int, list[np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        generator = np.random.default_rng(0)
        for name in [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]:
            rows = generator.integers(0, 256, (14, 3072), dtype=np.uint8)
            labels = [*range(10), *generator.integers(0, 10, 4).tolist()]
            generator.shuffle(labels)
            images = self.test if name == "test_batch" else self.train
            for row, label in zip(rows, labels, strict=True):
                images.setdefault(label, []).append(row.reshape(3, 32, 32))
            self.files[name] = pickled({"data": rows, "labels": labels})
        self.files["batches.meta"] = pickled({"label_names": list(CATEGORIES)})

    def archive(self) -> bytes:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as tar:
            for name, content in self.files.items():
                member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return data.getvalue()


@dataclass
class Site:
    """A server of one archive: what it answers can be changed, and it counts how often it was asked."""

    archive: bytes
    status: int = 200
    sent: int | None = None  # bytes of the body before the connection is cut; None for all
    requests: int = 0

    def __post_init__(self) -> None:
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests += 1
                self.send_response(site.status)
                self.send_header("Content-Length", str(len(site.archive)))
                self.end_headers()
                self.wfile.write(site.archive[: site.sent])

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/cifar-10-python.tar.gz"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def tiny() -> TinyCifar10:
    return TinyCifar10()


@pytest.fixture
def site(tiny: TinyCifar10, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    def md5(content: bytes) -> str:
        return hashlib.md5(content).hexdigest()

    site = Site(tiny.archive())
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(CIFAR10, "url", site.url)
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(site.archive))
    batches = [[name, md5(content)] for name, content in tiny.files.items() if name != "batches.meta"]
    monkeypatch.setattr(CIFAR10, "train_list", batches[:5])
    monkeypatch.setattr(CIFAR10, "test_list", batches[5:])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(tiny.files["batches.meta"])})
    yield site
    site.close()


def test_cifar10_gives_the_category_in_the_official_order(
    tmp_path: Path, tiny: TinyCifar10, site: Site
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for category in ("airplane", "horse", "truck"):
            source = Cifar10Source(tmp_path, category)
            label = CATEGORIES.index(category)
            for split, images in (("train", tiny.train), ("val", tiny.test), ("test", tiny.test)):
                loaded = source.load(split)
                assert np.array_equal(loaded.pixels.numpy(), np.stack(images[label]))
                assert loaded.names[0] == f"{category}_0000"
                assert loaded.pixels.is_contiguous()
                assert loaded.pixels.untyped_storage().nbytes() == loaded.pixels.numel()  # no other category


def test_cifar10_is_downloaded_once_and_leaves_only_the_finished_folder(tmp_path: Path, site: Site) -> None:
    Cifar10Source(tmp_path / "new" / "root").load("train")
    asked = site.requests
    assert asked > 0
    assert [path.name for path in (tmp_path / "new" / "root").iterdir()] == ["cifar-10-batches-py"]
    Cifar10Source(str(tmp_path / "new" / "root"), "cat").load("val")
    assert site.requests == asked


def no_server(site: Site, _monkeypatch: pytest.MonkeyPatch) -> None:
    site.close()


def not_found(site: Site, _monkeypatch: pytest.MonkeyPatch) -> None:
    site.status = 404


def wrong_md5(_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "tgz_md5", "0" * 32)


def body_cut(site: Site, _monkeypatch: pytest.MonkeyPatch) -> None:
    site.sent = len(site.archive) // 2


def answer_cut(site: Site, _monkeypatch: pytest.MonkeyPatch) -> None:
    site.sent = 0


def unknown_host(_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "url", "http://host.invalid/cifar-10-python.tar.gz")
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.parametrize(
    ("fail", "fault"),
    [
        (no_server, "refused"),
        (not_found, "HTTP Error 404"),
        (wrong_md5, "not the archive with md5 00000000000000000000000000000000"),
        (body_cut, "what arrived is incomplete"),
        (answer_cut, "what arrived is incomplete"),
        (unknown_host, "urlopen error"),
    ],
)
def test_failed_download_says_why_and_leaves_nothing(
    tmp_path: Path,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    fail: Callable[[Site, pytest.MonkeyPatch], None],
    fault: str,
) -> None:
    fail(site, monkeypatch)
    error_line(
        lambda: Cifar10Source(tmp_path).load("train"),
        fault,
        CIFAR10.url,
        f"by hand as {tmp_path}/cifar-10-python.tar.gz",
        f"{tmp_path}/cifar-10-batches-py",
        "--data.source folder",
        "--data.source synthetic",
    )
    assert list(tmp_path.iterdir()) == []


def test_download_works_after_one_that_failed(tmp_path: Path, site: Site) -> None:
    site.sent = 100
    error_line(lambda: Cifar10Source(tmp_path).load("train"), "incomplete")
    site.sent = None
    assert len(Cifar10Source(tmp_path).load("train")) > 0


@pytest.mark.usefixtures("site")
def test_interrupted_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_self: tarfile.TarFile, path: str, **_options: object) -> None:
        (Path(path) / "cifar-10-batches-py").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(tarfile.TarFile, "extractall", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Cifar10Source(tmp_path).load("train")
    assert list(tmp_path.iterdir()) == []


def test_archive_placed_by_hand_needs_no_server(tmp_path: Path, tiny: TinyCifar10, site: Site) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(site.archive)
    images = Cifar10Source(tmp_path, "ship").load("test")
    assert np.array_equal(images.pixels.numpy(), np.stack(tiny.test[8]))
    assert site.requests == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["cifar-10-batches-py", "cifar-10-python.tar.gz"]


def test_damaged_archive_placed_by_hand_is_refused_and_kept(tmp_path: Path, site: Site) -> None:
    archive = tmp_path / "cifar-10-python.tar.gz"
    archive.write_bytes(site.archive[:-10])
    error_line(
        lambda: Cifar10Source(tmp_path).load("train"), str(archive), "found an incomplete", "replace it"
    )
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]
    assert site.requests == 0


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("data_batch_3", "data_batch_3 damaged"),
        ("batches.meta", "batches.meta damaged"),
        ("test_batch", "test_batch missing"),
    ],
)
def test_damaged_folder_names_the_file(tmp_path: Path, name: str, fault: str) -> None:
    Cifar10Source(tmp_path).load("train")
    folder = tmp_path / "cifar-10-batches-py"
    if "missing" in fault:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(b"other content")
    error_line(lambda: Cifar10Source(tmp_path).load("train"), str(folder), fault, "delete the folder")


def test_another_process_may_finish_first(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def after_the_other(self: Path, target: Path) -> Path:
        with tarfile.open(fileobj=io.BytesIO(site.archive)) as tar:
            tar.extractall(tmp_path)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", after_the_other)
    assert len(Cifar10Source(tmp_path).load("train")) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-10-batches-py"]


@pytest.mark.usefixtures("site")
def test_cifar10_root_that_is_a_file(tmp_path: Path) -> None:
    root = save(tmp_path / "a.png", noise())
    error_line(lambda: Cifar10Source(root).load("train"), str(root), "File exists", "--data.source folder")


def test_unknown_category_lists_the_ten() -> None:
    error_line(
        lambda: Cifar10Source("anywhere", "unicorn"),
        "airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck",
        "'unicorn'",
    )


def test_failed_download_leaves_no_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/nothing.tar.gz")
    error_line(lambda: Cifar10Source(tmp_path / "new").load("train"), "--data.source synthetic")
    assert not (tmp_path / "new").exists()

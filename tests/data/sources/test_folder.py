from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from image_helpers import error_line, noise, save
from imgcolor.data import image_io
from imgcolor.data.image_io import read_image
from imgcolor.data.sources import FolderSource


def test_images_are_in_the_order_of_their_relative_paths(tmp_path: Path) -> None:
    names = ["10.png", "2.png", "B/1.PNG", "a/b/c.Jpeg", "a.bmp", "z/1.webp"]
    for seed, name in enumerate(names):
        save(tmp_path / "train" / name, noise(seed=seed))
    images = FolderSource(tmp_path, 8).load("train")
    assert images.names == tuple(sorted(names))
    assert images.pixels.shape == (6, 3, 8, 8)
    for name, pixels in zip(images.names, images.pixels, strict=True):
        assert torch.equal(pixels, read_image(tmp_path / "train" / name, 8))


def test_hidden_files_and_other_extensions_are_ignored(tmp_path: Path) -> None:
    save(tmp_path / "val" / "a.png", noise())
    for name in ("._a.png", ".thumbnails/a.png", "labels.csv", "features.h5", "README", "a.png.bak"):
        path = tmp_path / "val" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("no image")
    assert FolderSource(str(tmp_path), 8).load("val").names == ("a.png",)


def test_test_is_val_only_if_there_is_no_test(tmp_path: Path) -> None:
    save(tmp_path / "val" / "v.png", noise())
    assert FolderSource(tmp_path, 8).load("test").names == ("v.png",)
    save(tmp_path / "test" / "t.png", noise())
    assert FolderSource(tmp_path, 8).load("test").names == ("t.png",)
    (tmp_path / "test" / "t.png").unlink()
    error_line(lambda: FolderSource(tmp_path, 8).load("test"), str(tmp_path / "test"), "found 0 other files")


def test_linked_folders_are_read_and_circular_links_are_not_followed(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere" / "a.png", noise())
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "horse").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path / "train")
    assert FolderSource(tmp_path, 8).load("train").names == ("horse/a.png",)


def test_the_error_names_the_first_bad_file(tmp_path: Path) -> None:
    for index in range(30):
        save(tmp_path / "train" / f"{index:02d}.png", noise())
    for name in ("07.png", "21.png"):
        (tmp_path / "train" / name).write_bytes(b"")
    source = FolderSource(tmp_path, 8)
    error_line(lambda: source.load("train"), f"{tmp_path / 'train' / '07.png'} is empty")


def test_a_broken_link_among_the_images_is_an_error(tmp_path: Path) -> None:
    save(tmp_path / "train" / "a.png", noise())
    (tmp_path / "train" / "b.png").symlink_to("nowhere")
    error_line(lambda: FolderSource(tmp_path, 8).load("train"), "b.png is a broken link")


def test_missing_root(tmp_path: Path) -> None:
    root = tmp_path / "gone"
    error_line(
        lambda: FolderSource(root, 8).load("train"), f"found nothing at {root}", f"{root}/val", "--data.root"
    )


def test_root_that_is_a_file(tmp_path: Path) -> None:
    root = save(tmp_path / "a.png", noise())
    error_line(lambda: FolderSource(root, 8).load("train"), f"found a file at {root}", "--data.root")


def test_the_error_for_a_missing_split_names_the_existing_folders(tmp_path: Path) -> None:
    for name in ("training", "validation"):
        (tmp_path / name).mkdir()
    source = FolderSource(tmp_path, 8)
    message = error_line(lambda: source.load("train"), f"{tmp_path / 'train'} is not a folder", "--data.root")
    assert "found the folders: training, validation;" in message
    (tmp_path / "train").mkdir()
    error_line(lambda: source.load("test"), f"{tmp_path / 'val'} is not a folder")


def test_folder_without_splits_is_its_own_test_split(tmp_path: Path) -> None:
    save(tmp_path / "holiday" / "b.png", noise())
    save(tmp_path / "a.png", noise())
    assert FolderSource(tmp_path, 8).load("test").names == ("a.png", "holiday/b.png")


def test_the_error_for_a_split_without_images_names_the_existing_extensions(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    source = FolderSource(tmp_path, 8)
    error_line(lambda: source.load("train"), f"{tmp_path / 'train'}: expected images", "found 0 other files")
    for name in ("a.txt", "b.CSV", "c"):
        (tmp_path / "train" / name).touch()
    error_line(lambda: source.load("train"), "found 3 other files", ".csv, .txt, no extension", "--data.root")


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "train").mkdir()
    monkeypatch.setattr(Path, "iterdir", refuse)
    error_line(lambda: FolderSource(tmp_path, 8).load("train"), "Permission denied", str(tmp_path / "train"))


def test_a_size_below_one_is_refused() -> None:
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
def test_reading_files_in_parts_gives_all_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    for seed in range(5):
        save(tmp_path / "train" / f"{seed}.png", noise(seed=seed))
    monkeypatch.setattr(image_io, "_AT_ONCE", at_once)
    pixels = FolderSource(tmp_path, 8).load("train").pixels.permute(0, 2, 3, 1)
    assert np.array_equal(pixels, [noise(seed=seed) for seed in range(5)])

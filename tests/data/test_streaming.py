"""Chunks of images: written, read from a folder and from a web server, and streamed in training."""

import functools
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from image_helpers import error_line, noise, save
from imgcolor.cli.main import main
from imgcolor.data import FolderSource, PhotoColourizationDataModule, PhotoPatchSource, StreamSource
from imgcolor.data.stream_writer import write_stream

pytest.importorskip("litdata")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for split, count in (("train", 23), ("val", 5)):
        for number in range(count):
            save(tmp_path / "photos" / split / f"{number:02}.png", noise(20, 24, number))
    return tmp_path / "photos"


@pytest.fixture
def chunks(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("imgcolor.data.stream_writer._CHUNK_BYTES", 4000)  # 5 images of 16×16
    output = photos.parent / "chunks"
    assert write_stream(photos, str(output), 16, workers=2) == (28, [])
    return output


@pytest.fixture
def url(chunks: Path) -> Iterator[str]:
    """A web server with the chunks."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(chunks))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def stream(root: Path | str, **options: object) -> PhotoColourizationDataModule:
    return PhotoColourizationDataModule(source="stream", root=root, size=16, batch_size=4, seed=3, **options)


def epochs(data: PhotoColourizationDataModule, count: int) -> list[list[torch.Tensor]]:
    loader = data.train_dataloader()
    batches = []
    for epoch in range(count):
        loader.epoch = lambda epoch=epoch: epoch
        batches.append(list(loader))
    return batches


def as_set(pixels: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in pixels}


def test_images_are_those_of_the_folder(photos: Path, chunks: Path) -> None:
    assert len(list((chunks / "train").glob("*.bin"))) > 3
    for split in ("val", "test"):
        expected, found = FolderSource(photos, 16).load(split), StreamSource(chunks, 16).load(split)
        assert found.names == expected.names
        assert torch.equal(found.pixels, expected.pixels)
    expected, found = FolderSource(photos, 16).load("train"), StreamSource(chunks, 16).load("train")
    assert dict(zip(found.names, map(bytes, found.pixels.flatten(1).numpy()), strict=True)) == dict(
        zip(expected.names, map(bytes, expected.pixels.flatten(1).numpy()), strict=True)
    )
    assert found.names != expected.names  # in random order


def test_patches_are_those_of_the_photos(photos: Path, tmp_path: Path) -> None:
    write_stream(photos, str(tmp_path / "patches"), 12, patch_scales=(1.0, 0.6), workers=1)
    for split in ("train", "val"):
        expected = PhotoPatchSource(photos, 12, (1.0, 0.6)).load(split)
        found = StreamSource(tmp_path / "patches", 12).load(split)
        assert sorted(found.names) == sorted(expected.names)
        assert as_set(found.pixels) == as_set(expected.pixels)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_epoch_has_each_image_once_in_an_order_of_its_own(
    photos: Path, chunks: Path, workers: int
) -> None:
    first, second = epochs(stream(chunks, workers=workers), 2)
    assert [len(batch) for batch in first] == [4, 4, 4, 4, 4, 3] or workers == 2
    everything = as_set(FolderSource(photos, 16).load("train").pixels)
    for epoch in (first, second):
        assert sum(map(len, epoch)) == 23
        assert as_set(torch.cat(epoch)) == everything
    assert not torch.equal(torch.cat(first), torch.cat(second))
    again = epochs(stream(chunks, workers=workers), 2)
    assert torch.equal(torch.cat(again[1]), torch.cat(second))


def test_a_web_server_gives_the_same_batches_as_the_folder(chunks: Path, url: str, tmp_path: Path) -> None:
    expected, found = StreamSource(chunks, 16).load("val"), StreamSource(url, 16).load("val")
    assert found.names == expected.names
    assert torch.equal(found.pixels, expected.pixels)
    for one, other in zip(epochs(stream(chunks), 2), epochs(stream(url), 2), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_changed_stream_replaces_the_one_in_the_cache(
    photos: Path, chunks: Path, url: str, tmp_path: Path
) -> None:
    StreamSource(url, 16).load("val")
    (before,) = (tmp_path / "cache" / "imgcolor").iterdir()
    save(photos / "val" / "00.png", noise(20, 24, 99))
    save(photos / "val" / "05.png", noise(20, 24, 5))
    write_stream(photos, str(chunks), 16, overwrite=True)
    assert torch.equal(StreamSource(url, 16).load("val").pixels, FolderSource(photos, 16).load("val").pixels)
    (after,) = (tmp_path / "cache" / "imgcolor").iterdir()
    assert before != after


@pytest.mark.parametrize("given", [1, 3, 5, 6])
def test_a_loader_goes_on_in_the_middle_of_an_epoch(chunks: Path, given: int) -> None:
    expected = epochs(stream(chunks), 3)
    loader = stream(chunks).train_dataloader()
    loader.epoch = lambda: 1
    batches = iter(loader)
    for _ in range(given):
        next(batches)
    state = loader.state_dict()
    assert all(isinstance(value, int) for value in state.values())
    resumed = stream(chunks).train_dataloader()
    resumed.load_state_dict(state)
    resumed.epoch = lambda: 1
    if given < 6:
        assert torch.equal(torch.cat(list(resumed)), torch.cat(expected[1][given:]))
    resumed.epoch = lambda: 2
    assert torch.equal(torch.cat(list(resumed)), torch.cat(expected[2]))


def test_mistakes_are_reported_in_one_line(photos: Path, chunks: Path, url: str) -> None:
    error_line(lambda: StreamSource(photos, 16).load("val"), "imgcolor stream", str(photos / "val"))
    error_line(lambda: StreamSource(f"{url}/nowhere", 16).load("val"), f"{url}/nowhere/val", "404")
    error_line(lambda: StreamSource(chunks, 8).load("val"), "8×8", "16×16", "--data.size")
    error_line(lambda: stream(chunks, holdout=0.1), "data.holdout")
    error_line(lambda: stream(chunks, workers=-1), "data.workers")
    error_line(lambda: write_stream(photos, str(chunks), 16), "--overwrite", str(chunks / "train"))
    state = stream(chunks).train_dataloader().state_dict()
    other = stream(chunks, workers=2).train_dataloader()
    error_line(lambda: other.load_state_dict(state), "data.workers: expected 1", "found 2")


def test_the_command_lists_photos_that_cannot_be_read(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "train" / "07.png").write_bytes(b"no image")
    assert main(["stream", str(photos), str(tmp_path / "chunks"), "--size", "16"]) == 1
    output = capsys.readouterr()
    assert "27 of 28 photos" in output.out
    assert "07.png" in output.err
    assert "1 of 28 photos could not be read" in output.err
    assert len(StreamSource(tmp_path / "chunks", 16).load("train")) == 22
    assert main(["stream", str(photos), str(tmp_path / "other"), "--size", "16", "--scales", "0.5"]) == 2
    assert "--patches" in capsys.readouterr().err


@pytest.mark.slow
def test_memory_is_flat(tmp_path: Path) -> None:
    """A set that is 123 MB larger takes the same memory."""
    code = """
import sys
from pathlib import Path
import psutil
from imgcolor.data import PhotoColourizationDataModule
loader = PhotoColourizationDataModule(source="stream", root=sys.argv[1], size=64).train_dataloader()
most = 0
for number, batch in enumerate(loader):
    if number % 20 == 0:
        processes = [psutil.Process(), *psutil.Process().children()]
        most = max(most, sum(process.memory_full_info().pss for process in processes))
print(most)
"""
    peaks = []
    for count in (5_000, 15_000):
        folder = tmp_path / str(count)
        write_noise(folder / "train", count)
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout) / 1e6)
    assert peaks[1] < peaks[0] + 30, peaks


def write_noise(folder: Path, count: int) -> None:
    """Write chunks of random images, without photo files."""
    from litdata import optimize

    optimize(
        lambda number: {"name": str(number), "pixels": noise(64, 64, number).transpose(2, 0, 1).copy()},
        inputs=list(range(count)),
        output_dir=str(folder),
        chunk_bytes="4MB",
        num_workers=1,
        start_method="fork",
        verbose=False,
    )

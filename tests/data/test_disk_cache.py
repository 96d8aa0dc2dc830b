import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgcolor.cli.main import main
from imgcolor.data import HorseColourizationDataModule
from imgcolor.data.disk_cache import cache_folder, free_memory
from imgcolor.data.sources import FolderSource
from imgcolor.utils.errors import ImgcolorError


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 4)):
        (tmp_path / "photos" / split).mkdir(parents=True)
        for number in range(count):
            image = Image.fromarray(rng.integers(0, 256, (20, 16, 3), dtype=np.uint8))
            image.save(tmp_path / "photos" / split / f"{number:02}.png")
    return tmp_path / "photos"


def cached() -> list[Path]:
    return sorted(cache_folder().glob("*.uint8"))


def test_memory_of_cached_files_counts_as_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 300000\ninactive_file 500000\n")
    monkeypatch.setattr("imgcolor.data.disk_cache._GROUP", tmp_path)
    assert free_memory() == 600_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory() > 1_000_000  # the machine's


def test_images_beyond_the_limit_are_equal_to_those_in_memory(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_memory = FolderSource(photos, 16).load("train")
    assert not cache_folder().exists()
    from_disk = FolderSource(photos, 16, memory_limit=0).load("train")
    assert torch.equal(from_disk.pixels, in_memory.pixels)
    assert from_disk.names == in_memory.names
    (line,) = capsys.readouterr().err.splitlines()
    assert "12 images" in line
    assert "memory limit" in line
    (file,) = cached()
    assert str(file) in line
    assert file.stat().st_size == in_memory.pixels.numel()


def test_the_file_is_written_once_and_again_if_the_folder_changes(photos: Path) -> None:
    source = FolderSource(photos, 16, memory_limit=0)
    before = source.load("train")
    (first,) = cached()
    made = first.stat().st_mtime_ns
    source.load("train")
    assert first.stat().st_mtime_ns == made
    Image.new("RGB", (16, 16), (1, 2, 3)).save(photos / "train" / "00.png")
    after = source.load("train")
    (second,) = cached()  # the old one is gone
    assert second != first
    assert after.pixels[0].flatten(1).T.unique(dim=0).tolist() == [[1, 2, 3]]
    assert torch.equal(after.pixels[1:], before.pixels[1:])
    assert FolderSource(photos, 8, memory_limit=0).load("train").pixels.shape == (12, 3, 8, 8)
    assert len(cached()) == 2  # another size is another file


def test_different_paths_of_one_folder_have_one_file(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FolderSource(photos, 16, memory_limit=0).load("train")
    (first,) = cached()
    made = first.stat().st_mtime_ns
    monkeypatch.chdir(photos)
    FolderSource(Path(), 16, memory_limit=0).load("train")
    assert [(path, path.stat().st_mtime_ns) for path in cached()] == [(first, made)]


def test_files_of_a_killed_process_are_removed(photos: Path) -> None:
    FolderSource(photos, 16, memory_limit=0).load("train")
    (file,) = cached()
    left = file.with_name(f"{file.name.partition('-')[0]}-0123.part")
    left.write_bytes(b"half")
    file.unlink()
    FolderSource(photos, 16, memory_limit=0).load("train")
    assert cached() == [file]
    assert not left.exists()


def test_a_holdout_that_does_not_fit_in_memory_is_refused(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgcolor.data.disk_cache.free_memory", lambda: 100)
    data = HorseColourizationDataModule(source="folder", root=photos, size=16, holdout=0.25)
    with pytest.raises(ImgcolorError, match="holdout"):
        data.setup("fit")


def test_a_bad_image_leaves_no_file(photos: Path) -> None:
    (photos / "train" / "05.png").write_bytes(b"no image")
    with pytest.raises(ImgcolorError, match=r"05\.png"):
        FolderSource(photos, 16, memory_limit=0).load("train")
    assert not [path for path in cache_folder().iterdir() if path.suffix != ".lock"]


def test_a_full_disk_is_reported_in_one_line(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Larger than any disk: the real system call refuses it.
    fallocate = os.posix_fallocate
    monkeypatch.setattr(os, "posix_fallocate", lambda file, start, _: fallocate(file, start, 2**62))
    with pytest.raises(ImgcolorError, match="XDG_CACHE_HOME"):
        FolderSource(photos, 16, memory_limit=0).load("train")
    assert not cached()


@pytest.mark.slow
def test_several_processes_share_one_file(photos: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from imgcolor.data.sources import FolderSource; "
        "print(int(FolderSource(Path(sys.argv[1]), 16, memory_limit=0).load('train').pixels.sum()))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(photos)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sums = {process.communicate()[0].strip() for process in processes}
    assert sums == {str(int(FolderSource(photos, 16).load("train").pixels.sum()))}
    assert len(cached()) == 1


def test_a_fit_from_disk_gives_the_metrics_of_a_fit_from_memory(photos: Path, workplace: Path) -> None:
    experiment = str(Path(__file__).parents[2] / "experiments" / "horses" / "regression_cnn.yaml")
    options = ["--data.source=folder", f"--data.root={photos}", "--model.network.base_channels=2"]
    options += ["--trainer.max_epochs=1", "--trainer.enable_progress_bar=false", "--data.batch_size=5"]
    for limit in ("null", "0"):
        assert main(["fit", "--config", experiment, *options, f"--data.memory_limit={limit}"]) == 0
    runs = workplace / "lightning_logs" / "horses_regression_cnn"
    first, second = ((runs / f"version_{n}" / "metrics.json").read_text() for n in (0, 1))
    assert first.split('"val/')[1:] == second.split('"val/')[1:]


@pytest.mark.parametrize("limit", [-1.0, float("nan")])
def test_bad_limits_are_refused(limit: float, tmp_path: Path) -> None:
    with pytest.raises(ImgcolorError, match="memory_limit"):
        HorseColourizationDataModule(source="folder", root=tmp_path, memory_limit=limit)

"""Tests of the parallel conversion of photo files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from imgcolor.pipelines import photo_conversion
from imgcolor.pipelines.jobs import PhotoJob
from imgcolor.pipelines.photo_conversion import Conversion, convert_photos
from imgcolor.pipelines.previews import colourized_previews


def make_jobs(folder: Path, count: int) -> list[PhotoJob]:
    """Write photos of one grey level each, their number, in two sizes; number 5 is damaged."""
    for number in range(count):
        Image.new("L", (12, 8) if number % 3 else (8, 8), number).save(folder / f"{number:02}.png")
    (folder / "05.png").write_bytes(b"no image")
    return [PhotoJob(path, folder / "out" / path.name) for path in sorted(folder.glob("*.png"))]


def lighter(pixels: Tensor) -> Tensor:
    return pixels.expand(-1, 3, -1, -1) + 100 / 255


@pytest.mark.parametrize("threads", [1, 3])
def test_many_batches_in_parallel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(photo_conversion, "_CHUNK_PHOTOS", 4)
    jobs = make_jobs(tmp_path, 30)
    before, conversion, advanced = torch.get_num_threads(), Conversion(), list[int]()
    torch.set_num_threads(threads)
    try:
        convert_photos(
            jobs,
            lighter,
            conversion,
            previews=7,
            make_previews=lambda photo, result: colourized_previews(
                photo, result, to_grey=lambda pixels: pixels
            ),
            advance=advanced.append,
        )
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert conversion.done == 29
    assert len(conversion.failures) == 1
    assert "05.png" in conversion.failures[0]
    assert sum(advanced) == 30
    assert [Path(name).stem for name in conversion.previews] == ["00", "01", "02", "03", "04", "06", "07"]
    for job in jobs:
        if job.source.stem != "05":
            with Image.open(job.target) as image:
                assert image.size == Image.open(job.source).size
                assert (np.array(image) == int(job.source.stem) + 100).all()


def test_strict_and_errors_stop_and_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_conversion, "_CHUNK_PHOTOS", 1)
    jobs = make_jobs(tmp_path, 30)
    conversion = Conversion()
    convert_photos(jobs, lighter, conversion, strict=True)
    assert len(conversion.failures) == 1
    assert conversion.done == len(list((tmp_path / "out").iterdir())) < 29

    def fail(pixels: Tensor) -> Tensor:
        if pixels.max() > 10 / 255:
            raise KeyboardInterrupt
        return lighter(pixels)

    conversion = Conversion()
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    with pytest.raises(KeyboardInterrupt):
        convert_photos(jobs, fail, conversion)
    assert conversion.done == len(list((tmp_path / "out").iterdir())) == 10

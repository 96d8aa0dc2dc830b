"""DataModules for photos: what a training batch of them holds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from image_helpers import error_line, noise, save
from imgcolor.data import (
    FolderSource,
    PhotoColourizationDataModule,
    PhotoPatchSource,
    PhotoSuperResolutionDataModule,
    RandomSquareCrop,
)
from imgcolor.data.samplers import TrainingSampler
from imgcolor.utils.errors import ImgcolorError


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Return two folders with 6 and 2 training photos."""
    roots = [tmp_path / "photos", tmp_path / "faces"]
    for root, count in zip(roots, (6, 2), strict=True):
        for split in ("train", "val"):
            for number in range(count):
                save(root / split / f"{number}.png", noise(8, 8, seed=number))
    return roots


def test_folders_are_mixed_in_order(folders: list[Path]) -> None:
    datamodule = PhotoColourizationDataModule(roots=folders, size=8)
    images = datamodule.images("train")
    assert images.names[0] == "0/0.png"
    assert images.names[-1] == "1/1.png"
    alone = [FolderSource(root, 8).load("train").pixels for root in folders]
    assert torch.equal(images.pixels, torch.cat(alone))
    assert images.groups is not None
    assert images.groups.tolist() == [0] * 6 + [1] * 2


def test_weights_decide_how_often_folders_are_used(folders: list[Path]) -> None:
    datamodule = PhotoColourizationDataModule(roots=folders, weights=[1, 3], size=8, batch_size=3)
    loader = datamodule.train_dataloader()
    groups = datamodule.images("train").groups
    assert groups is not None
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        drawn = torch.cat(list(loader.sampler))  # type: ignore[arg-type]
        assert len(drawn) == 8
        assert int((groups[drawn] == 1).sum()) == 6
        assert torch.bincount(drawn, minlength=8)[6:].tolist() == [
            3,
            3,
        ]  # each of the two photos equally often


def test_without_weights_each_photo_is_used_once(folders: list[Path]) -> None:
    loader = PhotoColourizationDataModule(roots=folders, size=8).train_dataloader()
    assert sorted(torch.cat(list(loader.sampler)).tolist()) == list(range(8))  # type: ignore[arg-type]


def test_a_weighted_epoch_depends_only_on_seed_and_epoch() -> None:
    groups = torch.tensor([0] * 20 + [1] * 5)
    samplers = [TrainingSampler(25, 4, seed=3, groups=groups, weights=[1, 1]) for _ in range(2)]
    for sampler in samplers:
        sampler.set_epoch(7)
    first, second = (torch.cat(list(sampler)).tolist() for sampler in samplers)
    assert first == second
    samplers[1].set_epoch(8)
    assert torch.cat(list(samplers[1])).tolist() != first


def test_held_out_photos_keep_their_folders(folders: list[Path]) -> None:
    datamodule = PhotoColourizationDataModule(roots=folders, weights=[1, 1], size=8, holdout=0.25)
    images = datamodule.images("train")
    assert images.groups is not None
    assert [name[0] for name in images.names] == [str(group) for group in images.groups.tolist()]


@pytest.mark.parametrize("weights", [[1.0], [1.0, 2.0, 3.0]])
def test_weights_that_do_not_fit_the_folders_are_refused(folders: list[Path], weights: list[float]) -> None:
    error_line(
        lambda: PhotoColourizationDataModule(roots=folders, weights=weights), "data.weights", "2 folders"
    )


@pytest.mark.parametrize("weights", [[1.0, 0.0], [1.0, float("nan")], [-1.0, 1.0]])
def test_weights_have_to_be_above_zero(folders: list[Path], weights: list[float]) -> None:
    datamodule = PhotoColourizationDataModule(roots=folders, weights=weights, size=8)
    error_line(datamodule.train_dataloader, "data.weights", "above 0")


def gradient(height: int, width: int) -> np.ndarray:
    """Return a photo whose pixels tell where they are: red is the row, green the column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.zeros_like(rows)], axis=-1).astype(np.uint8)


def test_patches_cover_the_whole_photo(tmp_path: Path) -> None:
    save(tmp_path / "train" / "a.png", gradient(50, 37))
    images = PhotoPatchSource(tmp_path, 16).load("train")
    seen = np.zeros((50, 37), int)
    for pixels, name in zip(images.pixels, images.names, strict=True):
        top, left = int(pixels[0, 0, 0]), int(pixels[1, 0, 0])
        assert name == f"a.png 1 {top},{left}"
        assert torch.equal(pixels[0, :, 0], torch.arange(top, top + 16, dtype=torch.uint8))
        assert torch.equal(pixels[1, 0], torch.arange(left, left + 16, dtype=torch.uint8))
        seen[top : top + 16, left : left + 16] += 1
    assert seen.min() >= 1


def test_validation_patches_overlap_no_more_than_they_must(tmp_path: Path) -> None:
    save(tmp_path / "val" / "a.png", gradient(32, 48))
    assert len(PhotoPatchSource(tmp_path, 16, scales=[1.0, 0.5]).load("val")) == 6


def test_smaller_copies_are_pillows(tmp_path: Path) -> None:
    photo = save(tmp_path / "train" / "a.png", noise(40, 32))
    images = PhotoPatchSource(tmp_path, 16, scales=[1.0, 0.5, 0.2]).load(
        "train"
    )  # 0.2 is smaller than a patch
    small = np.asarray(Image.open(photo).resize((16, 20), Image.Resampling.BICUBIC))
    halves = {
        name: pixels for name, pixels in zip(images.names, images.pixels, strict=True) if " 0.5 " in name
    }
    assert sorted(halves) == ["a.png 0.5 0,0", "a.png 0.5 4,0"]
    assert np.array_equal(halves["a.png 0.5 4,0"].permute(1, 2, 0).numpy(), small[4:])


def test_patches_of_a_rotated_photo_are_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    save(tmp_path / "train" / "a.png", gradient(20, 40), exif=exif)
    images = PhotoPatchSource(tmp_path, 20).load("train")
    assert [name.rpartition(" ")[2] for name in images.names] == ["0,0", "10,0", "20,0"]


def test_a_photo_smaller_than_a_patch_is_named(tmp_path: Path) -> None:
    save(tmp_path / "train" / "small.png", noise(15, 30))
    error_line(lambda: PhotoPatchSource(tmp_path, 16).load("train"), "small.png", "30×15", "--data.size")


def test_large_sets_of_patches_come_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    save(tmp_path / "train" / "a.png", gradient(40, 40))
    in_memory = PhotoPatchSource(tmp_path, 16).load("train")
    on_disk = PhotoPatchSource(tmp_path, 16, memory_limit=0).load("train")
    assert torch.equal(in_memory.pixels, on_disk.pixels)
    assert "more than the memory limit" in capsys.readouterr().err
    coarser = PhotoPatchSource(tmp_path, 16, scales=[0.5], memory_limit=0).load("train")
    assert len(coarser) != len(on_disk)  # other settings are another file


def test_crops_are_one_of_eight_symmetries() -> None:
    image = torch.from_numpy(gradient(6, 6)).permute(2, 0, 1)
    crops = RandomSquareCrop(6)(image.expand(200, 3, 6, 6))
    expected = {
        tuple(torch.rot90(side, turns, (1, 2)).flatten().tolist())
        for side in (image, image.flip(2))
        for turns in range(4)
    }
    assert {tuple(crop.flatten().tolist()) for crop in crops} == expected


def test_crops_come_from_everywhere() -> None:
    image = torch.from_numpy(gradient(9, 12)).permute(2, 0, 1)
    crops = RandomSquareCrop(4)(image.expand(500, 3, 9, 12))
    assert set(crops[:, 0].flatten(1).amin(1).tolist()) == set(range(6))
    assert set(crops[:, 1].flatten(1).amin(1).tolist()) == set(range(9))


def test_super_resolution_batches_are_degraded_crops() -> None:
    datamodule = PhotoSuperResolutionDataModule(
        "synthetic", size=24, crop_size=16, train_images=4, val_images=2
    )
    crops = datamodule.augmentation(next(iter(datamodule.train_dataloader())))
    batch = datamodule.batch(crops)
    assert batch.original.shape == (4, 3, 16, 16)
    assert batch.degraded.shape == (4, 3, 4, 4)
    assert torch.equal(batch.degraded, datamodule.degradation(batch.original))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"size": 50}, ("data.size", "multiple of the scale_factor 4")),
        ({"crop_size": 50}, ("data.crop_size", "multiple")),
        ({"size": 48, "crop_size": 96}, ("data.crop_size", "at most")),
        ({"scales": [0.0], "source": "folder"}, ("data.scales", "(0, 1]")),
    ],
)
def test_sizes_that_do_not_fit_are_refused(arguments: dict[str, object], parts: tuple[str, ...]) -> None:
    with pytest.raises(ImgcolorError) as caught:
        PhotoSuperResolutionDataModule(**arguments)  # type: ignore[arg-type]
    assert all(part in str(caught.value) for part in parts)

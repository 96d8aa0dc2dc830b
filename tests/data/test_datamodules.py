import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image

from imgcolor.cli.main import main
from imgcolor.data import (
    Batch,
    FaceColourizationDataModule,
    HorseColourizationDataModule,
    HorseSuperResolutionDataModule,
    ImageDataModule,
    ImageSet,
    MeanGrey,
)
from imgcolor.data.samplers import EvaluationSampler, InMemoryImages, TrainingSampler
from imgcolor.networks import RegressionCNN
from imgcolor.tasks import ColourRegression
from imgcolor.utils.errors import ImgcolorError


def test_batch_is_in_the_unit_range_and_exact() -> None:
    datamodule = HorseColourizationDataModule(train_images=3, val_images=3)
    pixels = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(1, 3, 16, 16)
    batch = datamodule.batch(pixels)
    assert torch.equal(batch.original, pixels.double().div(255).float())
    assert batch.degraded.shape == (1, 1, 16, 16)


def order(sampler: TrainingSampler, epoch: int) -> list[int]:
    sampler.set_epoch(epoch)
    return torch.cat(list(sampler)).tolist()


def test_the_order_depends_only_on_seed_and_epoch() -> None:
    sampler = TrainingSampler(23, 5, shuffle=True, seed=3)
    assert [len(batch) for batch in sampler] == [5, 5, 5, 5, 3]
    assert len(sampler) == 5
    first = order(sampler, 4)
    assert sorted(first) == list(range(23))
    torch.rand(5)
    np.random.default_rng(0).random(3)
    assert order(TrainingSampler(23, 5, shuffle=True, seed=3), 4) == first
    assert order(TrainingSampler(23, 7, shuffle=True, seed=3), 4) == first  # whatever the batch size
    assert order(sampler, 5) != first
    assert order(TrainingSampler(23, 5, shuffle=True, seed=4), 4) != first


@pytest.mark.parametrize("images", [2, 3, 8, 23, 24])
@pytest.mark.parametrize("processes", [1, 2])
def test_ranks_share_each_training_batch_equally(images: int, processes: int) -> None:
    one = TrainingSampler(images, 4 * processes, shuffle=True, seed=3)
    parts = [
        TrainingSampler(images, 4, shuffle=True, seed=3, num_replicas=processes, rank=process)
        for process in range(processes)
    ]
    assert all(len(part) == len(list(part)) == len(parts[0]) for part in parts)
    left_out = images % processes
    dealt = [torch.cat(batches) for batches in zip(*parts, strict=True)]
    for found, expected in zip(dealt, one, strict=False):
        assert set(found.tolist()) <= set(expected.tolist())
    assert len(set(torch.cat(dealt).tolist())) == len(torch.cat(dealt)) == images - left_out
    for batches in zip(*parts, strict=True):
        assert len({len(batch) for batch in batches}) == 1


@pytest.mark.parametrize("images", [3, 4, 10, 23, 101])
@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 5, 50])
def test_ranks_evaluate_each_image_once_in_equally_many_batches(
    images: int, processes: int, batch_size: int
) -> None:
    samplers = [
        EvaluationSampler(images, batch_size, num_replicas=processes, rank=process)
        for process in range(processes)
    ]
    dealt = [[list(range(images))[batch] for batch in sampler] for sampler in samplers]
    assert len({len(batches) for batches in dealt}) == 1
    assert all(len(batches) == len(sampler) for batches, sampler in zip(dealt, samplers, strict=True))
    assert [index for batches in dealt for batch in batches for index in batch] == list(range(images))
    assert all(0 < len(batch) <= max(2, batch_size) for batches in dealt for batch in batches)


def test_fewer_images_than_ranks() -> None:
    with pytest.raises(ImgcolorError, match="at least as many images as ranks, 3, found 2"):
        EvaluationSampler(2, 5, num_replicas=3, rank=0)


def test_evaluation_batches_are_in_order_and_share_memory() -> None:
    pixels = torch.randint(0, 256, (7, 3, 2, 2), dtype=torch.uint8)
    images = InMemoryImages(pixels)
    batches = [images[index] for index in EvaluationSampler(7, 3)]
    assert torch.equal(torch.cat(batches), pixels)
    assert batches[0].data_ptr() == pixels.data_ptr()


def test_indices_are_on_the_device_of_the_images() -> None:
    sampler = TrainingSampler(7, 3, device="meta")  # a device that every machine has
    images = InMemoryImages(torch.empty(7, 3, 2, 2, dtype=torch.uint8, device="meta"))
    assert [index.device.type for index in sampler] == ["meta"] * 3
    assert [(images[index].device.type, len(index)) for index in sampler] == [
        ("meta", 3),
        ("meta", 3),
        ("meta", 1),
    ]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="wants an NVIDIA GPU")
def test_images_are_in_gpu_memory_and_give_the_results_of_the_cpu(tmp_path: Path) -> None:
    found: dict[str, float] = {}
    where: dict[str, set[str]] = {"cpu": set(), "gpu": set()}

    class Look(Callback):
        def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
            for loader in (trainer.train_dataloader, trainer.val_dataloaders):
                where[accelerator].add(loader.dataset.pixels.device.type)

    for accelerator in ("cpu", "gpu"):
        torch.manual_seed(0)
        datamodule = HorseColourizationDataModule(train_images=30, val_images=10, batch_size=8)
        runner = Trainer(
            accelerator=accelerator, devices=1, max_epochs=2, logger=False, default_root_dir=tmp_path,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, callbacks=[Look()],
        )  # fmt: skip
        runner.fit(ColourRegression(RegressionCNN(4)), datamodule)
        for loader in (runner.train_dataloader, runner.val_dataloaders):
            assert loader.dataset.pixels.device.type == "cpu"  # the GPU has its memory back
            assert len(next(iter(loader))) > 0
        found[accelerator] = float(runner.callback_metrics["val/loss"])
    assert where == {"cpu": {"cpu"}, "gpu": {"cuda"}}
    assert found["gpu"] == pytest.approx(found["cpu"], rel=1e-2)  # cuDNN rounds more


def test_each_image_is_used_once_per_epoch() -> None:
    datamodule = HorseColourizationDataModule(train_images=13, val_images=3, batch_size=5)
    dealt = torch.cat(list(datamodule.train_dataloader()))
    expected = datamodule.images("train").pixels
    assert sorted(dealt.flatten(1).tolist()) == sorted(expected.flatten(1).tolist())


def test_without_shuffling_each_epoch_has_the_order_of_the_files() -> None:
    datamodule = HorseColourizationDataModule(train_images=13, val_images=3, batch_size=5, shuffle=False)
    loader = datamodule.train_dataloader()
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        assert torch.equal(torch.cat(list(loader)), datamodule.images("train").pixels)


def test_holdout_replaces_the_validation_images_only_in_a_fit(tmp_path: Path) -> None:
    options: dict[str, Any] = {"train_images": 20, "val_images": 7}
    whole = HorseColourizationDataModule(**options)
    datamodule = HorseColourizationDataModule(holdout=0.25, seed=1, **options)
    seen = {}

    class Task(LightningModule):
        def training_step(self, batch: Batch) -> None:
            seen.setdefault("train", []).append(batch.original)

        def validation_step(self, batch: Batch) -> None:
            seen.setdefault("val", []).append(batch.original)

        def configure_optimizers(self) -> None:
            pass

    def pixels(split: str) -> torch.Tensor:
        return (torch.cat(seen.pop(split)) * 255).round().to(torch.uint8)

    trainer = Trainer(
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=tmp_path,
        accelerator="cpu",
    )
    trainer.fit(Task(), datamodule)
    train, held = pixels("train"), pixels("val")
    assert (len(train), len(held)) == (15, 5)
    both = torch.cat([train, held]).flatten(1).tolist()
    assert sorted(both) == sorted(whole.images("train").pixels.flatten(1).tolist())
    other_seed = HorseColourizationDataModule(holdout=0.25, seed=2, **options)
    assert sorted(other_seed.images("train").pixels.tolist()) == sorted(train.tolist())
    assert torch.equal(datamodule.images("val").pixels, whole.images("val").pixels)
    trainer.validate(Task(), datamodule)
    assert torch.equal(pixels("val"), whole.images("val").pixels)


def test_augmentation_is_used_only_in_training(tmp_path: Path) -> None:
    class Black(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(pixels)

    datamodule = HorseColourizationDataModule(train_images=4, val_images=2, augmentation=Black())
    pixels = datamodule.images("train").pixels
    datamodule.trainer = Trainer(logger=False, default_root_dir=tmp_path, accelerator="cpu")
    for training in (True, False):
        datamodule.trainer.training = training
        batch = datamodule.on_after_batch_transfer(pixels, 0)
        assert bool(batch.original.any()) is not training
        assert bool(batch.degraded.any()) is not training


def test_the_seed_of_the_run_is_used_unless_another_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(**options: Any) -> torch.Tensor:
        datamodule = HorseColourizationDataModule(train_images=20, val_images=3, batch_size=20, **options)
        return next(iter(datamodule.train_dataloader()))

    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    unset = first()
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    assert not torch.equal(first(), unset)
    assert torch.equal(first(), first(seed=7))
    assert torch.equal(first(seed=0), unset)


def test_any_object_with_a_load_method_is_a_source() -> None:
    class Mine:
        def load(self, split: str) -> ImageSet:
            return ImageSet(torch.full((4, 3, 9, 11), len(split), dtype=torch.uint8), tuple("abcd"))

    datamodule = HorseColourizationDataModule(source=Mine())
    datamodule.prepare_data()
    datamodule.setup("fit")
    assert datamodule.images("train").pixels.unique().tolist() == [5]
    assert next(iter(datamodule.val_dataloader())).shape == (4, 3, 9, 11)


def test_images_of_a_folder_are_resized(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        Image.new("RGB", (60, 40), "red").save(tmp_path / split / "a.png")
    datamodule = HorseColourizationDataModule(source="folder", root=tmp_path, size=16)
    assert datamodule.images("train").pixels.shape == (1, 3, 16, 16)


@pytest.mark.parametrize(
    ("datamodule", "own"),
    [
        (HorseColourizationDataModule, {"source", "category"}),
        (HorseSuperResolutionDataModule, {"source", "category", "scale_factor"}),
        (
            FaceColourizationDataModule,
            {"source", "size", "train_images", "val_images", "batch_size", "eval_batch_size"},
        ),
    ],
)
def test_help_shows_own_and_inherited_options(
    datamodule: type[ImageDataModule], own: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    inherited = set(inspect.signature(ImageDataModule).parameters) - {"degradation"}
    with pytest.raises(SystemExit):
        main(["fit", "--data.help", datamodule.__name__])
    text = capsys.readouterr().out
    options = re.findall(r"^  --data\.(\w+) [A-Z{]\S*(.*(?:\n {10}.*)*)", text, re.MULTILINE)
    assert {name for name, _ in options} == inherited | own
    for name, help_text in options:
        assert re.search(r"\w.*\(type:", help_text, re.DOTALL), f"{name} has no help text"


def test_defaults_of_faces_are_passed_on() -> None:
    datamodule = FaceColourizationDataModule(seed=5)
    assert (datamodule.size, datamodule.train_images, datamodule.val_images) == (80, 1000, 250)
    assert (datamodule.batch_size, datamodule.eval_batch_size, datamodule.seed) == (16, 100, 5)


def test_the_command_line_finds_an_augmentation_by_its_name(tiny_fit: Callable[..., Path]) -> None:
    run = tiny_fit("experiments/horses/regression_cnn.yaml", "--data.augmentation=FlipAndShift")
    assert "imgcolor.data.FlipAndShift" in (run / "config.yaml").read_text()


@pytest.mark.parametrize("size", [30, 33])
def test_size_must_be_a_multiple_of_the_scale_factor(size: int) -> None:
    with pytest.raises(ImgcolorError, match="multiple of the scale_factor 4"):
        HorseSuperResolutionDataModule(4, size=size)


def test_unknown_options_and_names() -> None:
    with pytest.raises(TypeError, match="colour"):
        HorseColourizationDataModule(colour="red")
    with pytest.raises(ImgcolorError, match="expected lfw, folder, stream or synthetic, found 'cifar10'"):
        FaceColourizationDataModule(source="cifar10")  # type: ignore[arg-type]
    with pytest.raises(ImgcolorError, match="expected an object with a method load"):
        ImageDataModule("folder", MeanGrey())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "lfw"}, "expected cifar10, folder, stream or synthetic"),
        ({"source": "cifar10", "size": 64}, "expected 32"),
        ({"batch_size": 0}, "data.batch_size"),
        ({"eval_batch_size": -1}, "data.eval_batch_size"),
        ({"holdout": 1.0}, "data.holdout"),
        ({"train_images": 0}, "train_images"),
        ({"source": "cifar10", "category": "unicorn"}, "horse"),
    ],
)
def test_bad_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ImgcolorError, match=message):
        HorseColourizationDataModule(**options)


def test_a_holdout_needs_no_validation_images(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for name in "abcd":
        Image.new("RGB", (8, 8), "red").save(tmp_path / "train" / f"{name}.png")
    datamodule = HorseColourizationDataModule(source="folder", root=tmp_path, size=8, holdout=0.25)
    datamodule.setup("fit")
    assert len(datamodule.images("val").names) == 1


def test_an_empty_holdout_is_refused() -> None:
    with pytest.raises(ImgcolorError, match=r"found 0\.01 of 20"):
        HorseColourizationDataModule(train_images=20, val_images=3, holdout=0.01).images("train")


REAL = Path(__file__).parents[3] / "shared" / "data" / "horses"


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="the real images are not here")
def test_real_horses() -> None:
    datamodule = HorseColourizationDataModule(source="folder", root=REAL)
    assert datamodule.images("train").pixels.shape == (5000, 3, 32, 32)
    assert datamodule.images("val").pixels.shape == (1000, 3, 32, 32)

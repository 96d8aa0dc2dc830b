import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from imgcolor.callbacks import ActivationLogger
from imgcolor.data import HorseColourizationDataModule
from imgcolor.networks import ColourUNet, RegressionCNN
from imgcolor.tasks import ColourRegression
from imgcolor.utils.errors import ImgcolorError
from imgcolor.visualization.activations import capture, concentration


def fit(folder: Path, *callbacks: Any, network: Any = None, **options: Any) -> ColourRegression:
    trainer = Trainer(
        **{"max_epochs": 3, "logger": False, **options},
        default_root_dir=folder,
        accelerator="cpu",
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    task = ColourRegression(network or RegressionCNN(2), value_range="signed")
    trainer.fit(task, HorseColourizationDataModule(train_images=20, val_images=10, batch_size=10))
    return task


@pytest.mark.parametrize(("every", "expected"), [(0, [2]), (1, [0, 1, 2]), (2, [1, 2])])
def test_folders_every_n_epochs_and_at_the_end(every: int, expected: list[int], tmp_path: Path) -> None:
    logger = ActivationLogger(count=3, every_n_epochs=every, modules=["rfconv", "downconv1.0"])
    fit(tmp_path, logger)
    names = sorted(path.name for path in tmp_path.glob("activations/*"))
    assert names == [f"epoch_{epoch:04d}" for epoch in expected]
    assert logger.latest == tmp_path / "activations" / names[-1]
    images = sorted(path.relative_to(logger.latest).as_posix() for path in logger.latest.rglob("*.png"))
    assert images == [f"image_{i}/{name}.png" for i in range(3) for name in ("downconv1.0", "rfconv")]


def test_maps_are_those_of_the_network_input(tmp_path: Path) -> None:
    task = fit(tmp_path, ActivationLogger(count=1), max_epochs=1)
    data = HorseColourizationDataModule(train_images=20, val_images=10)
    degraded = task.degradation(data.images("val").pixels[:1].float() / 255)  # type: ignore[misc]
    assert task.coding.network_input(degraded).min() < 0  # this task's door leads to [-1, 1]
    expected = concentration(capture(task.network, task.coding.network_input(degraded))["upconv1"])[0]
    with (tmp_path / "activations" / "epoch_0000" / "activations.csv").open() as file:
        found = [float(row["concentration"]) for row in csv.DictReader(file) if row["module"] == "upconv1"]
    assert found == pytest.approx(expected.tolist(), abs=1e-4)


def test_tensorboard_has_the_maps_of_the_first_image(tmp_path: Path) -> None:
    fit(tmp_path, ActivationLogger(every_n_epochs=2), logger=TensorBoardLogger(tmp_path, "run"))
    folder = tmp_path / "run" / "version_0"
    events = EventAccumulator(str(folder))
    events.Reload()
    names = ["downconv1", "downconv2", "rfconv", "upconv1", "upconv2", "finalconv"]
    assert sorted(events.Tags()["images"]) == sorted(f"activations/{name}" for name in names)
    assert [event.step for event in events.Images("activations/rfconv")] == [4, 6]
    assert len(list(folder.glob("activations/epoch_0002/image_1/*.png"))) == 6


def test_drawing_does_not_change_training(tmp_path: Path) -> None:
    states = []
    for callbacks in ((), (ActivationLogger(every_n_epochs=1),)):
        torch.manual_seed(0)
        network = ColourUNet(3, 2, dropout=0.3)
        fit(tmp_path, *callbacks, network=network, max_epochs=2)
        states.append(network.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_fast_dev_run_writes_nothing(tmp_path: Path) -> None:
    fit(tmp_path, ActivationLogger(every_n_epochs=1), fast_dev_run=True)
    assert not list(tmp_path.rglob("*.*"))


def test_an_unknown_name_stops_the_fit_before_it_trains(tmp_path: Path) -> None:
    network = RegressionCNN(2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ImgcolorError, match=r"'rfcnv'.*rfconv"):
        fit(tmp_path, ActivationLogger(modules=["rfcnv"]), network=network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_other_modules_are_refused(tmp_path: Path) -> None:
    class Other(LightningModule):
        def training_step(self, batch: Any, batch_idx: int) -> None: ...

        def configure_optimizers(self) -> None: ...

    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        callbacks=[ActivationLogger()],
        default_root_dir=tmp_path,
    )
    with pytest.raises(ImgcolorError, match="ColourTask"):
        trainer.fit(Other(), HorseColourizationDataModule(train_images=4, val_images=4))


@pytest.mark.parametrize("options", [{"count": 0}, {"every_n_epochs": -1}])
def test_bad_options(options: dict[str, int]) -> None:
    with pytest.raises(ImgcolorError, match="expected"):
        ActivationLogger(**options)

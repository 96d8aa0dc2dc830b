import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from PIL import Image

from imgcolor.callbacks import ImageLogger, MetricsFiles
from imgcolor.callbacks.predictions import png_names
from imgcolor.data import HorseColourizationDataModule
from imgcolor.networks import ColourUNet, RegressionCNN
from imgcolor.tasks import ColourRegression
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.modes import eval_mode


def fit(folder: Path, *callbacks: Callback, network: Any = None, **options: Any) -> Trainer:
    trainer = Trainer(
        **{"max_epochs": 4, "logger": False, **options},
        default_root_dir=folder,
        accelerator="cpu",
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    datamodule = HorseColourizationDataModule(train_images=20, val_images=10, batch_size=10)
    trainer.fit(ColourRegression(network or RegressionCNN(2)), datamodule)
    return trainer


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("every", "expected"), [(1, [0, 1, 2, 3]), (2, [1, 3]), (3, [2, 3]), (9, [3]), (0, [])]
)
def test_images_every_n_epochs_and_at_the_end(every: int, expected: list[int], tmp_path: Path) -> None:
    logger = ImageLogger(count=3, every_n_epochs=every)
    fit(tmp_path, logger)
    assert sorted(path.name for path in tmp_path.glob("images/*.png")) == [
        f"epoch_{epoch:04d}.png" for epoch in expected
    ]
    if expected:
        assert logger.latest == tmp_path / "images" / f"epoch_{expected[-1]:04d}.png"


def test_grid_has_a_column_per_image_and_a_row_per_kind(tmp_path: Path) -> None:
    sizes = []
    for count in (2, 5):
        fit(tmp_path, ImageLogger(count=count), max_epochs=1)
        sizes.append(Image.open(tmp_path / "images" / "epoch_0000.png").size)
    assert sizes[1][0] - sizes[0][0] == 3 * (96 + 2)
    assert sizes[0][1] == 3 * (96 + 2)  # input, prediction, target


def test_images_do_not_change_training(tmp_path: Path) -> None:
    """Neither the weights nor the running means of batch norm nor dropout's numbers notice that someone looks."""
    states = []
    for callbacks in ((), (ImageLogger(every_n_epochs=1),)):
        torch.manual_seed(0)
        network = ColourUNet(3, 2, dropout=0.3)
        fit(tmp_path, *callbacks, network=network, max_epochs=2)
        states.append(network.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_the_mode_of_each_submodule_is_restored() -> None:
    network = ColourUNet(3, 2).train()
    network.downconv1.eval()  # frozen by a user
    before = {name: module.training for name, module in network.named_modules()}
    with eval_mode(network):
        assert not any(module.training for module in network.modules())
        assert not network(torch.rand(1, 1, 8, 8)).requires_grad
    assert {name: module.training for name, module in network.named_modules()} == before


def test_metrics_csv_has_a_row_per_epoch_and_json_the_last_one(tmp_path: Path) -> None:
    trainer = fit(tmp_path, MetricsFiles())
    found = rows(tmp_path)
    assert [row["epoch"] for row in found] == ["0", "1", "2", "3"]
    assert [row["step"] for row in found] == ["2", "4", "6", "8"]
    assert all(float(row["seconds"]) > 0 and float(row["lr"]) == 1e-3 for row in found)
    final = json.loads((tmp_path / "metrics.json").read_text())
    assert final["val/mse"] == float(found[-1]["val/mse"]) == float(trainer.callback_metrics["val/mse"])
    assert all(isinstance(value, int | float) for value in final.values())


def test_epochs_without_validation_have_no_validation_metrics(tmp_path: Path) -> None:
    fit(tmp_path, MetricsFiles(), check_val_every_n_epoch=2)
    assert [row["val/loss"] != "" for row in rows(tmp_path)] == [False, True, False, True]


def test_fast_dev_run_writes_nothing(tmp_path: Path) -> None:
    fit(tmp_path, MetricsFiles(), ImageLogger(every_n_epochs=1), fast_dev_run=True)
    assert not list(tmp_path.rglob("*.*"))


class Other(LightningModule):
    """Somebody else's module, with batches of another form."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(1, 3, 1)
        self.steps = 0

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.steps += 1
        return self.layer(batch["grey"]).mean()

    def validation_step(self, batch: Any, batch_idx: int) -> None: ...

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Drawn(Other):
    def visualize(self, batch: Any) -> Any:
        return {"prediction": self.layer(batch["grey"]), "target": batch["colour"]}


class Flat(Other):
    def visualize(self, batch: Any) -> Any:
        return {"prediction": batch["grey"].flatten(1)}


def fit_other(module: LightningModule, folder: Path) -> None:
    images = [{"grey": torch.rand(1, 8, 8), "colour": torch.rand(3, 8, 8)} for _ in range(6)]
    loader = torch.utils.data.DataLoader(images, batch_size=6)  # type: ignore[arg-type]  # a list is a data set
    callbacks = [ImageLogger(count=4, every_n_epochs=1)]
    options = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False}
    trainer = Trainer(max_epochs=2, callbacks=callbacks, default_root_dir=folder, **options)
    trainer.fit(module, loader, loader)


def test_image_logger_draws_other_modules_with_visualize(tmp_path: Path) -> None:
    fit_other(Drawn(), tmp_path)
    written = sorted(str(path.relative_to(tmp_path / "images")) for path in tmp_path.rglob("*.png"))
    assert written == [
        "epoch_0000.png",
        "epoch_0001.png",
        *(f"pairs/{number:02d}.png" for number in range(4)),
    ]


@pytest.mark.parametrize(("kind", "words"), [(Other, "visualize.*found Other"), (Flat, r"found \[4, 64\]")])
def test_image_logger_refuses_other_modules_before_training(
    tmp_path: Path, kind: type[Other], words: str
) -> None:
    module = kind()
    with pytest.raises(ImgcolorError, match=words):
        fit_other(module, tmp_path)
    assert module.steps == 0


@pytest.mark.parametrize("options", [{"count": 0}, {"every_n_epochs": -1}])
def test_bad_options(options: dict[str, int]) -> None:
    with pytest.raises(ImgcolorError, match="expected"):
        ImageLogger(**options)


def test_png_names_are_unique() -> None:
    assert png_names(("a.jpg", "b.png", "d/a.jpg")) == ["a.png", "b.png", "d/a.png"]
    assert png_names(("a.jpg", "a.png", "horse_0001")) == ["a.jpg.png", "a.png.png", "horse_0001.png"]
    assert png_names(("a.jpg", "a.png", "a.jpg.png")) == ["a.jpg.png", "a.png.png", "a.jpg-2.png"]


def test_csv_logger_has_its_own_file(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    fit(tmp_path, MetricsFiles(), max_epochs=2, logger=logger, log_every_n_steps=1)
    folder = Path(logger.log_dir)
    assert [row["epoch"] for row in rows(folder)] == ["0", "1"]
    assert "train/loss" in (folder / "csv_logger.csv").read_text().splitlines()[0]

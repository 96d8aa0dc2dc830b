"""Training with networks compiled by ``torch.compile``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

import imgcolor
from imgcolor.checkpoints import read_checkpoint
from imgcolor.data import HorseColourizationDataModule
from imgcolor.networks import RegressionCNN
from imgcolor.tasks import ColourRegression, load_task


@pytest.mark.slow
def test_a_compiled_fit_gives_the_same_checkpoint(tiny_fit: Callable[..., Path]) -> None:
    def fit(compiled: str) -> dict[str, Any]:
        # Adam would enlarge differences of rounding.
        sgd = ("--model.optimizer=torch.optim.SGD", "--model.optimizer.lr=0.1")
        folder = tiny_fit("experiments/horses/regression_cnn.yaml", f"--model.compile={compiled}", *sgd)
        return read_checkpoint(folder / "checkpoints" / "last.ckpt")

    plain, compiled = fit("false"), fit("true")
    assert list(plain["state_dict"]) == list(compiled["state_dict"])
    for name, weights in plain["state_dict"].items():
        torch.testing.assert_close(compiled["state_dict"][name], weights, rtol=1e-2, atol=1e-3)


def test_a_wrapped_network_is_saved_and_loaded_as_the_network_itself(tmp_path: Path) -> None:
    task = ColourRegression(RegressionCNN(base_channels=4))
    task.network = torch.compile(task.network, backend="eager")
    data = HorseColourizationDataModule(source="synthetic", train_images=20, val_images=10, batch_size=10)
    trainer = Trainer(max_epochs=1, logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.fit(task, data)
    path = tmp_path / "compiled.ckpt"
    trainer.save_checkpoint(path)

    grey = torch.rand(2, 1, 32, 32)
    with torch.inference_mode():
        expected = task.eval()(grey)
        assert torch.equal(load_task(path)(grey), expected)
    assert imgcolor.load(path) is not None
    trainer.fit(task, data, ckpt_path=path)  # the names fit the wrapped network too

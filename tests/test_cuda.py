"""Training and inference on an NVIDIA GPU give what the processor gives."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import imgcolor
from imgcolor.cli.main import main

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="wants an NVIDIA GPU"),
]


@pytest.fixture
def photo() -> np.ndarray:
    rows, columns = np.mgrid[0:90, 0:130]
    waves = np.stack([rows * 2, columns, (rows + columns) % 256], axis=-1)
    return (waves % 256).astype(np.uint8)


@pytest.mark.parametrize("model", ["photos", "faces", "horses"])
def test_colourized_photos_are_the_same(model: str, photo: np.ndarray) -> None:
    on_cpu, on_gpu = (imgcolor.load(model).to(device).colourize(photo) for device in ("cpu", "cuda"))
    assert np.abs(on_cpu.astype(int) - on_gpu).max() <= 3  # cuDNN rounds to TF32
    assert np.abs(on_cpu.astype(int) - on_gpu).mean() < 0.2


@pytest.mark.parametrize("model", ["photo_x4", "bicubic_x2"])
def test_enlarged_photos_are_the_same(model: str, photo: np.ndarray) -> None:
    on_cpu, on_gpu = (imgcolor.load(model).to(device).upscale(photo) for device in ("cpu", "cuda"))
    assert np.abs(on_cpu.astype(int) - on_gpu).max() <= 3
    assert np.abs(on_cpu.astype(int) - on_gpu).mean() < 0.2


@pytest.mark.parametrize("options", [(), ("--trainer.precision=bf16-mixed", "--model.compile=true")])
def test_a_fit_reaches_the_loss_of_the_processor(
    options: tuple[str, ...], tiny_fit: Callable[..., Path]
) -> None:
    experiment = "experiments/photos/colourization.yaml"
    small = [
        "--data.size=32",
        "--data.variations=[]",
        "--model.network.channels=[8,8,8]",
        "--model.network.encoder_blocks=[1,1,1]",
        "--model.network.decoder_blocks=[1,1]",
        "--model.network.attention_blocks=1",
        "--model.network.heads=1",
    ]
    losses = []
    for accelerator, extra in (("cpu", ()), ("gpu", options)):
        folder = tiny_fit(experiment, f"--trainer.accelerator={accelerator}", *small, *extra)
        losses.append(json.loads((folder / "metrics.json").read_text())["val/loss"])
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_a_run_goes_on_after_its_last_checkpoint(tiny_fit: Callable[..., Path]) -> None:
    experiment = "experiments/horses/regression_cnn.yaml"
    whole = tiny_fit(experiment, "--trainer.max_epochs=2", "--trainer.deterministic=true")
    part = tiny_fit(experiment, "--trainer.max_epochs=1", "--trainer.deterministic=true")
    last = part / "checkpoints" / "last.ckpt"
    options = ["--config", str(part / "config.yaml"), "--trainer.max_epochs=2", "--ckpt_path", str(last)]
    assert main(["fit", *options]) == 0
    resumed, unbroken = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (max(part.parent.glob("version_*")), whole)
    )
    for name, weights in unbroken.items():
        torch.testing.assert_close(resumed[name], weights)

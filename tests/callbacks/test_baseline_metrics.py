import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from imgcolor.baselines import Interpolation
from imgcolor.data import HorseSuperResolutionDataModule
from imgcolor.tasks import load_task


def test_interpolation_is_measured_once_in_a_fit(tiny_fit: Callable[..., Path]) -> None:
    folder = tiny_fit("experiments/superres/colour_unet.yaml", "--model.network.base_channels=2")
    datamodule = HorseSuperResolutionDataModule(train_images=24, val_images=10)
    batch = datamodule.batch(datamodule.images("val").pixels)
    palette = load_task(folder / "checkpoints" / "last.ckpt").palette
    final = json.loads((folder / "metrics.json").read_text())
    for mode in ("nearest", "bilinear", "bicubic"):
        images = Interpolation(mode, 4)(batch.degraded)  # type: ignore[arg-type]
        guess, truth = images.numpy().astype(np.float64), batch.original.numpy().astype(np.float64)
        found = {
            name.rpartition("/")[2]: v for name, v in final.items() if name.startswith(f"baseline/{mode}/")
        }
        assert found["mse"] == pytest.approx(((guess - truth) ** 2).mean(), rel=1e-4)
        assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(truth, guess, data_range=1), rel=1e-4)
        same = palette.encode(images) == palette.encode(batch.original)
        assert found["accuracy"] == pytest.approx(float(same.float().mean()), abs=1e-3)
    with (folder / "metrics.csv").open() as file:
        assert len({row["baseline/bicubic/psnr"] for row in csv.DictReader(file)}) == 1
    best = max(final[f"baseline/{mode}/psnr"] for mode in ("nearest", "bilinear", "bicubic"))
    events, baseline = EventAccumulator(str(folder)), EventAccumulator(str(folder / "baseline"))
    events.Reload()
    baseline.Reload()
    line = [point.value for point in baseline.Scalars("val/psnr")]
    assert line == pytest.approx([best] * len(events.Scalars("val/psnr")))
    assert not [tag for tag in events.Tags()["scalars"] if tag.startswith("baseline/")]


def test_colourization_has_the_baseline_grey_copy(tiny_fit: Callable[..., Path]) -> None:
    folder = tiny_fit("experiments/horses/regression_cnn.yaml", "--model.network.base_channels=2")
    final = json.loads((folder / "metrics.json").read_text())
    assert 0 < final["baseline/grey_copy/mse"] < 0.1
    assert torch.isfinite(torch.tensor(final["baseline/grey_copy/psnr"]))

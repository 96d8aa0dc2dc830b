"""Runs over many epochs and many files."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from imgcolor.callbacks.thinning import is_kept

# A callback that writes the memory of the process in MiB: after each epoch (each_epoch), and its maximum.
MEMORY = """
import json, resource
import psutil
from lightning.pytorch import Callback

class Memory(Callback):
    def __init__(self):
        self.each_epoch = []

    def on_train_epoch_end(self, trainer, module):
        self.each_epoch.append(psutil.Process().memory_info().rss / 2**20)

    def on_fit_end(self, trainer, module):
        maximum = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        with open("memory.json", "w") as file:
            json.dump({"each_epoch": self.each_epoch, "maximum": maximum}, file)
"""


def memory_of_fit(workplace: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Run a fit in its own process, and return its memory in MiB: ``each_epoch`` and ``maximum``."""
    (workplace / "memory.py").write_text(MEMORY)
    arguments = [
        *("fit", *arguments, "--trainer.callbacks+=memory.Memory"),
        *("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "imgcolor", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    memory: dict[str, Any] = json.loads((workplace / "memory.json").read_text())
    return memory


def test_images_are_logged_less_often_in_later_epochs() -> None:
    for every in (1, 5):
        kept = [(epoch + 1) // every for epoch in range(10_000 * every) if is_kept(epoch, every)]
        assert kept[:22] == [*range(1, 21), 22, 24]
        assert len([number for number in kept if number <= 200]) == 52
        assert len(kept) == 109


@pytest.mark.slow
def test_memory_does_not_grow_over_200_epochs(workplace: Path, repository: Path) -> None:
    memory = memory_of_fit(
        workplace,
        [
            f"--config={repository / 'experiments/horses/best_regression.yaml'}",
            *("--data.source=synthetic", "--data.size=16", "--data.train_images=24", "--data.val_images=10"),
            *("--data.batch_size=8", "--model.network.hidden_channels=[4,4]", "--trainer.precision=32-true"),
            *("--trainer.max_epochs=200", "--images.every_n_epochs=1"),
        ],
    )
    each_epoch = memory["each_epoch"]
    print([round(value) for value in each_epoch[::20]], round(each_epoch[-1]))
    assert max(each_epoch[-20:]) < max(each_epoch[10:30]) + 10
    (run,) = (workplace / "lightning_logs" / "horses_best_regression").iterdir()
    (file,) = run.glob("events.*")
    print(f"{file.stat().st_size / 2**20:.2f} MiB for TensorBoard")
    events = EventAccumulator(str(run), size_guidance={"images": 0})
    events.Reload()
    assert len(events.Images("val/images")) == 53  # 52 as in the test above, and the last epoch
    assert len(list((run / "images").glob("*.png"))) == 200


@pytest.mark.slow
def test_folder_of_100000_files(workplace: Path, repository: Path) -> None:
    noise = np.random.default_rng(0)
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "BMP")
    header = file.getvalue()[: -8 * 8 * 3]
    for split, count in (("train", 100_000), ("val", 100)):
        for number in range(count):
            folder = workplace / "photos" / split / f"{number // 1000}"
            if number % 1000 == 0:
                folder.mkdir(parents=True)
            (folder / f"{number}.bmp").write_bytes(header + noise.bytes(8 * 8 * 3))
    memory = memory_of_fit(
        workplace,
        [
            f"--config={repository / 'experiments/faces/conv_stack.yaml'}",
            *("--data.source=folder", "--data.root=photos", "--data.size=8", "--data.batch_size=1000"),
            *("--model.network.hidden_channels=2", "--trainer.max_epochs=1"),
        ],
    )
    print(f"{memory['maximum']:.0f} MiB at most")
    assert memory["maximum"] < 1500
    (run,) = (workplace / "lightning_logs" / "faces_conv_stack").iterdir()
    assert float((run / "metrics.csv").read_text().splitlines()[1].split(",")[1]) == 100

"""Two real processes on the CPU."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imgcolor.cli import main


def test_two_processes_validate_every_image_once(
    workplace: Path, tiny_fit: Callable[..., Path], repository: Path
) -> None:
    run = tiny_fit("experiments/horses/regression_cnn.yaml", "--model.network.filters=4")
    words = [
        "validate",
        "--config",
        str(run / "config.yaml"),
        "--ckpt_path",
        str(run / "checkpoints/last.ckpt"),
    ]
    words += ["--data.val_images=11", "--data.eval_batch_size=3"]  # 6 and 5 images, in 2 batches each
    assert main(words) == 0
    two = ["--trainer.strategy=ddp", "--trainer.devices=2", "--trainer.accelerator=cpu"]
    done = subprocess.run(
        [sys.executable, "-m", "imgcolor", *words, *two],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr

    folders = sorted(run.parent.glob("version_*"), key=lambda path: path.stat().st_mtime)
    expected, found = (json.loads((folder / "metrics.json").read_text()) for folder in folders[-2:])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name != "seconds":
            assert found[name] == pytest.approx(value, rel=1e-5), name

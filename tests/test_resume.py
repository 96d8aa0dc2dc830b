"""A run that is killed and resumed is the run that it would have been."""

import csv
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

# All that could remember what went before: dropout, augmentation, averaged weights, a schedule, Muon's momentum.
OPTIONS = [
    "--data.source=synthetic",
    "--data.train_images=40",
    "--data.val_images=10",
    "--data.batch_size=10",
    "--model.network.filters=[4, 6]",
    "--model.optimizer=imgcolor.optimizers.Muon",
    "--trainer.max_epochs=4",
    "--trainer.precision=32-true",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--details.lpips=false",
]

# The process kills itself as SIGKILL from outside would, at a moment that the test knows.
KILLED = """
import os, signal, sys
from pathlib import Path
import lightning.pytorch as pl
import imgcolor.callbacks
from imgcolor.cli import main

class KilledAt(pl.Callback):
    def __init__(self, step: int) -> None:
        self.step = step
        self.steps = 0
    def on_train_batch_start(self, *args):
        if self.steps == self.step:
            os.kill(os.getpid(), signal.SIGKILL)
        self.steps += 1

if os.environ.get("KILL_WHILE_WRITING"):
    replace, written = os.replace, [0]
    # Whatever way a checkpoint takes to its place, the process dies in the middle of the way.
    import torch
    save = torch.save
    def dying(what, file, *args, **kwargs):
        save(what, file, *args, **kwargs)
        written[0] += 1
        if written[0] == int(os.environ["KILL_WHILE_WRITING"]):
            os.kill(os.getpid(), signal.SIGKILL)
    torch.save = dying

imgcolor.callbacks.KilledAt = KilledAt
KilledAt.__module__ = "imgcolor.callbacks"
sys.exit(main(sys.argv[1:]))
"""


def fit(
    repository: Path, workplace: Path, *options: str, script: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    program = ["-m", "imgcolor"] if script is None else ["-c", script]
    experiment = str(repository / "experiments" / "horses" / "best_regression.yaml")
    return subprocess.run(
        [sys.executable, *program, "fit", "--config", experiment, *OPTIONS, *options],
        cwd=workplace,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def runs(workplace: Path) -> list[Path]:
    folder = workplace / "lightning_logs" / "horses_best_regression"
    return sorted(folder.glob("version_*"), key=lambda path: int(path.name.rpartition("_")[2]))


def result(run: Path) -> tuple[dict[str, Tensor], list[dict[str, str]]]:
    weights = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    with (run / "metrics.csv").open() as file:
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
    return weights, rows


def assert_same(found: Path, expected: Path) -> None:
    weights, rows = result(found)
    expected_weights, expected_rows = result(expected)
    assert rows == expected_rows
    assert weights.keys() == expected_weights.keys()
    assert all(torch.equal(weights[name], value) for name, value in expected_weights.items())


def test_killed_in_an_epoch_and_resumed_equals_uninterrupted(repository: Path, workplace: Path) -> None:
    straight = fit(repository, workplace)
    assert straight.returncode == 0, straight.stderr
    kill = ("--trainer.callbacks+=imgcolor.callbacks.KilledAt", "--trainer.callbacks.step=9")
    killed = fit(repository, workplace, *kill, script=KILLED)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = fit(repository, workplace, "--ckpt_path=last")
    assert resumed.returncode == 0, resumed.stderr

    first, second, third = runs(workplace)
    assert_same(third, first)
    # The killed run is what it went on from, and not the first one, which has a checkpoint too.
    assert f"{second.name}/checkpoints/last.ckpt" in (third / "config.yaml").read_text()


def test_last_says_where_there_is_none(repository: Path, workplace: Path) -> None:
    refused = fit(repository, workplace, "--ckpt_path=last")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith(
        "imgcolor: error: --ckpt_path last: expected a run with a checkpoint in "
    )
    assert runs(workplace) == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(20))
def test_killed_at_any_moment(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, moment: int
) -> None:
    """Two kills a run, one in a step and one while a checkpoint is being written; the end is always the same."""
    reference = tmp_path_factory.getbasetemp() / "reference"
    if not reference.exists():
        reference.mkdir()
        assert fit(repository, reference).returncode == 0
    workplace = tmp_path_factory.mktemp("killed")
    dice = random.Random(moment)
    kill = (
        "--trainer.callbacks+=imgcolor.callbacks.KilledAt",
        f"--trainer.callbacks.step={dice.randrange(4, 16)}",
    )
    assert fit(repository, workplace, *kill, script=KILLED).returncode == -signal.SIGKILL
    whole = runs(workplace)[-1] / "checkpoints" / "last.ckpt"
    torch.load(whole, weights_only=True)  # readable, whatever happened
    writing = fit(
        repository, workplace, "--ckpt_path=last", script=KILLED, KILL_WHILE_WRITING=str(dice.randrange(1, 4))
    )
    assert writing.returncode in (-signal.SIGKILL, 0), writing.stderr
    assert fit(repository, workplace, "--ckpt_path=last").returncode == 0
    assert_same(runs(workplace)[-1], runs(reference)[-1])

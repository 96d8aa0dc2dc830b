"""Runs on two ranks, on the CPU."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from imgcolor.checkpoints.files import read_checkpoint
from imgcolor.cli.main import main

REPOSITORY = Path(__file__).parents[1]
TWO_RANKS = ["--trainer.strategy=ddp", "--trainer.devices=2", "--trainer.accelerator=cpu"]
RUNS = Path("lightning_logs/faces_conv_stack")

# 24 training images, 11 validation images. EpsilonPatience ends the run before epoch 20.
FIT = [
    "fit",
    f"--config={REPOSITORY / 'experiments/faces/conv_stack.yaml'}",
    "--data.source=synthetic",
    "--data.size=16",
    "--data.train_images=24",
    "--data.val_images=11",
    "--data.eval_batch_size=3",
    "--data.shuffle=true",
    "--model.network.hidden_channels=4",
    "--trainer.max_epochs=20",
    "--trainer.callbacks.epsilon=0.02",
    "--trainer.callbacks.patience=1",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--trainer.callbacks+=recorder.Recorder",
]

# A callback that saves the result of each rank. With KILLED=RANK that rank kills itself, and with DIVERGED=RANK it
# gets a loss that is nan.
RECORDER = """
import os, signal
import torch
from lightning.pytorch import Callback
from imgcolor.callbacks import EpsilonPatience

class Recorder(Callback):
    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if os.environ.get("KILLED") == str(trainer.global_rank) and trainer.global_step == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_train_epoch_start(self, trainer, module):
        if os.environ.get("DIVERGED") == str(trainer.global_rank) and trainer.current_epoch == 1:
            module.loss = lambda output, original: output.mean() * float("nan")

    def on_fit_end(self, trainer, module):
        (stopping,) = (c for c in trainer.callbacks if isinstance(c, EpsilonPatience))
        torch.save(
            {
                "epochs": trainer.current_epoch,
                "chosen": stopping.chosen_epoch,
                "weights": module.network.state_dict(),
            },
            f"{trainer.world_size}.{trainer.global_rank}.pt",
        )
"""


@pytest.fixture
def recorder(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (workplace / "recorder.py").write_text(RECORDER)
    monkeypatch.syspath_prepend(workplace)
    return workplace


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,  # a run that hangs fails the test
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files(folder: Path) -> set[str]:
    names = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return {name.partition(".tfevents")[0] for name in names}


def assert_trains_as_one_rank_with_twice_the_batch_size(recorder: Path, one: Path, two: Path) -> None:
    expected, *found = (torch.load(recorder / f"{name}.pt") for name in ("1.0", "2.0", "2.1"))
    assert expected["chosen"] == expected["epochs"] - 2 < 18
    for rank in found:
        assert (rank["epochs"], rank["chosen"]) == (expected["epochs"], expected["chosen"])
        torch.testing.assert_close(rank["weights"], expected["weights"], rtol=0, atol=1e-6)
    for name, weights in found[0]["weights"].items():
        assert torch.equal(found[1]["weights"][name], weights)
        assert torch.equal(
            read_checkpoint(two / "checkpoints" / "last.ckpt")["state_dict"][f"network.{name}"], weights
        )
    # Only rank 0 writes files, and they are the same as those of a run on one rank.
    assert files(two) == files(one)
    assert len(list(two.glob("events.*"))) == 1
    assert len(rows(two)) == len(rows(one)) == expected["epochs"]
    for row, other in zip(rows(two), rows(one), strict=True):
        for name in row.keys() - {"seconds"}:
            assert float(row[name]) == pytest.approx(float(other[name]), rel=1e-5), name


def test_two_ranks_train_as_one_with_twice_the_batch_size(recorder: Path) -> None:
    assert main([*FIT, "--data.batch_size=10"]) == 0
    done = run("imgcolor", *FIT, "--data.batch_size=5", *TWO_RANKS)
    assert done.returncode == 0, done.stderr
    one, two = sorted((recorder / RUNS).iterdir())
    assert_trains_as_one_rank_with_twice_the_batch_size(recorder, one, two)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "one command per node", "slurm"])
def test_ranks_started_by_a_launcher_train_as_one_rank(launcher: str, recorder: Path) -> None:
    """torchrun, one command per node, and SLURM's environment variables; both nodes are this machine."""
    assert main([*FIT, "--data.batch_size=10"]) == 0
    port = str(free_port())
    fit = ["imgcolor", *FIT, "--data.batch_size=5", "--trainer.strategy=ddp", "--trainer.accelerator=cpu"]
    nodes = ["--trainer.num_nodes=2", "--trainer.devices=1"]
    if launcher == "torchrun":
        start = ["torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}", "-m"]
        commands = [([*start, *fit, "--trainer.devices=2"], {})]
    elif launcher == "one command per node":
        # Without LOCAL_RANK in the environment, Lightning starts the processes of a node itself.
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        commands = [([*fit, *nodes], {**address, "NODE_RANK": str(node)}) for node in (0, 1)]
    else:
        job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2", "SLURM_NNODES": "2"}
        job |= {"SLURM_NTASKS_PER_NODE": "1", "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": "localhost"}
        job |= {"SLURM_NODELIST": "localhost", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        commands = [
            ([*fit, *nodes], {**job, "SLURM_PROCID": str(node), "SLURM_NODEID": str(node)}) for node in (0, 1)
        ]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )
        for command, environment in commands
    ]
    for process in started:
        _, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors
    one, two = sorted((recorder / RUNS).iterdir())
    assert_trains_as_one_rank_with_twice_the_batch_size(recorder, one, two)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_rank_ends_the_others_with_a_message(killed: int, recorder: Path) -> None:
    done = run("imgcolor", *FIT, "--data.batch_size=5", *TWO_RANKS, KILLED=str(killed))
    # `run` returns only when all processes have closed stderr, so none is left.
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith(f"imgcolor: error: rank {1 - killed}: expected all 2 ranks of the run, but")
    last = RUNS / "version_0" / "checkpoints" / "last.ckpt"
    assert read_checkpoint(recorder / last)["epoch"] == 0
    if killed == 0:
        assert done.returncode == -signal.SIGKILL
        return
    assert done.returncode == 1
    assert "rank 1 (SIGKILL) has ended" in line
    assert f"last checkpoint: {last}\n" in done.stderr
    assert json.loads((last.parents[1] / "run.json").read_text())["status"] == "failed"


@pytest.mark.slow
def test_a_fit_that_diverges_on_one_rank_ends_with_a_message(recorder: Path) -> None:
    done = run("imgcolor", *FIT, "--data.batch_size=5", *TWO_RANKS, DIVERGED="1")
    assert done.returncode == 3, done.stderr
    assert "training diverged: the train loss is nan in epoch 1" in done.stderr
    assert done.stderr.strip().endswith("training diverged on another rank; see its message above")


@pytest.mark.slow
def test_two_ranks_validate_each_image_once(
    workplace: Path, tiny_fit: Callable[..., Path], repository: Path
) -> None:
    run_folder = tiny_fit("experiments/horses/regression_cnn.yaml", "--model.network.base_channels=4")
    arguments = [
        "validate",
        "--config",
        str(run_folder / "config.yaml"),
        "--ckpt_path",
        str(run_folder / "checkpoints/last.ckpt"),
    ]
    # The ranks have 6 and 5 images, in 2 batches each.
    arguments += ["--data.val_images=11", "--data.eval_batch_size=3"]
    assert main(arguments) == 0
    done = run("imgcolor", *arguments, *TWO_RANKS)
    assert done.returncode == 0, done.stderr

    folders = sorted(run_folder.parent.glob("version_*"), key=lambda path: path.stat().st_mtime)
    expected, found = (json.loads((folder / "metrics.json").read_text()) for folder in folders[-2:])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name != "seconds":
            assert found[name] == pytest.approx(value, rel=1e-5), name

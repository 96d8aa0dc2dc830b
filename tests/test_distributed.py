"""Distributed runs with several processes on the CPU."""

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
TWO = ["--trainer.strategy=ddp", "--trainer.devices=2", "--trainer.accelerator=cpu"]
RUNS = Path("lightning_logs/faces_conv_stack")

# 24 images in batches of 10, 10 and 4, and 11 to validate; stopped long before its end.
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
    "--trainer.callbacks+=witness.Witness",
]

# What each process ends with; and one that does not come to its end.
WITNESS = """
import os, signal
import torch
from lightning.pytorch import Callback
from imgcolor.callbacks import EpsilonPatience

class Witness(Callback):
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
def witness(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (workplace / "witness.py").write_text(WITNESS)
    monkeypatch.syspath_prepend(workplace)
    return workplace


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,  # for one that hangs
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files(folder: Path) -> set[str]:
    names = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return {name.partition(".tfevents")[0] for name in names}


def assert_trains_as_one_rank_with_twice_the_batch_size(witness: Path, one: Path, two: Path) -> None:
    expected, *found = (torch.load(witness / f"{name}.pt") for name in ("1.0", "2.0", "2.1"))
    assert expected["chosen"] == expected["epochs"] - 2 < 18
    for process in found:
        assert (process["epochs"], process["chosen"]) == (expected["epochs"], expected["chosen"])
        torch.testing.assert_close(process["weights"], expected["weights"], rtol=0, atol=1e-6)
    for name, weights in found[0]["weights"].items():
        assert torch.equal(found[1]["weights"][name], weights)
        assert torch.equal(
            read_checkpoint(two / "checkpoints" / "last.ckpt")["state_dict"][f"network.{name}"], weights
        )
    # One process writes: the same files, and the same rows in them.
    assert files(two) == files(one)
    assert len(list(two.glob("events.*"))) == 1
    assert len(rows(two)) == len(rows(one)) == expected["epochs"]
    for row, other in zip(rows(two), rows(one), strict=True):
        for name in row.keys() - {"seconds"}:
            assert float(row[name]) == pytest.approx(float(other[name]), rel=1e-5), name


def test_two_ranks_train_as_one_with_twice_the_batch_size(witness: Path) -> None:
    assert main([*FIT, "--data.batch_size=10"]) == 0
    done = run("imgcolor", *FIT, "--data.batch_size=5", *TWO)
    assert done.returncode == 0, done.stderr
    one, two = sorted((witness / RUNS).iterdir())
    assert_trains_as_one_rank_with_twice_the_batch_size(witness, one, two)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "by hand", "slurm"])
def test_ranks_that_a_launcher_starts(launcher: str, witness: Path) -> None:
    """Started by torchrun, on two nodes by hand, and as SLURM's srun does; the nodes are this one machine."""
    assert main([*FIT, "--data.batch_size=10"]) == 0
    port = str(free_port())
    fit = ["imgcolor", *FIT, "--data.batch_size=5", "--trainer.strategy=ddp", "--trainer.accelerator=cpu"]
    nodes = ["--trainer.num_nodes=2", "--trainer.devices=1"]
    if launcher == "torchrun":
        start = ["torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}", "-m"]
        commands = [([*start, *fit, "--trainer.devices=2"], {})]
    elif launcher == "by hand":
        # The first node sees that it is called so: MASTER_ADDR is set, and Lightning starts a node's processes.
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        commands = [([*fit, *nodes], {**place, "NODE_RANK": str(node)}) for node in (0, 1)]
    else:
        job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2", "SLURM_NNODES": "2"}
        job |= {"SLURM_NTASKS_PER_NODE": "1", "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": "localhost"}
        job |= {"SLURM_NODELIST": "localhost", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        commands = [
            ([*fit, *nodes], {**job, "SLURM_PROCID": str(node), "SLURM_NODEID": str(node)}) for node in (0, 1)
        ]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **place},
        )
        for words, place in commands
    ]
    for process in started:
        _, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors
    one, two = sorted((witness / RUNS).iterdir())
    assert_trains_as_one_rank_with_twice_the_batch_size(witness, one, two)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_rank_ends_the_others_with_a_message(killed: int, witness: Path) -> None:
    done = run("imgcolor", *FIT, "--data.batch_size=5", *TWO, KILLED=str(killed))
    # Its output is closed, so no process is left.
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith(f"imgcolor: error: rank {1 - killed}: expected all 2 ranks of the run, but")
    last = RUNS / "version_0" / "checkpoints" / "last.ckpt"
    assert read_checkpoint(witness / last)["epoch"] == 0
    if killed == 0:
        assert done.returncode == -signal.SIGKILL
        return
    assert done.returncode == 1
    assert "rank 1 (SIGKILL) has ended" in line
    assert f"last checkpoint: {last}\n" in done.stderr
    assert json.loads((last.parents[1] / "run.json").read_text())["status"] == "failed"


@pytest.mark.slow
def test_a_fit_that_diverges_on_one_rank_ends_with_a_message(witness: Path) -> None:
    done = run("imgcolor", *FIT, "--data.batch_size=5", *TWO, DIVERGED="1")
    assert done.returncode == 3, done.stderr
    assert "training diverged: the train loss is nan in epoch 1" in done.stderr
    assert done.stderr.strip().endswith("training diverged on another rank; see its message above")


def test_two_ranks_validate_each_image_once(
    workplace: Path, tiny_fit: Callable[..., Path], repository: Path
) -> None:
    run_folder = tiny_fit("experiments/horses/regression_cnn.yaml", "--model.network.base_channels=4")
    words = [
        "validate",
        "--config",
        str(run_folder / "config.yaml"),
        "--ckpt_path",
        str(run_folder / "checkpoints/last.ckpt"),
    ]
    words += ["--data.val_images=11", "--data.eval_batch_size=3"]  # 6 and 5 images, in 2 batches each
    assert main(words) == 0
    done = run("imgcolor", *words, *TWO)
    assert done.returncode == 0, done.stderr

    folders = sorted(run_folder.parent.glob("version_*"), key=lambda path: path.stat().st_mtime)
    expected, found = (json.loads((folder / "metrics.json").read_text()) for folder in folders[-2:])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name != "seconds":
            assert found[name] == pytest.approx(value, rel=1e-5), name

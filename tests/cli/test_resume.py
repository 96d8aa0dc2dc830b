"""Interrupted runs: signals to real processes, full disks and unwritable folders."""

import csv
import os
import random
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from image_helpers import noise, save
from imgcolor.callbacks.resume_hint import resume_command
from imgcolor.checkpoints.files import read_checkpoint
from imgcolor.cli.main import main
from imgcolor.data.stream_writer import write_stream

REPOSITORY = Path(__file__).parents[2]

# Everything that a break could disturb: shuffling, augmentation, dropout, averaged weights, a rate that changes at
# every step.
FIT = [
    "fit",
    f"--config={REPOSITORY / 'experiments/horses/best_regression.yaml'}",
    "--data.source=synthetic",
    "--data.train_images=24",
    "--data.val_images=10",
    "--data.batch_size=8",
    "--model.network.hidden_channels=[4,4]",
    "--trainer.precision=32",
    "--trainer.max_epochs=4",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--images.every_n_epochs=0",
]
STEPS_AN_EPOCH = 3
RUNS = Path("lightning_logs/horses_best_regression")

# A process that sends itself a signal: before a training step, or in the middle of, right before or right after
# the moment that a checkpoint takes its name. Counted from 1.
ENDED = """
import os, signal, sys
from pathlib import Path
import imgcolor.callbacks
from imgcolor.cli.main import main

moment, count = os.environ["ENDED_AT"].split(":")
left = int(count)

def reached(now):
    global left
    left -= now == moment
    if now == moment and left == 0:
        os.kill(os.getpid(), getattr(signal, os.environ["ENDED_BY"]))

# A shell that starts processes in the background has them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
imgcolor.callbacks.EpochSeed.on_train_batch_start = lambda *args: reached("step")

class Half:
    def __init__(self, file):
        self.file = file
    def write(self, content):
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        reached("half")
        self.file.write(content[len(content) // 2 :])
    def __enter__(self):
        return self
    def __exit__(self, *args):
        self.file.close()
    def __getattr__(self, name):
        return getattr(self.file, name)

whole_open, whole_replace = Path.open, Path.replace

def open_(path, *args, **options):
    file = whole_open(path, *args, **options)
    return Half(file) if path.name.endswith(".ckpt.part") else file

def replace(path, target):
    if path.name.endswith(".ckpt.part"):
        reached("before")
    whole_replace(path, target)
    if path.name.endswith(".ckpt.part"):
        reached("after")

Path.open, Path.replace = open_, replace
sys.exit(main(sys.argv[1:]))
"""


def fit_ended(moment: str, by: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A fit in a process of its own that ends itself."""
    return subprocess.run(
        [sys.executable, "-c", ENDED, *FIT, *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ENDED_AT": moment, "ENDED_BY": by, "OMP_NUM_THREADS": "1"},
    )


def result(run: Path) -> dict[str, Any]:
    """All that a run ends with."""
    with (run / "metrics.csv").open() as file:
        rows = [{**row, "seconds": ""} for row in csv.DictReader(file)]
    kept = ("epoch", "global_step", "state_dict", "current_model_state", "averaging_state")
    kept += ("optimizer_states", "lr_schedulers")
    last, best = (read_checkpoint(run / "checkpoints" / f"{name}.ckpt") for name in ("last", "best"))
    return {
        "rows": rows,
        **{f"last {name}": last[name] for name in kept},
        **{f"best {name}": best[name] for name in kept},
    }


def assert_same(found: Any, expected: Any, place: str = "") -> None:
    """The same values, bit for bit."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for key in expected:
            assert_same(found[key], expected[key], f"{place}/{key}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), place
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{place}/{number}")
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), place
    else:
        assert found == expected, place


def newest(workplace: Path) -> Path:
    return max((workplace / RUNS).iterdir(), key=lambda run: int(run.name.removeprefix("version_")))


def test_killed_and_resumed_run_equals_an_uninterrupted_one(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(FIT) == 0
    expected = result(newest(workplace))
    # In the middle of the third epoch, and again while the resumed run writes its first checkpoint.
    assert fit_ended(f"step:{2 * STEPS_AN_EPOCH + 2}", "SIGKILL").returncode == -signal.SIGKILL
    last = RUNS / "version_1" / "checkpoints" / "last.ckpt"
    assert read_checkpoint(last)["epoch"] == 1
    capsys.readouterr()
    assert main([*FIT, "--ckpt_path", "last"]) == 0
    assert f"--ckpt_path last: {last}" in capsys.readouterr().err
    assert_same(result(newest(workplace)), expected)


@pytest.mark.slow
def test_run_killed_at_twenty_moments_can_be_resumed(workplace: Path) -> None:
    """Runs that are killed and resumed until they reach their end, each at another moment."""
    assert main(FIT) == 0
    expected = result(newest(workplace))
    draw = random.Random(0)
    kills, ends = 0, 0
    resume: tuple[str, ...] = ()
    while kills < 20 or resume:
        kind, most = draw.choice([("step", 9), ("half", 6), ("before", 6), ("after", 6)])
        moment = f"{kind}:{draw.randint(1, most)}" if kills < 20 else "step:1000"
        done = fit_ended(moment, "SIGKILL", *resume)
        for path in (workplace / RUNS).glob("*/checkpoints/*.ckpt"):
            read_checkpoint(path)
        if done.returncode == 0:
            assert_same(result(newest(workplace)), expected)
            ends += 1
            resume = ()
        else:
            assert done.returncode == -signal.SIGKILL, done.stderr
            kills += 1
            # Before the first checkpoint there is nothing to go on from.
            has_last = (newest(workplace) / "checkpoints" / "last.ckpt").is_file()
            resume = ("--ckpt_path", "last") if has_last else ()
        print(f"{moment}: {'end' if done.returncode == 0 else 'killed'}, {kills} kills, {ends} ends")
    assert ends > 0


# Checkpoints after each step.
EACH_STEP = ["--trainer.callbacks+=ModelCheckpoint", "--trainer.callbacks.every_n_train_steps=1"]


def resume_from_each_kill(workplace: Path, options: list[str], moments: list[int]) -> None:
    """Kill a run in the given steps, resume it each time, and compare its end with an uninterrupted run."""
    assert main([*FIT, *options]) == 0
    expected = result(newest(workplace))
    resume: tuple[str, ...] = ()
    for moment in moments:
        assert fit_ended(f"step:{moment}", "SIGKILL", *options, *resume).returncode == -signal.SIGKILL
        resume = ("--ckpt_path", "last")
    assert main([*FIT, *options, *resume]) == 0
    assert_same(result(newest(workplace)), expected)


def test_run_killed_in_the_middle_of_epochs_equals_an_uninterrupted_one(workplace: Path) -> None:
    # After the 2nd step, in the middle; the 6th, the last of an epoch; the 7th.
    resume_from_each_kill(workplace, EACH_STEP, [3, 5, 2])


def test_streamed_run_killed_in_the_middle_of_an_epoch_equals_an_uninterrupted_one(workplace: Path) -> None:
    pytest.importorskip("litdata")
    for split, count in (("train", 24), ("val", 10)):
        for number in range(count):
            save(workplace / "photos" / split / f"{number:02}.png", noise(32, 32, number))
    write_stream(workplace / "photos", str(workplace / "chunks"), 32, workers=2)
    resume_from_each_kill(workplace, [*EACH_STEP, "--data.source=stream", "--data.root=chunks"], [5])


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--trainer.val_check_interval=2"],
        ["--trainer.val_check_interval=4", "--trainer.check_val_every_n_epoch=null"],
        ["--trainer.check_val_every_n_epoch=2"],
        ["--trainer.accumulate_grad_batches=2"],
        ["--trainer.max_steps=11"],
        [  # lowers the rate after each epoch
            "--model.lr_scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau",
            *("--model.lr_scheduler.patience=0", "--model.lr_scheduler.threshold=0.9"),
            "--model.lr_interval=epoch",
        ],
        ["--model.lr_scheduler=StepLR", "--model.lr_scheduler.step_size=1", "--model.lr_interval=epoch"],
    ],
    ids=lambda options: options[0] if options else "",
)
def test_run_killed_at_random_steps_equals_an_uninterrupted_one(workplace: Path, options: list[str]) -> None:
    draw = random.Random(" ".join(options))
    resume_from_each_kill(workplace, [*EACH_STEP, *options], [draw.randint(2, 4) for _ in range(4)])


@pytest.mark.slow
def test_run_resumed_from_the_end_of_a_validation_equals_an_uninterrupted_one(workplace: Path) -> None:
    saved = ["--trainer.callbacks+=ModelCheckpoint", "--trainer.callbacks.save_on_train_epoch_end=false"]
    resume_from_each_kill(workplace, [*saved, "--trainer.val_check_interval=2"], [3, 4, 3])


@pytest.mark.parametrize(
    ("by", "status"), [("SIGINT", 130), pytest.param("SIGTERM", 143, marks=pytest.mark.slow)]
)
def test_signal_prints_the_command_to_resume(workplace: Path, by: str, status: int) -> None:
    done = fit_ended(f"step:{STEPS_AN_EPOCH + 2}", by)
    assert done.returncode == status, done.stderr
    last = RUNS / "version_0" / "checkpoints" / "last.ckpt"
    assert f"last checkpoint: {last}\n" in done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("go on with:"))
    words = shlex.split(line.removeprefix("go on with:"))
    assert words == ["imgcolor", *FIT, "--ckpt_path", str(last)]
    assert "Traceback" not in done.stderr
    assert '"status": "stopped"' in (newest(workplace) / "run.json").read_text()
    assert read_checkpoint(last)["epoch"] == 0


@pytest.mark.slow
def test_signal_before_the_first_checkpoint(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It does not go on from an older run, of which it may not be the continuation."""
    (workplace / RUNS / "version_0" / "checkpoints").mkdir(parents=True)
    (workplace / RUNS / "version_0" / "run.json").write_text("{}")
    (workplace / RUNS / "version_0" / "checkpoints" / "last.ckpt").write_bytes(b"an older run's")
    done = fit_ended("step:2", "SIGINT")
    assert "no checkpoint yet" in done.stderr
    assert main([*FIT, "--ckpt_path", "last"]) == 1
    error = capsys.readouterr().err
    assert "version_1, the newest run, ended before its first epoch did" in error
    assert error.count("\n") == 1


def test_last_continues_a_run_of_an_older_version(workplace: Path) -> None:
    once = [*FIT, "--trainer.max_epochs=1"]
    assert main(once) == 0
    config = workplace / RUNS / "version_0" / "config.yaml"
    older = config.read_text().replace("  mode: null\n", "  mode: min\n")
    assert older != config.read_text()
    config.write_text(older)
    assert main([*once, "--ckpt_path=last"]) == 0


def test_last_is_the_newest_run_with_the_same_options(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    once = [*FIT, "--trainer.max_epochs=1"]
    assert main([*once, "--ckpt_path=last"]) == 1
    assert "expected a run of `imgcolor fit`" in capsys.readouterr().err
    assert main([*once, "--trainer.logger.name=other"]) == 0
    assert main([*once, "--ckpt_path=last"]) == 1  # not the other experiment's
    assert "expected a run of `imgcolor fit`" in capsys.readouterr().err
    assert main(once) == 0
    assert main(["validate", *once[1:], "--ckpt_path=last"]) == 0  # has a folder, and is no fit
    capsys.readouterr()
    assert main([*once, "--ckpt_path=last", "--data.batch_size=6"]) == 1
    assert "data.init_args.batch_size 6, where it has 8" in capsys.readouterr().err
    assert main([*once[:-1], "--ckpt_path=last", "--trainer.max_epochs=2"]) == 1  # a cycle has one length
    assert "OneCycleLR" in capsys.readouterr().err


def test_best_checkpoint_is_kept_after_a_resume(workplace: Path) -> None:
    """The best epoch is before the break: the learning rate then ruins the weights."""
    options = ["--model.lr_scheduler=null", "--trainer.callbacks=null"]
    assert main([*FIT, *options, "--trainer.max_epochs=1"]) == 0
    best = read_checkpoint(newest(workplace) / "checkpoints" / "best.ckpt")
    last = str(newest(workplace) / "checkpoints" / "last.ckpt")
    assert (
        main([*FIT, *options, f"--ckpt_path={last}", "--data.shuffle=false", "--trainer.max_epochs=1"]) == 0
    )
    carried = read_checkpoint(newest(workplace) / "checkpoints" / "best.ckpt")
    assert_same(carried["state_dict"], best["state_dict"])


def test_resume_command_keeps_the_arguments() -> None:
    words = ["fit", "--ckpt_path", "old one.ckpt", "--data.root", "my photos", "--ckpt_path=older.ckpt"]
    assert resume_command(words, Path("new.ckpt")) == (
        "imgcolor fit --data.root 'my photos' --ckpt_path new.ckpt"
    )


@pytest.fixture
def mounted(workplace: Path) -> Iterator[Path]:
    """A disk of its own, small and soon full, where root may mount one."""
    disk = workplace / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fit_there(disk: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "imgcolor", *FIT, f"--trainer.logger.save_dir={disk}", *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_full_disk(mounted: Path) -> None:
    done = fit_there(mounted, "--trainer.max_epochs=1000")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"imgcolor: error: {mounted}")
    assert "No space left on device" in error
    assert "make room there" in error
    checkpoints = mounted / RUNS.name / "version_0" / "checkpoints"
    for path in checkpoints.iterdir():
        read_checkpoint(path)
    assert f"--ckpt_path {checkpoints / 'last.ckpt'}" in done.stderr


def test_disk_without_space(mounted: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    done = fit_there(mounted)
    assert done.returncode == 1
    (error,) = (line for line in done.stderr.splitlines() if line.startswith("imgcolor: error"))
    assert f"{mounted}" in error
    assert "mounted read-only" in error
    assert "Traceback" not in done.stderr


def test_file_in_place_of_the_run_folder(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("")
    assert main([*FIT, "--trainer.logger.save_dir=taken"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "taken" in error
    assert "is a file where a folder is needed" in error

"""The stopping rule: epoch by epoch, across a kill, and in two processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor
from torch.utils.data import DataLoader

from imgcolor.callbacks import EpsilonPatience
from imgcolor.cli.main import main
from imgcolor.utils.errors import ImgcolorError


class Scripted(LightningModule):
    """Its validation losses are given, and its one weight says which epoch trained it last."""

    def __init__(self, losses: list[float]) -> None:
        super().__init__()
        self.losses = losses
        self.epoch_of_weights = torch.nn.Parameter(torch.tensor(-1.0))
        self.register_buffer("statistic", torch.tensor(-1.0))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.epoch_of_weights.data.fill_(self.current_epoch)
        self.statistic.fill_(self.current_epoch)  # as a batch norm's running mean
        return 0 * self.epoch_of_weights

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val/loss", self.losses[self.current_epoch], sync_dist=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.0)

    def train_dataloader(self) -> Any:
        return DataLoader(torch.zeros(2, 1))

    val_dataloader = train_dataloader


def run(
    losses: list[float], callback: EpsilonPatience, *callbacks: Callback, **options: Any
) -> tuple[int, float, float]:
    """Number of epochs that ran, and the epochs of the weight and of the buffer in the end."""
    module = Scripted(losses)
    trainer = Trainer(
        **{
            "max_epochs": len(losses),
            "accelerator": "cpu",
            "logger": False,
            "enable_checkpointing": False,
            **options,
        },
        callbacks=[callback, *callbacks],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module)
    return trainer.current_epoch, module.epoch_of_weights.item(), float(module.statistic)


# By hand, with epsilon 0.1 and patience 2. Epochs from 0; * marks a failure: not lower than the one before by more
# than 0.1. The third failure in a row stops, and the weights of (current - 2), the first of the three, come back.
HAND_WORKED = [
    #  0    1    2     3     4     5
    ([9.0, 8.0, 7.0, 7.0, 7.0, 7.0], 6, 3),  # * * * at 3, 4, 5: stops in 5, back to 3
    ([9.0, 8.9, 8.8, 8.7, 0.0, 0.0], 4, 1),  # steps of 0.1 are not more than epsilon: * at 1, 2, 3
    ([9.0, 9.5, 9.0, 8.5, 9.0, 9.0], None, 5),  # * at 1; falls at 2 and 3; * at 4, 5: not three in a row
    ([9.0, 9.9, 8.0, 9.0, 9.5, 9.9], 6, 3),  # compared with the previous epoch, not the best: 8.0 succeeds
    (
        [1.0, 5.0, 4.0, 5.0, 4.0, 5.0],
        None,
        5,
    ),  # up and down: * never three times in a row, though above the best
    ([9.0, 9.0, 9.0, 9.0, 0.0, 0.0], 4, 1),  # the first epoch has none before it and cannot fail
]


@pytest.mark.parametrize(("losses", "stops_after", "weights_of"), HAND_WORKED)
def test_stopping_rule_by_hand(losses: list[float], stops_after: int | None, weights_of: int) -> None:
    callback = EpsilonPatience(epsilon=0.1 + 1e-6, patience=2)
    epochs, weights, buffer = run(losses, callback)
    assert epochs == (stops_after or len(losses))
    assert weights == buffer == weights_of
    assert callback.chosen_epoch == (weights_of if stops_after else None)


@pytest.mark.parametrize("patience", [0, 1, 5])
def test_the_restored_weights_are_those_of_current_minus_patience(patience: int) -> None:
    losses = [5.0, 4.0, *[4.0] * 10]
    callback = EpsilonPatience(patience=patience)
    epochs, weights, _ = run(losses, callback)
    current = epochs - 1
    assert current == 2 + patience  # fails at 2, 3, ...; the (patience + 1)th stops
    assert weights == callback.chosen_epoch == current - patience


def test_at_most_one_copy_of_weights_is_kept() -> None:
    class Watch(Callback):
        kept: list[bool]

        def __init__(self, stopping: EpsilonPatience) -> None:
            self.stopping = stopping
            self.kept = []

        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.kept.append(self.stopping.state_dict()["kept_weights"] is not None)

    stopping = EpsilonPatience(patience=2)
    watch = Watch(stopping)
    run([5.0, 4.0, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0], stopping, watch)
    assert watch.kept == [False, False, True, False, True, True, True]
    assert stopping.state_dict()["kept_weights"] is None  # gone back to


def test_validation_every_other_epoch() -> None:
    #          -    1    -    3    -    5    -    7: the validated ones count as one each
    losses = [0.0, 5.0, 0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0, 0.0]
    callback = EpsilonPatience(patience=1)
    epochs, weights, _ = run(losses, callback, check_val_every_n_epoch=2)
    assert epochs == 8
    assert weights == callback.chosen_epoch == 5


def test_sanity_check_does_not_count() -> None:
    callback = EpsilonPatience(patience=0)
    # A sanity check would see epoch 0's 5.0 first, and epoch 0 itself would fail against it.
    epochs, weights, _ = run([5.0, 4.0, 4.0], callback, num_sanity_val_steps=-1)
    assert (epochs, weights) == (3, 2)


def test_best_checkpoint_is_that_of_the_best_epoch(tmp_path: Path) -> None:
    """Falls smaller than epsilon: the stopping epoch is the best, and its file keeps its own weights."""
    checkpoint = ModelCheckpoint(tmp_path, "best", "val/loss", save_last=True, save_on_train_epoch_end=True)
    stopping = EpsilonPatience(epsilon=1.0, patience=2)
    run([9.0, 8.9, 8.8, 8.7, 8.6], stopping, checkpoint, enable_checkpointing=True)

    def epoch_of_weights(name: str) -> float:
        return float(torch.load(tmp_path / name, weights_only=True)["state_dict"]["epoch_of_weights"])

    assert epoch_of_weights("best.ckpt") == 3
    assert epoch_of_weights("last.ckpt") == 1 == stopping.chosen_epoch


def test_lightnings_early_stopping_works_with_it() -> None:
    ours = EpsilonPatience(patience=3)
    theirs = EarlyStopping("val/loss", patience=1)
    assert run([5.0, 5.0, 5.0, 5.0, 5.0], ours, theirs)[0] == 2  # theirs stops first, and nothing comes back
    assert ours.chosen_epoch is None
    theirs = EarlyStopping("val/loss", patience=9)
    assert run([5.0, 5.0, 5.0, 5.0, 5.0, 5.0], EpsilonPatience(patience=2), theirs)[:2] == (4, 1)


def test_the_error_for_an_unknown_monitor_names_the_logged_values() -> None:
    with pytest.raises(ImgcolorError, match=r"val/loss.*found 'val/los'"):
        run([1.0, 1.0], EpsilonPatience(monitor="val/los"))


@pytest.mark.parametrize("options", [{"epsilon": -1.0}, {"epsilon": float("nan")}, {"patience": -1}])
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(ImgcolorError, match="expected 0 or more"):
        EpsilonPatience(**options)


FACES = [
    "fit",
    "--config",
    str(Path(__file__).parents[2] / "experiments" / "faces" / "conv_stack.yaml"),
    "--data.source=synthetic",
    "--data.train_images=32",
    "--data.val_images=8",
    "--data.size=16",
    "--trainer.max_epochs=12",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]

KILLED = """
import os, signal, sys
from lightning.pytorch import Callback
import imgcolor.callbacks
from imgcolor.cli.main import main

class KilledAt(Callback):
    def __init__(self, epoch: int):
        self.epoch = epoch
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == self.epoch and batch_idx == 1:
            os.kill(os.getpid(), signal.SIGKILL)

imgcolor.callbacks.KilledAt = KilledAt
KilledAt.__module__ = "imgcolor.callbacks"
sys.exit(main(sys.argv[1:]))
"""


def command(*options: str, script: str | None = None, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = ["-m", "imgcolor"] if script is None else ["-c", script]
    return subprocess.run(
        [sys.executable, *program, *FACES, *options],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_callback_that_averages_weights_is_refused(tmp_path: Path) -> None:
    callbacks = [EpsilonPatience(), EMAWeightAveraging()]
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, callbacks=callbacks, default_root_dir=tmp_path
    )
    with pytest.raises(ImgcolorError, match="averages weights"):
        trainer.fit(Scripted([1.0]))


@pytest.mark.slow
def test_a_resumed_run_decides_like_an_uninterrupted_one(workplace: Path) -> None:
    """SIGKILL in the middle of a streak of failures: counter and kept weights must survive it."""
    # No epoch falls by 10, so epochs 1, 2, 3 and 4 fail, the fourth failure stops, and epoch 1 comes back.
    rule = (
        "--trainer.callbacks=EpsilonPatience",
        "--trainer.callbacks.epsilon=10",
        "--trainer.callbacks.patience=3",
    )
    straight = command(*rule, cwd=workplace)
    assert straight.returncode == 0, straight.stderr
    kill = ("--trainer.callbacks+=imgcolor.callbacks.KilledAt", "--trainer.callbacks.epoch=3")
    killed = command(*rule, *kill, script=KILLED, cwd=workplace)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    runs = workplace / "lightning_logs" / "faces_conv_stack"
    last = runs / "version_1" / "checkpoints" / "last.ckpt"
    resumed = command(*rule, f"--ckpt_path={last}", cwd=workplace)
    assert resumed.returncode == 0, resumed.stderr

    def result(version: str) -> tuple[dict[str, float], dict[str, Tensor], list[str]]:
        folder = runs / version
        metrics = json.loads((folder / "metrics.json").read_text())
        metrics.pop("seconds")
        weights = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        epochs = [line.split(",")[0] for line in (folder / "metrics.csv").read_text().splitlines()[1:]]
        return metrics, weights, epochs

    expected, found = result("version_0"), result("version_2")
    assert found[0] == expected[0]
    assert found[0]["chosen_epoch"] == found[0]["epoch"] == 1
    assert all(torch.equal(value, found[1][name]) for name, value in expected[1].items())
    assert found[2] == expected[2] == ["0", "1", "2", "3", "4"]
    # The checkpoint that is left gives the metrics of the chosen epoch.
    options = ["--config", str(runs / "version_0" / "config.yaml"), "--trainer.enable_progress_bar=false"]
    assert (
        main(["validate", *options, f"--ckpt_path={runs / 'version_0' / 'checkpoints' / 'last.ckpt'}"]) == 0
    )
    of_checkpoint = json.loads((runs / "version_3" / "metrics.json").read_text())
    assert of_checkpoint["val/loss"] == pytest.approx(expected[0]["val/loss"], rel=1e-5)
    # Resuming what was stopped trains no more, and leaves the same result.
    straight_last = runs / "version_0" / "checkpoints" / "last.ckpt"
    assert main(["fit", *options, f"--ckpt_path={straight_last}", "--trainer.max_epochs=20"]) == 0
    again = json.loads((runs / "version_4" / "metrics.json").read_text())
    assert {**again, "seconds": 0} == {**expected[0], "seconds": 0}
    saved = (runs / "version_0" / "config.yaml").read_text()
    assert "imgcolor.callbacks.EpsilonPatience" in saved
    assert "patience: 3" in saved
    events = EventAccumulator(str(runs / "version_0"))
    events.Reload()
    assert [event.value for event in events.Scalars("chosen_epoch")] == [1]


TWO_PROCESSES = """
import json, sys
import torch
sys.path.insert(0, sys.argv[1])
from lightning.pytorch import Trainer
from imgcolor.callbacks import EpsilonPatience
from test_stopping import Scripted

class OneRankFails(Scripted):
    # The ranks' own losses differ: rank 1 alone would never stop.
    def validation_step(self, batch, batch_idx):
        falling = 10.0 - self.current_epoch
        value = torch.tensor(falling if self.trainer.global_rank == 1 else 20.0 - falling)
        # Not synchronised: each rank sees its own, and the first one's decides.
        self.log("val/loss", value)

module = OneRankFails([])
callback = EpsilonPatience(epsilon=0.1, patience=2)
trainer = Trainer(max_epochs=9, accelerator="cpu", strategy="ddp", devices=2, logger=False, callbacks=[callback],
                  enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
trainer.fit(module)
with open(f"rank{trainer.global_rank}.json", "w") as file:
    json.dump([trainer.current_epoch, module.epoch_of_weights.item(), callback.chosen_epoch], file)
"""


@pytest.mark.slow
def test_two_ranks_stop_together(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(TWO_PROCESSES)
    done = subprocess.run(
        [sys.executable, "program.py", str(Path(__file__).parent)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    for rank in (0, 1):  # rank 0's rises: epochs 1, 2 and 3 fail, epoch 1 comes back
        assert json.loads((tmp_path / f"rank{rank}.json").read_text()) == [4, 1.0, 1]

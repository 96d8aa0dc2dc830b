"""The command line's trainer: Lightning's with less to do between steps."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.profilers import SimpleProfiler

from imgcolor.callbacks.progress_bar import CalmProgressBar
from imgcolor.cli.trainer import ImgcolorTrainer, NoProfiler


def bars(trainer: ImgcolorTrainer) -> list[RichProgressBar]:
    return [callback for callback in trainer.callbacks if isinstance(callback, RichProgressBar)]


def test_what_the_user_asks_for_stays(tmp_path: Path) -> None:
    for mine in (RichProgressBar(refresh_rate=3), RichProgressBar(leave=True)):
        assert bars(ImgcolorTrainer(callbacks=[mine], default_root_dir=tmp_path)) == [mine]
        assert bars(ImgcolorTrainer(callbacks=mine, default_root_dir=tmp_path)) == [mine]
    assert bars(ImgcolorTrainer(enable_progress_bar=False, default_root_dir=tmp_path)) == []
    assert type(ImgcolorTrainer(profiler="simple", default_root_dir=tmp_path).profiler) is SimpleProfiler


def test_without_a_wish_it_draws_and_profiles_less(tmp_path: Path) -> None:
    trainer = ImgcolorTrainer(default_root_dir=tmp_path)
    (bar,) = bars(trainer)
    assert isinstance(bar, CalmProgressBar)
    assert bar.refresh_rate == 10
    assert type(trainer.profiler) is NoProfiler
    with trainer.profiler.profile("outer"), trainer.profiler.profile("inner"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal is a pty here")
def test_the_bar_of_a_fit_in_a_terminal_reaches_the_end_of_each_epoch(
    workplace: Path, repository: Path
) -> None:
    ours, theirs = pty.openpty()
    command = [
        *(sys.executable, "-m", "imgcolor", "fit"),
        *("--config", str(repository / "experiments/quickstart.yaml")),
        *("--data.train_images=30", "--data.val_images=10", "--data.batch_size=10", "--trainer.max_epochs=2"),
    ]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment, cwd=workplace) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the terminal's other side is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "Epoch 0/1" in text
    assert re.search(r"Epoch 1/1 .* 3/3 ", text)

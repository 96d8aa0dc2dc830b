"""What a fit shows in a terminal: the summary of the network, and the progress bar."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from imgcolor.callbacks import EpochProgressBar, NetworkSummary
from imgcolor.callbacks.network_summary import summarize_network
from imgcolor.cli.main import main
from imgcolor.data import HorseColourizationDataModule
from imgcolor.networks import ColourCNN, RegressionCNN
from imgcolor.tasks import ColourRegression


def run_in_terminal(command: list[str], folder: Path, columns: int) -> str:
    """Run a command in a terminal, and return what it shows, without control sequences."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "LINES": "30"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment, cwd=folder) as process:
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
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal is a pty here")
def test_summary_and_progress_bar_fit_a_terminal_of_80_columns(workplace: Path, repository: Path) -> None:
    command = [
        *(sys.executable, "-m", "imgcolor", "fit"),
        *("--config", str(repository / "experiments/quickstart.yaml")),
        *("--data.train_images=30", "--data.val_images=10", "--data.batch_size=10", "--trainer.max_epochs=2"),
    ]
    text = run_in_terminal(command, workplace, columns=80)
    lines = re.split(r"[\r\n]+", text)
    assert max(map(len, lines[: lines.index(next(line for line in lines if "run folder" in line))])) <= 80
    number = r"\d\.\d{3,4}"
    last = rf"Epoch 2/2 .* 3/3 .* train/loss {number} val/loss {number} accuracy 0\.\d{{4}}"
    assert any(re.fullmatch(last, line.strip()) for line in lines), lines
    assert "Epoch 0" not in text
    assert "v_num" not in text
    assert "Params" not in text  # of Lightning's own summary
    blocks = [line.split()[0] for line in lines if re.search(r"(Sequential|Conv2d) ", line)]
    assert blocks == ["stem", "down1", "enter0", "up0", "head"]


def test_operations_of_blocks_are_counted() -> None:
    # A 3×3 convolution of 4 channels to 8 at 6×6 has 6 · 6 · 8 · 4 · 9 multiplications, and as many additions.
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, padding=1))
    title, table = summarize_network(network, torch.rand(1, 1, 6, 6))
    assert "FLOPs for an image of 1×6×6" in title
    columns = {column.header: list(column.cells) for column in table.columns}
    assert columns["block"] == ["0", "2"]
    assert columns["FLOPs"] == ["288", "20.7 K"]
    assert columns["output"] == ["4×6×6", "8×6×6"]


def test_blocks_of_a_list_and_of_an_inner_module() -> None:
    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolutions = nn.ModuleList(nn.Conv2d(1, 1, 1) for _ in range(2))
            self.head = nn.Conv2d(1, 1, 1)

        def forward(self, images: Tensor) -> Tensor:
            for convolution in self.convolutions:
                images = convolution(images)
            return self.head(images)

    inner = nn.Module()
    inner.wrapped = Stack()
    inner.forward = inner.wrapped.forward
    _, table = summarize_network(inner, None)
    assert list(table.columns[0].cells) == ["convolutions", "head"]
    _, table = summarize_network(Stack(), torch.rand(1, 1, 2, 2))
    assert list(table.columns[-1].cells) == ["16", "8"]


def test_operations_are_left_out_where_the_network_cannot_be_run() -> None:
    title, table = summarize_network(ColourCNN(24, 4), torch.rand(1, 3, 8, 8))
    assert "FLOPs" not in title
    assert [column.header for column in table.columns] == ["block", "type", "parameters"]


def test_callbacks_work_in_a_trainer(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = HorseColourizationDataModule(source="synthetic", train_images=8, val_images=4, batch_size=4)
    options = {"max_epochs": 1, "logger": False, "enable_checkpointing": False}
    trainer = Trainer(callbacks=[EpochProgressBar(), NetworkSummary()], **options)
    trainer.fit(ColourRegression(RegressionCNN(base_channels=2)), data)
    out = capsys.readouterr().out
    assert out.startswith("RegressionCNN: ")
    assert "downconv1" in out


def test_summary_and_progress_bar_can_be_switched_off_and_replaced(
    workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = ["--data.train_images=10", "--data.val_images=10", "--trainer.max_epochs=1"]
    command = ["fit", "--config", str(repository / "experiments/quickstart.yaml"), *tiny]
    off = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
    assert main([*command, *off]) == 0
    out = capsys.readouterr().out
    assert "Epoch" not in out
    assert "ResidualUNet" not in out
    own = ["--trainer.callbacks=RichProgressBar", "--trainer.callbacks+=RichModelSummary"]
    assert main([*command, *own]) == 0
    out = capsys.readouterr().out
    assert "Params" in out
    assert "ResidualUNet:" not in out

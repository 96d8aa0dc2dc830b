"""Every experiment file runs, with fewer images and drawn ones."""

import csv
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from imgcolor.cli.main import main
from imgcolor.cli.sweep import _check_trials
from imgcolor.cli.sweep_file import read_sweep
from imgcolor.utils.precision import has_fast_bfloat16

EXPERIMENTS = sorted(
    path.relative_to(Path(__file__).parents[1]).as_posix()
    for path in (Path(__file__).parents[1] / "experiments").rglob("*.yaml")
    if path.parent.name not in ("sweeps", "results")
)
SWEEPS = sorted(path.name for path in (Path(__file__).parents[1] / "experiments" / "sweeps").glob("*.yaml"))


# A processor that only imitates what the best experiments ask for would take ten times as long.
PRECISION = [] if has_fast_bfloat16(torch.device("cpu")) else ["--trainer.precision=32-true"]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiment_runs_two_epochs(experiment: str, tiny_fit: Callable[..., Path]) -> None:
    folder = tiny_fit(experiment, *PRECISION)
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    final = json.loads((folder / "metrics.json").read_text())
    assert {"train/loss", "val/loss", "val/mse", "val/psnr", "val/margin12"} <= set(final)
    assert ("val/accuracy" in final) == ("Classification" in (folder / "config.yaml").read_text())
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    assert (folder / "images" / "epoch_0001.png").is_file()
    assert list(folder.glob("events.out.tfevents.*"))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_first_line_is_the_command(experiment: str, repository: Path) -> None:
    first = (repository / experiment).read_text().splitlines()[0]
    assert first == f"# imgcolor fit --config {experiment}"


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_run_is_named_after_its_experiment(experiment: str, repository: Path) -> None:
    content = yaml.safe_load((repository / experiment).read_text())
    name = content["trainer"]["logger"]["init_args"]["name"]
    assert name == re.sub("^experiments/(.*).yaml$", r"\1", experiment).replace("/", "_")


@pytest.mark.parametrize("name", SWEEPS)
def test_commands_of_a_sweep_are_valid(
    name: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    file = f"experiments/sweeps/{name}"
    assert (repository / file).read_text().splitlines()[0] == f"# imgcolor sweep {file}"
    assert main(["sweep", file, "--dry-run"]) == 0
    *lines, count = capsys.readouterr().out.strip().splitlines()
    commands = [line for line in lines if line.startswith("imgcolor fit ")]
    if read_sweep(repository / file).search != "grid":  # one command, and a line per option that is drawn
        assert len(commands) == 1
        return
    assert count.split()[0] == str(len(commands)) == str(len(lines))
    assert len(set(commands)) == len(commands)
    built = []
    for command in commands[:: max(1, len(commands) // 4)]:
        with pytest.raises(SystemExit) as done:  # as argparse ends what prints and does nothing else
            main([*shlex.split(command)[1:], "--print_config"])
        printed = capsys.readouterr()
        assert not done.value.code, printed.err
        built.append(printed.out)
    assert len(set(built)) == len(built)  # no value of the sweep gets lost on its way


def test_values_of_a_search_are_valid(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    file = Path("experiments/sweeps/hyperparameters.yaml")
    plan = read_sweep(file)
    assert (plan.search, plan.trials, len(plan.parameters)) == ("tpe", 30, 5)
    _check_trials(file, plan)

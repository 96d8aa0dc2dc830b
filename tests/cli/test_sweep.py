import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from imgcolor.cli.main import main

SIZES = {
    "data.source": "synthetic",
    "data.train_images": 24,
    "data.val_images": 10,
    "data.batch_size": 10,
    "model.network.base_channels": 2,
}


def write(path: Path, repository: Path, **content: object) -> None:
    experiment = str(repository / "experiments" / "horses" / "regression_cnn.yaml")
    path.write_text(yaml.safe_dump({"experiment": experiment, "overrides": SIZES, **content}))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_dry_run_lists_the_command_of_each_combination(
    workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = {"model.optimizer.lr": [0.1, 0.01], "seed_everything": [0, 1, 2]}
    write(workplace / "plan.yaml", repository, parameters=parameters)
    assert main(["sweep", "plan.yaml", "--dry-run"]) == 0
    *commands, count = capsys.readouterr().out.strip().splitlines()
    assert count == "6 trials"
    assert len(set(commands)) == 6
    for command in commands:
        assert command.startswith("imgcolor fit --config ")
        assert "--data.train_images=24" in command
    assert "--model.optimizer.lr=0.01 --seed_everything=2" in commands[-1]
    assert not (workplace / "lightning_logs").exists()


def test_variants_change_options_together_and_extra_options_apply_to_all(
    workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variants = {"base": {}, "wide": {"model.network.base_channels": 64, "data.batch_size": 50}}
    write(workplace / "plan.yaml", repository, variants=variants, parameters={"seed_everything": [0, 1]})
    assert main(["sweep", "plan.yaml", "--dry-run", "--", "--data.root=elsewhere"]) == 0
    *commands, count = capsys.readouterr().out.strip().splitlines()
    assert count == "4 trials"
    assert all(command.endswith("--data.root=elsewhere") for command in commands)
    assert sum("base_channels=64" in command and "batch_size=50" in command for command in commands) == 2
    assert sum("base_channels=2 " in command and "batch_size=10" in command for command in commands) == 2


def test_a_variant_can_have_its_own_experiment(
    workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(repository / "experiments" / "horses" / "colour_unet.yaml")
    variants = {"RGB": {}, "colours": {"experiment": other, "data.batch_size": 5}}
    write(workplace / "plan.yaml", repository, variants=variants)
    assert main(["sweep", "plan.yaml", "--dry-run"]) == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert "regression_cnn.yaml" in first
    assert second.startswith(f"imgcolor fit --config {other} ")
    assert "batch_size=5" in second
    assert "--experiment" not in second


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "expected parameters or variants, found none"),
        ({"variants": {"a": {"experiment": 3}}}, "variants: a: experiment: expected text, found 3"),
        (
            {"variants": {"a": {"experiment": "nowhere.yaml"}}},
            "experiment: expected a file, found none at nowhere.yaml",
        ),
        (
            {"variants": {"a": 3}},
            "variants: a: expected names with values, such as `data.batch_size: 10` on a line, found 3",
        ),
        ({"parameters": {"a": 3}}, "a: expected a list of values, found 3"),
        ({"parameters": {"a": {"min": 0, "max": 1}}}, "a: expected a list of values"),
        ({"parameters": {"a": [1]}, "search": "magic"}, "grid, random, tpe"),
        ({"parameters": {"a": [1]}, "mode": "up"}, "min, max"),
        ({"parameters": {"a": [1]}, "overrides": ["--a=b"]}, "overrides: expected names with values"),
        ({"parameters": [1]}, "parameters: expected names with values"),
        (
            {"parameters": {"a": [1]}, "trials": "many"},
            "trials: expected a whole number of at least 1, found 'many'",
        ),
        ({"parameters": {"a": [1]}, "cpus": -1}, "cpus: expected a number of at least 0, found -1"),
        ({"parameters": {"a": [1]}, "metric": 3}, "metric: expected text, found 3"),
        ({"parameters": {"a": [1]}, "metrics": "val/loss"}, "'metrics'"),
        ({"parameters": {"a": [1]}, "experiment": "nowhere.yaml"}, "nowhere.yaml"),
    ],
)
def test_bad_sweep_file_is_refused(
    content: dict[str, object],
    message: str,
    workplace: Path,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(workplace / "plan.yaml", repository, **content)
    assert main(["sweep", "plan.yaml", "--dry-run"]) == 1
    capsys.readouterr()
    assert main(["sweep", "plan.yaml"]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "plan.yaml" in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"parameters": {"model.optimizer.lr": [0.1, "fast"]}}, "lr: expected float, found fast"),
        ({"parameters": {"model.optimizer.rate": [0.1]}}, "Adam has no such option"),
        ({"variants": {"a": {}, "b": {"model.network": "nowhere.Missing"}}}, "no module named 'nowhere'"),
        ({"parameters": {"seed_everything": [0]}, "overrides": {**SIZES, "data.size": "big"}}, "data.size"),
    ],
)
def test_options_are_checked_before_a_trial_starts(
    content: dict[str, object],
    message: str,
    workplace: Path,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(workplace / "plan.yaml", repository, **content)
    assert main(["sweep", "plan.yaml"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("imgcolor: error: plan.yaml: ")
    assert message in line
    assert not (workplace / "lightning_logs").exists()


def test_packaged_sweep_and_its_experiment_are_found(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "experiments/sweeps/superres_networks.yaml", "--dry-run"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    command = first.removeprefix("imgcolor ").split()
    with pytest.raises(SystemExit) as stop:  # the command works here too
        main([*command, "--print_config"])
    assert stop.value.code == 0


# Ends the sweep, not the run, in the second trial's third epoch, once; then waits to be ended with it.
KILLER = """
import os, pathlib, signal
from lightning.pytorch import Callback

class KillSweep(Callback):
    def on_train_epoch_start(self, trainer, module):
        done = pathlib.Path("killed")
        second = module.network.kernel_size == 5
        if second and trainer.current_epoch == 2 and not done.exists():
            done.touch()
            os.kill(int(pathlib.Path("pid").read_text()), signal.SIGKILL)
            signal.pause()
"""

SWEEP = """
import os, pathlib, sys
from imgcolor.cli.main import main
pathlib.Path("pid").write_text(str(os.getpid()))
sys.exit(main(["sweep", "plan.yaml", *sys.argv[1:]]))
"""


@pytest.mark.slow
def test_killed_sweep_resumes_and_runs_each_trial_once(workplace: Path, repository: Path) -> None:
    pytest.importorskip("ray")
    (workplace / "killer.py").write_text(KILLER)
    write(
        workplace / "plan.yaml",
        repository,
        overrides={**SIZES, "trainer.max_epochs": 4, "trainer.callbacks+": "killer.KillSweep"},
        parameters={"model.network.kernel_size": [3, 5]},
        cpus=os.cpu_count(),  # one after the other
    )

    def sweep(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", SWEEP, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    first = sweep()
    assert first.returncode == -signal.SIGKILL, first.stderr
    folder = workplace / "lightning_logs" / "plan"
    finished = (folder / "kernel_size=3" / "version_0" / "metrics.json").stat().st_mtime
    again = sweep()
    assert again.returncode == 1
    assert "--resume" in again.stderr
    resumed = sweep("--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "best first" in resumed.stdout
    found = rows(folder / "results.csv")
    assert [row["status"] for row in found] == ["finished", "finished"]
    assert {row["model.network.kernel_size"] for row in found} == {"3", "5"}
    losses = [float(row["val/loss"]) for row in found]
    assert losses == sorted(losses)
    # The finished trial was not touched again; the other one went on where it was.
    assert (folder / "kernel_size=3" / "version_0" / "metrics.json").stat().st_mtime == finished
    assert not (folder / "kernel_size=3" / "version_1").exists()
    epochs = [row["epoch"] for row in rows(folder / "kernel_size=5" / "version_1" / "metrics.csv")]
    assert epochs == ["0", "1", "2", "3"]
    # What is swept, and not all that was typed, is at the head of TensorBoard's table.
    events = EventAccumulator(str(folder / "kernel_size=3" / "version_0"))
    events.Reload()
    described = events.SummaryMetadata("_hparams_/experiment").plugin_data.content
    options = HParamsPluginData.FromString(described).experiment.hparam_infos
    first = {option.name for option in options if option.differs}
    assert first == {"batch_size", "lr", "network", "network.arguments", "model.network.kernel_size"}


@pytest.mark.slow
def test_diverged_and_failed_trials_do_not_stop_the_others(workplace: Path, repository: Path) -> None:
    pytest.importorskip("ray")
    write(
        workplace / "plan.yaml",
        repository,
        overrides={**SIZES, "trainer.max_epochs": 1},
        parameters={"model.optimizer.lr": [1e9, -1, 0.001]},
    )
    done = subprocess.run(
        [sys.executable, "-c", SWEEP],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 1
    assert "1 of 3 trials failed" in done.stderr
    found = {row["model.optimizer.lr"]: row for row in rows(workplace / "lightning_logs/plan/results.csv")}
    assert found["0.001"]["status"] == "finished"
    assert found["1000000000.0"]["status"] == "diverged"
    assert found["-1"]["status"] == "failed"
    assert "Invalid learning rate: -1" in found["-1"]["error"]
    shown = done.stdout.splitlines()
    assert len(shown) < 15, done.stdout  # a line per trial, the table, two places
    assert sum(line.startswith(f"{n} of 3 trials ") for n, line in zip((1, 2, 3), shown, strict=False)) == 3


# Two trials that wait for each other: on nodes of one core, so on two of them.
MEET = """
import os, pathlib, time
from lightning.pytorch import Callback

class Meet(Callback):
    def on_fit_start(self, trainer, module):
        meeting = pathlib.Path("meeting")
        meeting.mkdir(exist_ok=True)
        (meeting / str(os.getpid())).touch()
        end = time.monotonic() + 200
        while len(list(meeting.iterdir())) < 2:
            assert time.monotonic() < end, "the other trial does not run at the same time"
            time.sleep(0.1)
"""


@pytest.mark.slow
def test_sweep_uses_all_nodes_of_a_ray_cluster(workplace: Path, repository: Path) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    (workplace / "meet.py").write_text(MEET)
    write(
        workplace / "plan.yaml",
        repository,
        overrides={**SIZES, "trainer.max_epochs": 1, "trainer.callbacks+": "meet.Meet"},
        parameters={"model.network.kernel_size": [3, 5]},
    )
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        done = subprocess.run(
            [sys.executable, "-c", SWEEP, f"--address={cluster.address}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    finally:
        cluster.shutdown()
    assert done.returncode == 0, done.stderr
    found = rows(workplace / "lightning_logs" / "plan" / "results.csv")
    assert [row["status"] for row in found] == ["finished", "finished"]
    assert {row["model.network.kernel_size"] for row in found} == {"3", "5"}

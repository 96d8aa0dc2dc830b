"""Run the trials of a sweep by Ray Tune. Each trial is a separate ``imgcolor fit`` process."""

import ctypes
import json
import logging
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from imgcolor.cli.ray_cluster import ray_cluster
from imgcolor.cli.sweep_file import Sweep, trial_name, trial_options
from imgcolor.utils.errors import DivergedError, ImgcolorError
from imgcolor.utils.files import RUN_FILE, read_rows
from imgcolor.utils.provenance import SWEPT


def run_trials(plan: Sweep, folder: Path, address: str | None, resume: bool) -> Any:
    """Run all trials of a sweep.

    Args:
        plan: The sweep.
        folder: Where the runs are written.
        address: The address of a Ray cluster; None for this machine.
        resume: Whether to continue an earlier sweep in this folder.

    Returns:
        Ray's ``ResultGrid``.

    Raises:
        ImgcolorError: If Ray is missing, or the folder does or does not hold an earlier sweep.
    """
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # imgcolor writes its own files
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # its tables cannot be switched off
    try:
        from ray import tune
    except ImportError as error:
        raise ImgcolorError(
            f"sweep: expected Ray Tune, found none ({error}); install it with pip install 'imgcolor[ray]'"
        ) from error
    state = folder / "ray"
    restorable = tune.Tuner.can_restore(str(state))
    if resume and not restorable:
        raise ImgcolorError(f"{folder}: expected a sweep to continue, found none; leave out --resume")
    if restorable and not resume:
        raise ImgcolorError(
            f"{folder}: expected no earlier sweep of this name, found one; continue it with --resume, or remove "
            "the folder"
        )
    from imgcolor.cli.sweep_display import SweepDisplay

    with ray_cluster(address, "sweep"):
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # the display shows what it reports
        trainable = tune.with_resources(
            tune.with_parameters(_trial, plan=plan, folder=str(folder), place=str(Path.cwd())),
            {"cpu": plan.cpus, "gpu": plan.gpus},
        )
        if resume:
            tuner = tune.Tuner.restore(str(state), trainable, resume_unfinished=True, restart_errored=True)
        else:
            tuner = tune.Tuner(
                trainable,
                param_space=_space(plan),
                tune_config=tune.TuneConfig(
                    metric=plan.metric,
                    mode=plan.mode,
                    num_samples=1 if plan.search == "grid" else plan.trials,
                    search_alg=_search(plan),
                    trial_name_creator=_ray_name,
                    trial_dirname_creator=_ray_name,
                ),
                run_config=tune.RunConfig(
                    name="ray", storage_path=str(folder), verbose=0, callbacks=[SweepDisplay(plan)]
                ),
            )
        return tuner.fit()


def _ray_name(trial: Any) -> str:
    return str(trial.trial_id)


def _search(plan: Sweep) -> Any:
    if plan.search != "tpe":
        return None
    try:
        from ray.tune.search.optuna import OptunaSearch

        return OptunaSearch()
    except (ImportError, AssertionError) as error:
        raise ImgcolorError(
            f"sweep: search tpe needs Optuna ({error}); install it with pip install 'imgcolor[ray]'"
        ) from error


def _space(plan: Sweep) -> dict[str, Any]:
    from ray import tune

    space: dict[str, Any] = {}
    for option, values in plan.axes.items():
        if isinstance(values, list):
            space[option] = tune.grid_search(values) if plan.search == "grid" else tune.choice(values)
            continue
        kinds = {
            (False, False): tune.uniform,
            (True, False): tune.loguniform,
            (False, True): tune.randint,
            (True, True): tune.lograndint,
        }
        draw = kinds[bool(values.get("log")), bool(values.get("integer"))]
        # Ray's integer ranges exclude the upper end.
        space[option] = draw(values["min"], values["max"] + (1 if values.get("integer") else 0))
    return space


def _trial(config: dict[str, Any], plan: Sweep, folder: str, place: str) -> None:
    """Run one trial in a separate process, and report the metric of each epoch to Ray."""
    from ray import tune

    name = trial_name(config)
    runs = Path(folder) / name
    earlier = newest_file(runs, RUN_FILE)
    if earlier is not None and json.loads(earlier.read_text(encoding="utf-8")).get("status") == "finished":
        # It finished just before the sweep was killed, and Ray had not saved that yet.
        spent = sum(float(row["seconds"]) for row in rows_of(earlier.with_name("metrics.csv")))
        metrics = json.loads(earlier.with_name("metrics.json").read_text())
        tune.report({**metrics, "seconds": round(spent, 1), "status": "finished"})
        return
    command = [sys.executable, "-m", "imgcolor", "fit", "--config", str(plan.experiment_of(config))]
    command += trial_options(plan, config)
    command += [
        f"--trainer.logger.init_args.save_dir={folder}",
        f"--trainer.logger.init_args.name={name}",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
    ]
    stopped = newest_file(runs, "checkpoints/last.ckpt")
    if stopped is not None:
        command.append(f"--ckpt_path={stopped}")
    runs.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with (runs / "output.txt").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            cwd=place,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, SWEPT: ",".join(plan.swept)},
            preexec_fn=_die_with_parent,
        )
        reported = 0
        while process.poll() is None:
            time.sleep(1)
            rows = rows_of(newest_file(runs, "metrics.csv"))
            if len(rows) > reported and plan.metric in rows[-1]:
                reported = len(rows)
                tune.report({plan.metric: _number(rows[-1][plan.metric]), "epoch": reported})
    result: dict[str, Any] = {"seconds": round(time.perf_counter() - started, 1)}
    final = newest_file(runs, "metrics.json")
    metrics = json.loads(final.read_text()) if final is not None else {}
    if process.returncode == DivergedError.exit_status:
        worst = math.inf if plan.mode == "min" else -math.inf
        tune.report({**metrics, **result, plan.metric: worst, "status": "diverged"})
    elif process.returncode == 0:
        if plan.metric not in metrics:
            raise RuntimeError(f"metric: expected one of {', '.join(sorted(metrics))}, found {plan.metric!r}")
        tune.report({**metrics, **result, "status": "finished"})
    else:
        lines = (runs / "output.txt").read_text(encoding="utf-8").strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit status {process.returncode}")


def _die_with_parent() -> None:
    """Make the system kill a run when its sweep ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def newest_file(runs: Path, file: str) -> Path | None:
    """Return a file of the newest run that has it, or None."""
    found = sorted(runs.glob(f"version_*/{file}"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def rows_of(path: Path | None) -> list[dict[str, str]]:
    """Return the rows of a CSV file; none if there is no file."""
    return [] if path is None else read_rows(path)


def _number(text: str) -> float:
    return float(text) if text else math.nan

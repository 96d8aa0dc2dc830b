"""imgcolor sweep: many runs of one experiment, on Ray Tune."""

import ctypes
import itertools
import json
import logging
import math
import os
import shlex
import signal
import subprocess
import sys
import time
import zlib
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from rich.console import Console
from rich.table import Table

from imgcolor.cli.options import CommandParser, UsageError
from imgcolor.utils.errors import DivergedError, ImgcolorError
from imgcolor.utils.files import RUN_FILE, read_rows, write_rows
from imgcolor.utils.provenance import SWEPT


@dataclass
class Sweep:
    """What a sweep file says.

    Attributes:
        name: The file's name without its ending; the folder of the runs.
        experiment: The configuration that every trial starts from.
        parameters: Option to its values: a list, or for ``random`` and ``tpe`` also ``{min, max}`` with ``log``
            or ``integer``.
        variants: Name to options and their values, which change together; every one is tried with all
            parameters.
        overrides: Option to the value that it has in every trial.
        search: ``grid`` tries all combinations, ``random`` draws, ``tpe`` learns where to draw (Optuna).
        trials: How many ``random`` and ``tpe`` draw.
        metric: What is compared, by its name in ``metrics.json``.
        mode: Whether less or more of it is better.
        cpus: Cores a trial.
        gpus: GPUs a trial; a fraction shares one.
        options: Options of every trial as they are typed.
    """

    name: str
    experiment: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    search: Literal["grid", "random", "tpe"] = "grid"
    trials: int = 10
    metric: str = "val/loss"
    mode: Literal["min", "max"] = "min"
    cpus: float = 1
    gpus: float = 0
    options: list[str] = field(default_factory=list)

    @property
    def axes(self) -> dict[str, Any]:
        """What trials differ in: the variant, where there are several, and the parameters."""
        return {**({"variant": list(self.variants)} if self.variants else {}), **self.parameters}

    @property
    def swept(self) -> list[str]:
        """The options that trials differ in."""
        return list(dict.fromkeys([*self.parameters, *itertools.chain(*self.variants.values())]))

    def grid(self) -> Iterator[dict[str, Any]]:
        """All combinations of the axes' values: axis to value."""
        for values in itertools.product(*self.axes.values()):
            yield dict(zip(self.axes, values, strict=True))


def add_arguments(parser: CommandParser) -> None:
    """Declare the arguments of ``imgcolor sweep``."""
    parser.description = (
        "Train an experiment with all, random or promising values of some of its options. Every trial is a run in "
        "OUTPUT/SWEEP/TRIAL/version_N; OUTPUT/SWEEP/results.csv has one row per trial, the best first."
    )
    parser.example = "imgcolor sweep experiments/sweeps/horses_networks.yaml --dry-run"
    parser.add_argument(
        "file",
        type=Path,
        metavar="SWEEP",
        help="a YAML file with `experiment`, `parameters` or `variants`, and optionally `overrides`, `search` "
        "(grid, random, tpe), `trials`, `metric`, `mode` (min, max), `cpus`, `gpus`",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="-- OPTION",
        help="options of `imgcolor fit` for every trial, such as -- --data.root=FOLDER",
    )
    parser.add_argument("--dry-run", action="store_true", help="list the trials without running them")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue a sweep that was stopped: finished trials are kept, the others continue",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("lightning_logs"),
        help="the parent of the sweep's folder (default: %(default)s)",
    )
    parser.add_argument(
        "--address", help="the address of a Ray cluster, such as auto; by default this machine is used"
    )


def run(arguments: Namespace) -> None:
    """Run or list the trials.

    Raises:
        ImgcolorError: If the file is wrong, Ray is missing, the sweep was run before, or a trial fails.
    """
    if arguments.overrides and not arguments.overrides[0].startswith("-"):
        raise UsageError(
            f"imgcolor sweep: expected options after --, found {arguments.overrides[0]!r}; for example: "
            "imgcolor sweep SWEEP -- --data.root=FOLDER"
        )
    plan = read_sweep(arguments.file)
    plan.options = arguments.overrides
    if arguments.dry_run:
        _list(plan)
        return
    folder = (arguments.output / plan.name).absolute()
    results = _run(plan, folder, arguments.address, arguments.resume)
    rows = sorted((_row(plan, folder, result) for result in results), key=lambda row: _rank(plan, row))
    write_rows(folder / "results.csv", rows)
    Console(width=120).print(_table(plan, rows))
    print(f"  rows   {folder / 'results.csv'}\n  TensorBoard  tensorboard --logdir {folder}")
    failed = [row for row in rows if row["status"] == "failed"]
    if failed:
        raise ImgcolorError(f"{len(failed)} of {len(rows)} trials failed; the first: {failed[0]['error']}")


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file.

    Args:
        path: The YAML.

    Returns:
        What it says; the experiment's path as it is given, so relative to where one works.

    Raises:
        ImgcolorError: If the file cannot be read or says something else than a sweep.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ImgcolorError(f"{path}: expected a sweep as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise ImgcolorError(f"{path}: expected keys such as experiment and parameters, found {content!r}")
    known = set(Sweep.__dataclass_fields__) - {"name", "options"}
    for key in content:
        if key not in known:
            raise ImgcolorError(f"{path}: expected keys of {', '.join(sorted(known))}, found {key!r}")
    if not content.get("experiment"):
        raise ImgcolorError(f"{path}: expected experiment, found none")
    if not content.get("parameters") and not content.get("variants"):
        raise ImgcolorError(f"{path}: expected parameters or variants, found none")
    given = {key: value for key, value in content.items() if value is not None}
    plan = Sweep(**{**given, "name": path.stem, "experiment": Path(content["experiment"])})
    if not plan.experiment.is_file():
        raise ImgcolorError(f"{path}: experiment: expected a file, found none at {plan.experiment}")
    for key, allowed in (("search", ("grid", "random", "tpe")), ("mode", ("min", "max"))):
        if getattr(plan, key) not in allowed:
            raise ImgcolorError(
                f"{path}: {key}: expected one of {', '.join(allowed)}, found {getattr(plan, key)!r}"
            )
    for name, options in plan.variants.items():
        if not isinstance(options, dict):
            raise ImgcolorError(f"{path}: variants: {name}: expected options and values, found {options!r}")
    for option, values in plan.parameters.items():
        ranged = isinstance(values, dict) and {"min", "max"} <= set(values)
        if not (isinstance(values, list) and values) and not (ranged and plan.search != "grid"):
            raise ImgcolorError(
                f"{path}: parameters: {option}: expected a list of values"
                f"{'' if plan.search == 'grid' else ', or min and max'}, found {values!r}"
            )
    return plan


def options_of(plan: Sweep, values: Mapping[str, Any]) -> list[str]:
    """The options of a trial's `imgcolor fit`, as they would be typed."""
    parameters = {option: value for option, value in values.items() if option != "variant"}
    chosen = {**plan.overrides, **plan.variants.get(values.get("variant", ""), {}), **parameters}
    return [*(f"--{option}={_typed(value)}" for option, value in chosen.items()), *plan.options]


def trial_name(values: Mapping[str, Any]) -> str:
    """A folder's name that tells a trial from the others: the last words of the options, with the values."""
    words = [f"{option.rpartition('.')[2]}={_typed(value)}" for option, value in values.items()]
    name = "".join(c if c.isalnum() or c in "=,.-_" else "_" for c in ",".join(words))
    # Long values are cut, and told apart by a sum of all that was there.
    return name if len(name) <= 150 else f"{name[:140]}-{zlib.crc32(name.encode()):08x}"


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _list(plan: Sweep) -> None:
    if plan.search == "grid":
        trials = list(plan.grid())
        for values in trials:
            print(f"imgcolor fit --config {plan.experiment} {shlex.join(options_of(plan, values))}")
        print(f"{len(trials)} trials")
    else:
        print(f"imgcolor fit --config {plan.experiment} {shlex.join(options_of(plan, {}))}")
        for option, values in plan.axes.items():
            print(f"  --{option} drawn from {values}")
        print(f"{plan.trials} trials, by {plan.search}")


def _run(plan: Sweep, folder: Path, address: str | None, resume: bool) -> Any:
    """Run all trials; what Ray calls a result grid."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # each run has its own files
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        from ray import tune
    except ImportError as error:
        raise ImgcolorError(
            f"sweep: expected Ray Tune, found none ({error}); install it with pip install 'imgcolor[sweep]'"
        ) from error
    state = folder / "ray"
    restorable = tune.Tuner.can_restore(str(state))
    if resume and not restorable:
        raise ImgcolorError(f"{folder}: expected a sweep to go on with, found none; leave out --resume")
    if restorable and not resume:
        raise ImgcolorError(
            f"{folder}: expected no earlier sweep of this name, found one; go on with --resume, or remove the "
            "folder"
        )
    ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
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
                run_config=tune.RunConfig(name="ray", storage_path=str(folder), verbose=1),
            )
        return tuner.fit()
    finally:
        ray.shutdown()


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
            f"sweep: search tpe needs Optuna ({error}); install it with pip install 'imgcolor[sweep]'"
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
        # Ray's whole numbers leave the upper end out.
        space[option] = draw(values["min"], values["max"] + (1 if values.get("integer") else 0))
    return space


def _trial(config: dict[str, Any], plan: Sweep, folder: str, place: str) -> None:
    """Run one trial as a process of its own, and tell Ray each epoch's figures."""
    from ray import tune

    name = trial_name(config)
    runs = Path(folder) / name
    ended = _newest(runs, RUN_FILE)
    if ended is not None and json.loads(ended.read_text(encoding="utf-8")).get("status") == "finished":
        # It ended just before the sweep was killed, and Ray had not yet written that down.
        spent = sum(float(row["seconds"]) for row in _rows(ended.with_name("metrics.csv")))
        metrics = json.loads(ended.with_name("metrics.json").read_text())
        tune.report({**metrics, "seconds": round(spent, 1), "status": "finished"})
        return
    command = [sys.executable, "-m", "imgcolor", "fit", "--config", str(plan.experiment)]
    command += options_of(plan, config)
    command += [
        f"--trainer.logger.init_args.save_dir={folder}",
        f"--trainer.logger.init_args.name={name}",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
    ]
    stopped = _newest(runs, "checkpoints/last.ckpt")
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
            rows = _rows(_newest(runs, "metrics.csv"))
            if len(rows) > reported and plan.metric in rows[-1]:
                reported = len(rows)
                tune.report({plan.metric: _number(rows[-1][plan.metric]), "epoch": reported})
    result: dict[str, Any] = {"seconds": round(time.perf_counter() - started, 1)}
    final = _newest(runs, "metrics.json")
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
    """Let a run end with its sweep, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _newest(runs: Path, file: str) -> Path | None:
    """A file of the newest run that has it."""
    found = sorted(runs.glob(f"version_*/{file}"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def _rows(path: Path | None) -> list[dict[str, str]]:
    return [] if path is None else read_rows(path)


def _number(text: str) -> float:
    return float(text) if text else math.nan


def _row(plan: Sweep, folder: Path, result: Any) -> dict[str, Any]:
    """A row of the results: options, status, figures."""
    metrics = result.metrics or {}
    status = "failed" if result.error is not None else metrics.get("status", "unfinished")
    values = {option: _typed(result.config[option]) for option in plan.axes}
    newest = _newest(folder / trial_name(result.config), "config.yaml")
    row: dict[str, Any] = {**values, "status": status, "run": str(newest.parent) if newest else ""}
    values = {k: v for k, v in metrics.items() if "/" in k and not k.startswith("config/")}
    epochs = len(_rows(_newest(folder / trial_name(result.config), "metrics.csv")))
    row |= {"epochs": epochs, "seconds": metrics.get("seconds"), **values}
    error = str(result.error).strip().splitlines()[-1] if result.error is not None else ""
    return {**row, "error": error}


def _rank(plan: Sweep, row: Mapping[str, Any]) -> tuple[bool, float]:
    value = float(row.get(plan.metric, math.nan))
    if row["status"] != "finished" or math.isnan(value):
        return True, 0.0
    return False, value if plan.mode == "min" else -value


def _table(plan: Sweep, rows: list[dict[str, Any]]) -> Table:
    shown_too = ("val/accuracy", "val/margin12", "val/psnr")
    metrics = [plan.metric, *(f for f in shown_too if f != plan.metric and any(f in row for row in rows))]
    table = Table(title=f"{plan.name}: best first", title_justify="left", box=None, pad_edge=False)
    for option in plan.axes:
        table.add_column(option.rpartition(".")[2])
    table.add_column("status")
    for column in (*metrics, "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        values = [row.get(name) for name in (*metrics, "seconds")]
        shown = ["" if value is None else f"{value:.4g}" for value in values]
        table.add_row(*(row[option] for option in plan.axes), row["status"], *shown)
    return table

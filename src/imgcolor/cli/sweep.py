"""imgcolor sweep: train one experiment with many values of its options."""

import math
import shlex
from argparse import ArgumentError, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from imgcolor.cli.options import CommandParser, UsageError
from imgcolor.cli.sweep_file import Sweep, format_value, read_sweep, trial_name, trial_options
from imgcolor.cli.sweep_trials import newest_file, rows_of, run_trials
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import CONFIG_FILE, write_rows
from imgcolor.utils.text import count_of


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
        _print_trials(plan)
        return
    _check_trials(arguments.file, plan)
    folder = (arguments.output / plan.name).absolute()
    results = run_trials(plan, folder, arguments.address, arguments.resume)
    rows = sorted((_row(plan, folder, result) for result in results), key=lambda row: _sort_key(plan, row))
    write_rows(folder / "results.csv", rows)
    Console(width=120).print(_table(plan, rows))
    print(f"  rows   {folder / 'results.csv'}\n  TensorBoard  tensorboard --logdir {folder}")
    failed = [row for row in rows if row["status"] == "failed"]
    if failed:
        raise ImgcolorError(f"{len(failed)} of {len(rows)} trials failed; the first: {failed[0]['error']}")


def _check_trials(file: Path, plan: Sweep) -> None:
    """Refuse options that `imgcolor fit` would refuse, before any trial starts.

    Raises:
        ImgcolorError: If there is such an option.
    """
    from imgcolor.cli.training import check_fit_options  # imports torch and Lightning
    from imgcolor.cli.usage_errors import usage_error

    for values in plan.samples():
        options = [f"--config={plan.experiment_of(values)}", *trial_options(plan, values)]
        try:
            check_fit_options(options)
        except ArgumentError as error:
            raise UsageError(f"{file}: {usage_error(error, options)}") from error


def _print_trials(plan: Sweep) -> None:
    if plan.search == "grid":
        trials = list(plan.grid())
        for values in trials:
            options = shlex.join(trial_options(plan, values))
            print(f"imgcolor fit --config {plan.experiment_of(values)} {options}")
        print(count_of(len(trials), "trial"))
    else:
        print(f"imgcolor fit --config {plan.experiment} {shlex.join(trial_options(plan, {}))}")
        for option, values in plan.axes.items():
            print(f"  --{option} drawn from {values}")
        print(f"{count_of(plan.trials, 'trial')}, by {plan.search}")


def _row(plan: Sweep, folder: Path, result: Any) -> dict[str, Any]:
    """Return a row of the results: options, status, metrics."""
    metrics = result.metrics or {}
    status = "failed" if result.error is not None else metrics.get("status", "unfinished")
    values = {option: format_value(result.config[option]) for option in plan.axes}
    newest = newest_file(folder / trial_name(result.config), CONFIG_FILE)
    row: dict[str, Any] = {**values, "status": status, "run": str(newest.parent) if newest else ""}
    values = {k: v for k, v in metrics.items() if "/" in k and not k.startswith("config/")}
    epochs = len(rows_of(newest_file(folder / trial_name(result.config), "metrics.csv")))
    row |= {"epochs": epochs, "seconds": metrics.get("seconds"), **values}
    error = str(result.error).strip().splitlines()[-1] if result.error is not None else ""
    return {**row, "error": error}


def _sort_key(plan: Sweep, row: Mapping[str, Any]) -> tuple[bool, float]:
    value = float(row.get(plan.metric, math.nan))
    if row["status"] != "finished" or math.isnan(value):
        return True, 0.0
    return False, value if plan.mode == "min" else -value


def _table(plan: Sweep, rows: list[dict[str, Any]]) -> Table:
    others = ("val/accuracy", "val/margin12", "val/psnr")
    metrics = [plan.metric, *(m for m in others if m != plan.metric and any(m in row for row in rows))]
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

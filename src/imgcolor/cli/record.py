"""imgcolor record: add the final metrics of runs to a table of results."""

import json
import shlex
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from imgcolor.cli.options import CommandParser
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import CONFIG_FILE, RUN_FILE, read_rows, write_rows
from imgcolor.utils.text import count_of

_KEY = ("experiment", "overrides", "images", "seed")
_FIRST = (*_KEY, "commit", "hardware", "epochs", "seconds", "status")


def add_arguments(parser: CommandParser) -> None:
    """Declare the arguments of ``imgcolor record``."""
    parser.description = (
        "Add a row for each run to a table of results, with its options and final metrics; a run that is in the "
        "table already is replaced. A resumed run counts as a run of the experiment that it continues. "
        "TABLE_curves.csv gets the metrics of every epoch."
    )
    parser.example = "imgcolor record experiments/results/horses.csv lightning_logs/quickstart/version_0"
    parser.add_argument(
        "table", type=Path, metavar="TABLE", help="the CSV file; it is created if it does not exist"
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders of `imgcolor fit`")
    parser.add_argument(
        "--epochs",
        type=int,
        nargs="+",
        metavar="N",
        help="add rows for runs of these lengths, read from the first epochs of RUN, instead of one for its end; "
        "only for runs without a learning rate schedule",
    )


def run(arguments: Namespace) -> None:
    """Write the table and its curves.

    Raises:
        ImgcolorError: If a folder holds no run, the table is none, or a run has no such epochs.
    """
    table, runs, epochs = arguments.table, arguments.runs, arguments.epochs
    curves = curves_of(table)
    rows = read_table(table) if table.exists() else []
    points = read_rows(curves) if curves.exists() else []
    for run in runs:
        whole = _row(run)
        new = [_row_after(run, whole, count) for count in epochs] if epochs else [whole]
        for row in new:
            text = {name: _text(value) for name, value in row.items()}
            rows = [*(old for old in rows if _key(old) != _key(text)), text]
        of_run = {name: _text(whole[name]) for name in _KEY}
        points = [old for old in points if _key(old) != _key(of_run)]
        points += [{**of_run, **_point(epoch)} for epoch in _epochs(run)]
    names = list(dict.fromkeys([*_FIRST, *sorted({name for row in rows for name in row})]))
    rows.sort(key=lambda row: (*_key(row), int(row["epochs"])))
    write_rows(table, rows, names)
    points.sort(key=lambda point: (*_key(point), int(point["epoch"])))
    write_rows(curves, points, [*_KEY, "epoch", *sorted({n for p in points for n in p if "/" in n})])
    print(f"{table}: {count_of(len(rows), 'row')}")


def curves_of(table: Path) -> Path:
    """Return the path of the table with the metrics of every epoch."""
    return table.with_name(f"{table.stem}_curves.csv")


def _key(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row.get(name, "") for name in _KEY)


def _point(epoch: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in epoch.items() if name.startswith(("train/", "val/")) and value}
    return {"epoch": epoch["epoch"], **{name: f"{float(value):.5g}" for name, value in kept.items()}}


def _row_after(run: Path, whole: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the row of a shorter run, from the metrics that a run logged after ``count`` epochs."""
    epochs = _epochs(run)
    config = yaml.safe_load((run / CONFIG_FILE).read_text(encoding="utf-8"))
    if config["model"]["init_args"].get("lr_scheduler") is not None:
        raise ImgcolorError(
            f"{run}: epochs: expected a run without a schedule of the learning rate, found one: the epochs of a "
            "shorter run would differ; leave out --epochs"
        )
    if not 1 <= count <= len(epochs):
        raise ImgcolorError(
            f"{run}: epochs: expected 1 to {len(epochs)}, the epochs of the run, found {count}"
        )
    overrides = read_options(shlex.split(whole["overrides"])) | {"--trainer.max_epochs": str(count)}
    logged = {name: float(value) for name, value in epochs[count - 1].items() if "/" in name and value}
    return {
        **{name: value for name, value in whole.items() if "/" not in name and name != "chosen_epoch"},
        "overrides": _format_options(overrides),
        "epochs": count,
        "seconds": _seconds(epochs[:count]),
        "status": "finished",
        **logged,
    }


def read_table(path: Path) -> list[dict[str, str]]:
    """Read a table of results. Each row is a dictionary, with every value as text.

    Raises:
        ImgcolorError: If columns are missing.
    """
    rows = read_rows(path)
    if rows and not set(_FIRST) <= set(rows[0]):
        raise ImgcolorError(f"{path}: expected columns {', '.join(_FIRST)}, found {', '.join(rows[0])}")
    return rows


def _row(run: Path) -> dict[str, Any]:
    if not (run / RUN_FILE).is_file():
        raise ImgcolorError(
            f"{run / RUN_FILE}: expected a file of a run that imgcolor fit made, found none; give a folder "
            "such as lightning_logs/EXPERIMENT/version_0, or of a sweep lightning_logs/SWEEP/TRIAL/version_0"
        )
    origin = json.loads((run / RUN_FILE).read_text())
    experiment, overrides = _experiment(shlex.split(origin["command"])[2:])
    config = yaml.safe_load((run / CONFIG_FILE).read_text(encoding="utf-8"))
    epochs = _epochs(run)
    final = run / "metrics.json"
    metrics = json.loads(final.read_text()) if final.is_file() else {}
    return {
        "experiment": experiment,
        "overrides": overrides,
        "images": config["data"]["init_args"].get("source"),
        "seed": config["seed_everything"],
        "commit": origin["commit"],
        "hardware": origin["hardware"],
        "epochs": len(epochs),
        "seconds": _seconds(epochs),
        "status": origin.get("status", "unfinished"),
        **{name: value for name, value in metrics.items() if "/" in name or name == "chosen_epoch"},
    }


def _epochs(run: Path) -> list[dict[str, str]]:
    path = run / "metrics.csv"  # not there where the first epoch diverged
    return read_rows(path) if path.is_file() else []


def _seconds(epochs: Iterable[Mapping[str, str]]) -> float:
    return round(sum(float(epoch["seconds"]) for epoch in epochs), 1)


def read_options(arguments: Iterable[str]) -> dict[str, str]:
    """Map the names of options (``--name=value`` or ``--name value``) to their values."""
    rest = iter(arguments)
    options: dict[str, str] = {}
    for argument in rest:
        option, equals, value = argument.partition("=")
        options[option] = value if equals else next(rest, "")
    return options


def _experiment(arguments: list[str]) -> tuple[str, str]:
    """Return the experiment and the overrides of a fit. A resumed run has those of the run before it."""
    options = read_options(arguments)
    config = options.get("--config", "")
    resumed = Path(config).with_name(RUN_FILE)
    if Path(config).name == CONFIG_FILE and resumed.is_file():
        command = json.loads(resumed.read_text(encoding="utf-8"))["command"]
        earlier = read_options(shlex.split(command)[2:])
        return _experiment_of(earlier.get("--config", ""), {**earlier, **options})
    return _experiment_of(config, options)


def _experiment_of(config: str, options: dict[str, str]) -> tuple[str, str]:
    # These options change no metric, or have their own columns.
    elsewhere = ("--config", "--seed_everything", "--data.source", "--data.root", "--ckpt_path")
    ignored = (*elsewhere, "--trainer.logger.", "--trainer.enable_", "--images.")
    kept = {name: value for name, value in options.items() if not name.startswith(ignored)}
    return _from_repository(config), _format_options(kept)


def _format_options(options: Mapping[str, str]) -> str:
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in options.items())


def _from_repository(path: str) -> str:
    """Return the path of an experiment relative to the repository."""
    parts = Path(path).parts
    return "/".join(parts[parts.index("experiments") :]) if "experiments" in parts else path


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)

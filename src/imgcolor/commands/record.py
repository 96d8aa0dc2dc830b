"""imgcolor record: keep what runs ended with, as rows that a results page is made from."""

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from imgcolor.commands.provenance import FILE
from imgcolor.errors import ImgcolorError
from imgcolor.files import read_rows, write_rows

_KEY = ("experiment", "overrides", "images", "seed")
_FIRST = (*_KEY, "commit", "hardware", "epochs", "seconds", "status")


def record(table: Path, runs: list[Path]) -> None:
    """Add a row for each run to a table of results; a run that is in it already is replaced.

    A row names experiment, overrides, source of the images, seed, commit, hardware, epochs and seconds, and has
    every final figure. A resumed run is a row of the experiment that it goes on with.

    Args:
        table: The CSV, made where it is not there: experiments/results/NAME.csv.
        runs: Folders of runs, each with the files that `imgcolor fit` writes.

    Raises:
        ImgcolorError: If a folder is no run's, or the table is none.
    """
    rows = read_table(table) if table.exists() else []
    for run in runs:
        row = {name: _text(value) for name, value in _row(run).items()}
        same = [old for old in rows if all(old.get(key) == row[key] for key in _KEY)]
        rows = [old for old in rows if old not in same] + [row]
    names = list(dict.fromkeys([*_FIRST, *sorted({name for row in rows for name in row})]))
    rows.sort(key=lambda row: tuple(row[key] for key in _KEY))
    write_rows(table, rows, names)
    print(f"{table}: {len(rows)} rows")


def read_table(path: Path) -> list[dict[str, str]]:
    """Read a table of results: a dictionary a row, every value as text.

    Raises:
        ImgcolorError: If the file has no such rows.
    """
    rows = read_rows(path)
    if rows and not set(_FIRST) <= set(rows[0]):
        raise ImgcolorError(f"{path}: expected columns {', '.join(_FIRST)}, found {', '.join(rows[0])}")
    return rows


def _row(run: Path) -> dict[str, Any]:
    if not (run / FILE).is_file():
        raise ImgcolorError(
            f"{run / FILE}: expected a file of a run that imgcolor fit made, found none; give a folder such as "
            "lightning_logs/EXPERIMENT/version_0, or of a sweep lightning_logs/SWEEP/TRIAL/version_0"
        )
    origin = json.loads((run / FILE).read_text())
    experiment, overrides = _experiment(shlex.split(origin["command"])[2:])
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    every_epoch = run / "metrics.csv"  # not there where the first epoch diverged
    epochs = read_rows(every_epoch) if every_epoch.is_file() else []
    final = run / "metrics.json"
    figures = json.loads(final.read_text()) if final.is_file() else {}
    return {
        "experiment": experiment,
        "overrides": overrides,
        "images": config["data"]["init_args"].get("source"),
        "seed": config["seed_everything"],
        "commit": origin["commit"],
        "hardware": origin["hardware"],
        "epochs": len(epochs),
        "seconds": round(sum(float(epoch["seconds"]) for epoch in epochs), 1),
        "status": origin.get("status", "unfinished"),
        **{name: value for name, value in figures.items() if "/" in name or name == "chosen_epoch"},
    }


def read_options(words: Iterable[str]) -> dict[str, str]:
    """Options as they are typed, `--name=value --name value`: name to value."""
    rest = iter(words)
    options: dict[str, str] = {}
    for word in rest:
        option, given, value = word.partition("=")
        options[option] = value if given else next(rest, "")
    return options


def _experiment(words: list[str]) -> tuple[str, str]:
    """The experiment and the overrides as typed, from the words of a fit."""
    options = read_options(words)
    config = options.get("--config", "")
    resumed = Path(config).with_name(FILE)
    if Path(config).name == "config.yaml" and resumed.is_file():
        command = json.loads(resumed.read_text(encoding="utf-8"))["command"]
        earlier = read_options(shlex.split(command)[2:])
        return _experiment_of(earlier.get("--config", ""), {**earlier, **options})
    return _experiment_of(config, options)


def _experiment_of(config: str, options: dict[str, str]) -> tuple[str, str]:
    # What says where files lie, and how much is printed or drawn, changes no figure; other columns have the rest.
    elsewhere = ("--config", "--seed_everything", "--data.source", "--data.root", "--ckpt_path")
    aside = (*elsewhere, "--trainer.logger.", "--trainer.enable_", "--images.")
    kept = [f"{name}={shlex.quote(value)}" for name, value in options.items() if not name.startswith(aside)]
    return _from_repository(config), " ".join(kept)


def _from_repository(path: str) -> str:
    """An experiment's path from the repository's root, however it was given."""
    parts = Path(path).parts
    return "/".join(parts[parts.index("experiments") :]) if "experiments" in parts else path


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)

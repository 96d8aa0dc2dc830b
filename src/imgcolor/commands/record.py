"""imgcolor record: keep what runs ended with, as rows that a results page is made from."""

import csv
import io
import json
import shlex
from pathlib import Path
from typing import Any

from imgcolor.commands.provenance import FILE
from imgcolor.errors import ImgcolorError
from imgcolor.files import write_whole

_FIRST = ("experiment", "overrides", "commit", "seed", "hardware", "epochs", "seconds", "status")


def record(table: Path, runs: list[Path]) -> None:
    """Add a row for each run to a table of results; a run that is in it already is replaced.

    A row names experiment, overrides, commit, seed, hardware, epochs and seconds, and has every final figure.

    Args:
        table: The CSV, made where it is not there: experiments/results/NAME.csv.
        runs: Folders of runs, each with the files that `imgcolor fit` writes.

    Raises:
        ImgcolorError: If a folder is no run's, or the table is none.
    """
    rows = read_table(table) if table.exists() else []
    for run in runs:
        row = {name: _text(value) for name, value in _row(run).items()}
        same = [old for old in rows if all(old.get(k) == row[k] for k in ("experiment", "overrides", "seed"))]
        rows = [old for old in rows if old not in same] + [row]
    names = list(dict.fromkeys([*_FIRST, *sorted({name for row in rows for name in row})]))
    rows.sort(key=lambda row: (row["experiment"], row["overrides"], row["seed"]))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(table, text.getvalue())
    print(f"{table}: {len(rows)} rows")


def read_table(path: Path) -> list[dict[str, str]]:
    """Read a table of results: a dictionary a row, every value as text.

    Raises:
        ImgcolorError: If the file has no such rows.
    """
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    if rows and not set(_FIRST) <= set(rows[0]):
        raise ImgcolorError(f"{path}: expected columns {', '.join(_FIRST)}, found {', '.join(rows[0])}")
    return rows


def _row(run: Path) -> dict[str, Any]:
    if not (run / FILE).is_file():
        raise ImgcolorError(
            f"{run / FILE}: expected a file of a run that imgcolor fit made, found none; give a folder such as "
            "lightning_logs/EXPERIMENT/version_0"
        )
    origin = json.loads((run / FILE).read_text())
    experiment, overrides, seed = _options(shlex.split(origin["command"])[2:])
    epochs: list[dict[str, str]] = []
    if (run / "metrics.csv").is_file():  # not where the first epoch diverged
        with (run / "metrics.csv").open(encoding="utf-8", newline="") as lines:
            epochs = list(csv.DictReader(lines))
    final = run / "metrics.json"
    figures = json.loads(final.read_text()) if final.is_file() else {}
    return {
        "experiment": experiment,
        "overrides": overrides,
        "commit": origin["commit"],
        "seed": seed,
        "hardware": origin["hardware"],
        "epochs": len(epochs),
        "seconds": round(sum(float(epoch["seconds"]) for epoch in epochs), 1),
        "status": origin.get("status", "unfinished"),
        **{name: value for name, value in figures.items() if "/" in name or name == "chosen_epoch"},
    }


def _options(words: list[str]) -> tuple[str, str, str]:
    """The experiment, the overrides as typed and the seed, from the words of a fit."""
    pairs: list[tuple[str, str]] = []
    while words:
        option, _, value = words[0].partition("=")
        words = words[1:]
        if not value and words:
            value, words = words[0], words[1:]
        pairs.append((option, value))
    # What says where files lie, and how much is printed, changes no figure.
    aside = ("--trainer.logger.", "--data.source", "--data.root", "--trainer.enable_", "--ckpt_path")
    experiment = next((value for option, value in pairs if option == "--config"), "")
    seed = next((value for option, value in pairs if option == "--seed_everything"), "")
    kept = [
        f"{option}={shlex.quote(value)}"
        for option, value in pairs
        if option not in ("--config", "--seed_everything") and not option.startswith(aside)
    ]
    return _from_repository(experiment), " ".join(kept), seed


def _from_repository(path: str) -> str:
    """An experiment's path from the repository's root, however it was given."""
    parts = Path(path).parts
    return "/".join(parts[parts.index("experiments") :]) if "experiments" in parts else path


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)

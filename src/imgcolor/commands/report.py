"""imgcolor report: the results page, made from the tables of results alone."""

import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from imgcolor.commands.record import read_options, read_table
from imgcolor.errors import ImgcolorError
from imgcolor.files import write_whole

_HEAD = "<!-- Made by `imgcolor report` from results/page.yaml and results/*.csv: change those. -->"


def report(folder: Path = Path("experiments")) -> None:
    """Write FOLDER/RESULTS.md from FOLDER/results/page.yaml and the tables beside it.

    Args:
        folder: Where results/ lies.

    Raises:
        ImgcolorError: If the page or a table cannot be read.
    """
    path = folder / "RESULTS.md"
    write_whole(path, render(folder / "results"))
    print(f"wrote {path}")


def render(results: Path) -> str:
    """The results page as Markdown.

    Args:
        results: The folder of page.yaml and of the tables.

    Returns:
        The text. A row that the page names and no run has filled says so.

    Raises:
        ImgcolorError: If the page or a table cannot be read.
    """
    page = _page(results / "page.yaml")
    parts = [_HEAD, f"# {page['title']}", page["text"].strip()]
    for section in page["sections"]:
        parts.append(f"## {section['title']}")
        for table in section.get("tables", ()):
            parts += _table(results, table)
        parts.append(section["text"].strip())
    return "\n\n".join(parts) + "\n"


def _page(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ImgcolorError(
            f"{path}: expected the page's sections as YAML ({' '.join(str(error).split())})"
        ) from error
    if not isinstance(content, dict) or not {"title", "text", "sections"} <= set(content):
        raise ImgcolorError(f"{path}: expected title, text and sections")
    return content


def _table(results: Path, table: Mapping[str, Any]) -> list[str]:
    """A table with the report's figures beside ours, the floors' rows, and the commands."""
    path = results / f"{table['results']}.csv"
    # Drawn or held-out images are no results on the validation images; a row can ask for them by its overrides.
    every = read_table(path) if path.is_file() else []
    runs = [run for run in every if run["images"] != "synthetic" and "--data.holdout" not in run["overrides"]]
    keys: dict[str, str] = table["keys"]
    figures: dict[str, str] = table["figures"]
    head = [*keys.values()]
    for name in figures.values():
        head += [f"{name}, the report", f"{name}, here"]
    lines = [head, ["---"] * len(head)]
    used: list[dict[str, str]] = []
    for row in table["rows"]:
        if "overrides" in row:  # the values are a name for all that was changed
            same = [run for run in every if run["overrides"] == row["overrides"]]
        else:
            same = [run for run in runs if _is(run, dict(zip(keys, row["values"], strict=True)), table)]
        used += same
        cells = [str(value) for value in row["values"]]
        for figure in figures:
            cells += [_shown(row.get("report", {}).get(figure)), _mean(same, figure)]
        lines.append(cells)
    finished = [run for run in used if run["status"] == "finished"]
    for name, label in table.get("floors", {}).items() if finished else ():
        cells = [f"*floor: {label}*", *[""] * (len(keys) - 1)]
        for figure in figures:
            column = f"baseline/{name}/{figure.rpartition('/')[2]}"
            cells += ["", _mean(finished[:1], column)]
        lines.append(cells)
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return [text, _commands(used)] if used else [text]


def _is(run: Mapping[str, str], values: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    found = read_options(shlex.split(run["overrides"]))
    wanted = {**table.get("match", {}), **values}
    return all(
        _same(found.get(f"--{key}", table.get("defaults", {}).get(key)), v) for key, v in wanted.items()
    )


def _same(found: Any, wanted: Any) -> bool:
    try:
        return float(found) == float(wanted)
    except (TypeError, ValueError):
        return str(found) == str(wanted)


def _mean(runs: Sequence[Mapping[str, str]], figure: str) -> str:
    if not runs:
        return "not run yet"
    if all(run["status"] == "diverged" for run in runs):
        return "diverged"
    values = [float(run[figure]) for run in runs if run.get(figure)]
    if not values:
        return ""
    shown = _shown(statistics.fmean(values))
    return f"{shown} ± {statistics.stdev(values):.1g} (n = {len(values)})" if len(values) > 1 else shown


def _shown(value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def _commands(runs: Sequence[Mapping[str, str]]) -> str:
    """The runs' commands, with commit, hardware and seconds, folded away."""
    origins = sorted({f"commit {run['commit']}, {run['hardware']}" for run in runs})
    lines = [
        f"imgcolor fit --config {run['experiment']} {run['overrides']} --seed_everything={run['seed'] or 0}"
        f"  # {run['epochs']} epochs, {float(run['seconds']):.0f} s"
        for run in runs
    ]
    return "\n".join(
        [
            "<details><summary>commands</summary>",
            "",
            "```sh",
            *lines,
            "```",
            "",
            "; ".join(origins),
            "",
            "</details>",
        ]
    )

"""imgcolor report: write the results page from the tables of results."""

import math
import shlex
import statistics
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from imgcolor.cli.options import CommandParser
from imgcolor.cli.record import curves_of, read_options, read_table
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import atomic_write, read_rows
from imgcolor.visualization.curves import plot_curves, plot_swept

_HEAD = "<!-- Made by `imgcolor report` from results/page.yaml and results/*.csv: change those. -->"


def add_arguments(parser: CommandParser) -> None:
    """Declare the arguments of ``imgcolor report``."""
    parser.description = "Write RESULTS.md and its plots from results/page.yaml and the tables results/*.csv."
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("experiments"),
        help="the folder of RESULTS.md and results/ (default: %(default)s)",
    )


def run(arguments: Namespace) -> None:
    """Write the page and its plots.

    Raises:
        ImgcolorError: If the page or a table cannot be read.
    """
    folder = arguments.folder
    path = folder / "RESULTS.md"
    atomic_write(path, render(folder / "results"))
    print(f"wrote {path}")
    for section in _page(folder / "results" / "page.yaml")["sections"]:
        for table in section.get("tables", ()):
            for plot in _plots(folder / "results", table):
                print(f"wrote {plot.draw()}")


def render(results: Path) -> str:
    """Return the results page as Markdown.

    Args:
        results: The folder of page.yaml and of the tables.

    Returns:
        The text. Rows without a run have the text "not run yet".

    Raises:
        ImgcolorError: If the page or a table cannot be read.
    """
    page = _page(results / "page.yaml")
    parts = [_HEAD, f"# {page['title']}", page["text"].strip()]
    for section in page["sections"]:
        parts.append(f"## {section['title']}")
        for table in section.get("tables", ()):
            parts += _table(results, table)
            parts += [
                f"![{plot.title}]({plot.path.relative_to(results.parent)})" for plot in _plots(results, table)
            ]
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


@dataclass
class _Plot:
    """A plot of a table."""

    path: Path
    title: str
    draw_to: Callable[[Path], None]

    def draw(self) -> Path:
        self.draw_to(self.path)
        return self.path


def _plots(results: Path, table: Mapping[str, Any]) -> Iterator[_Plot]:
    """Yield a table's plots: ``curves`` over epochs, one line per row, and ``swept`` over values of the first key."""
    folder = results / "plots"
    named = table.get("plots", table["results"])
    what = " and ".join(table["keys"].values())
    if "curves" in table and (lines := _curves(results, table)):
        metrics = table["curves"]
        yield _Plot(
            folder / f"{named}_curves.png",
            f"{', '.join(metrics)} over epochs, by {what}",
            partial(plot_curves, lines, metrics=metrics, log=bool(table.get("log"))),
        )
    if "swept" in table:
        titles = [table["metrics"][name] for name in table["swept"]]
        points = _points(results, table)
        if any(points.values()):
            label = next(iter(table["keys"].values()))
            yield _Plot(
                folder / f"{named}.png",
                f"{', '.join(titles)} over {label}",
                partial(plot_swept, points, label=label, titles=titles),
            )


def _curves(results: Path, table: Mapping[str, Any]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    path = curves_of(results / f"{table['results']}.csv")
    points = _real_runs(read_rows(path)) if path.is_file() else []
    lines: dict[str, dict[str, list[tuple[int, float]]]] = {}
    runs = {", ".join(map(str, row["values"])): _runs_of(row, points, points, table) for row in table["rows"]}
    drawn = {name: found for name, found in runs.items() if found}
    splits = ("train", "val") if len(drawn) < 3 else ("val",)  # more lines cannot be reported apart
    for name, found in drawn.items():
        # Of several seeds, the first one is drawn.
        names = ("overrides", "images", "seed")
        first = [point for point in found if all(point[name] == found[0][name] for name in names)]
        columns = {
            column: [(int(p["epoch"]), float(p[column])) for p in first if p.get(column)]
            for column in (f"{split}/{metric}" for split in splits for metric in table["curves"])
        }
        if any(columns.values()):
            lines[name] = columns
    return lines


def _points(
    results: Path, table: Mapping[str, Any]
) -> dict[str, dict[str, list[tuple[float | str, float, float]]]]:
    """Map metric and series (the values of the other keys) to (swept value, mean, report's value or NaN)."""
    path = results / f"{table['results']}.csv"
    all_runs = read_table(path) if path.is_file() else []
    points: dict[str, dict[str, list[tuple[float | str, float, float]]]] = {}
    for metric in table["swept"]:
        series: dict[str, list[tuple[float | str, float, float]]] = {}
        for row in table["rows"]:
            same = _runs_of(row, all_runs, _real_runs(all_runs), table)
            values = [float(run[metric]) for run in same if run.get(metric)]
            if values and all(math.isfinite(value) for value in values):
                reported = row.get("report", {}).get(metric)
                reported = float(reported) if isinstance(reported, int | float) else math.nan
                swept, *others = row["values"]
                names = [
                    f"{label} {v}" for label, v in zip(list(table["keys"].values())[1:], others, strict=True)
                ]
                series.setdefault(", ".join(names), []).append((swept, statistics.fmean(values), reported))
        points[metric] = series
    return points


def _real_runs(runs: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return the runs on the real validation images: no drawn and no held-out images."""
    return [run for run in runs if run["images"] != "synthetic" and "--data.holdout" not in run["overrides"]]


def _runs_of(
    row: Mapping[str, Any],
    all_runs: Sequence[dict[str, str]],
    counted: Sequence[dict[str, str]],
    table: Mapping[str, Any],
) -> list[dict[str, str]]:
    """Return the runs of a row of the page."""
    if "overrides" in row:  # the values only describe these
        return [run for run in all_runs if run["overrides"] == row["overrides"]]
    same = [run for run in counted if _is(run, row, table)]
    different = {tuple(sorted(read_options(shlex.split(run["overrides"])).items())) for run in same}
    if len(different) > 1:
        found = " and ".join(sorted({run["overrides"] or "none" for run in same}))
        raise ImgcolorError(
            f"{table['results']}.csv: the row {row['values']} of the page: expected runs that differ in the seed "
            f"alone, found the options {found}; name the options in the row's match, or remove a run"
        )
    return same


def _table(results: Path, table: Mapping[str, Any]) -> list[str]:
    """Return a table with the report's and our values, the rows of the baselines, and the commands."""
    path = results / f"{table['results']}.csv"
    all_runs = read_table(path) if path.is_file() else []
    runs = _real_runs(all_runs)
    keys: dict[str, str] = table["keys"]
    metrics: dict[str, str] = table["metrics"]
    head = [*keys.values()]
    reported = {quantity for row in table["rows"] for quantity in row.get("report", {})}
    for quantity, name in metrics.items():
        head += [f"{name}, the report", f"{name}, here"] if quantity in reported else [name]
    lines = [head, ["---"] * len(head)]
    used: list[dict[str, str]] = []
    for row in table["rows"]:
        same = _runs_of(row, all_runs, runs, table)
        used += same
        cells = [str(value) for value in row["values"]]
        for quantity in metrics:
            if quantity in reported:
                cells.append(_shown(row.get("report", {}).get(quantity)))
            cells.append(_mean(same, quantity))
        lines.append(cells)
    finished = [run for run in used if run["status"] == "finished"]
    for name, label in table.get("baselines", {}).items() if finished else ():
        cells = [f"*baseline: {label}*", *[""] * (len(keys) - 1)]
        for quantity in metrics:
            split, _, metric = quantity.rpartition("/")
            # The baselines are measured on the validation images alone.
            value = "" if split == "train" else _mean(finished[:1], f"baseline/{name}/{metric}")
            cells += [""] * (quantity in reported) + [value]
        lines.append(cells)
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return [text, _commands(used)] if used else [text]


def _is(run: Mapping[str, str], row: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    # A key without a dot is a description, and the row has its own match.
    values = {key: value for key, value in zip(table["keys"], row["values"], strict=True) if "." in key}
    found = read_options(shlex.split(run["overrides"]))
    wanted = {**table.get("match", {}), **row.get("match", {}), **values}
    return all(
        _same(found.get(f"--{key}", table.get("defaults", {}).get(key)), v) for key, v in wanted.items()
    )


def _same(found: Any, wanted: Any) -> bool:
    try:
        return float(found) == float(wanted)
    except (TypeError, ValueError):
        return str(found).lower() == str(wanted).lower()


def _mean(runs: Sequence[Mapping[str, str]], metric: str) -> str:
    if not runs:
        return "not run yet"
    if all(run["status"] == "diverged" for run in runs):
        return "diverged"
    values = [float(run[metric]) for run in runs if run.get(metric)]
    if not values:
        return ""
    shown = _shown(statistics.fmean(values))
    if len(values) == 1:
        return shown
    spread = statistics.stdev(values)
    # One digit, but not as 4e-05.
    decimals = max(0, -math.floor(math.log10(spread))) if spread > 0 else 0
    return f"{shown} ± {spread:.{decimals}f} (n = {len(values)})"


def _shown(value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def _commands(runs: Sequence[Mapping[str, str]]) -> str:
    """Return the commands of the runs with commit, hardware and seconds, in a collapsed block."""
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

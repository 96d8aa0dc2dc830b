"""Tables of the results page that compare the values of options, and their plots."""

import math
import shlex
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from imgcolor.baselines.comparison import HIGHER_IS_BETTER
from imgcolor.cli.record import curves_of, read_options
from imgcolor.cli.report_runs import Run, commands, mean_value, runs_in, shown
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import read_rows
from imgcolor.visualization.curves import plot_curves, plot_swept


@dataclass
class Plot:
    """A plot of a table.

    Attributes:
        path: The PNG file.
        title: What the plot shows, in one line.
        draw_to: Writes the plot to a file.
    """

    path: Path
    title: str
    draw_to: Callable[[Path], None]

    def draw(self) -> Path:
        """Write the plot and return its path."""
        self.draw_to(self.path)
        return self.path


def plots_of(results: Path, table: Mapping[str, Any]) -> Iterator[Plot]:
    """Yield a table's plots: ``curves`` over epochs, one line per row, and ``swept`` over values of the first key."""
    folder = results / "plots"
    named = table.get("plots", table["results"])
    what = " and ".join(table["keys"].values())
    if "curves" in table and (lines := _curves(results, table)):
        metrics = table["curves"]
        yield Plot(
            folder / f"{named}_curves.png",
            f"{', '.join(metrics)} over epochs, by {what}",
            partial(plot_curves, lines, metrics=metrics, log=bool(table.get("log"))),
        )
    if "swept" in table:
        titles = [table["metrics"][name] for name in table["swept"]]
        points = _points(results, table)
        if any(points.values()):
            label = next(iter(table["keys"].values()))
            yield Plot(
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
    all_runs = runs_in(results, table["results"])
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


def compared_options(results: Path, table: Mapping[str, Any]) -> list[str]:
    """Return a table with the values of the report and ours, the rows of the baselines, and the commands.

    Args:
        results: The folder of the tables of results.
        table: ``results``, ``keys`` and ``metrics`` with their titles, and ``rows``. If it has ``ranked``, the name
            of a metric, its rows are all runs, the best first.

    Returns:
        The table as Markdown, and the block of the commands if there are runs.

    Raises:
        ImgcolorError: If a row has runs with different options.
    """
    all_runs = runs_in(results, table["results"])
    if "ranked" in table:
        return _ranked(table, [run for run in all_runs if run["images"] != "synthetic"])
    runs = _real_runs(all_runs)
    keys: dict[str, str] = table["keys"]
    metrics: dict[str, str] = table["metrics"]
    head = [*keys.values()]
    reported = {quantity for row in table["rows"] for quantity in row.get("report", {})}
    for quantity, name in metrics.items():
        head += [f"{name}, the report", f"{name}, here"] if quantity in reported else [name]
    lines = [head]
    used: list[Run] = []
    for row in table["rows"]:
        same = _runs_of(row, all_runs, runs, table)
        used += same
        cells = [str(value) for value in row["values"]]
        for quantity in metrics:
            if quantity in reported:
                cells.append(shown(row.get("report", {}).get(quantity)))
            cells.append(mean_value(same, quantity).text)
        lines.append(cells)
    finished = [run for run in used if run["status"] == "finished"]
    for name, label in table.get("baselines", {}).items() if finished else ():
        cells = [f"*baseline: {label}*", *[""] * (len(keys) - 1)]
        for quantity in metrics:
            split, _, metric = quantity.rpartition("/")
            # The baselines are measured on the validation images alone.
            value = "" if split == "train" else mean_value(finished[:1], f"baseline/{name}/{metric}").text
            cells += [""] * (quantity in reported) + [value]
        lines.append(cells)
    return [markdown_table(lines), *([commands(used)] if used else [])]


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a table in Markdown; the first row is the head."""
    head, *others = (f"| {' | '.join(cells)} |" for cells in rows)
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *others])


def _ranked(table: Mapping[str, Any], runs: Sequence[Run]) -> list[str]:
    """Return a table of all runs, the best first, and their commands."""
    keys: dict[str, str] = table["keys"]
    metrics: dict[str, str] = table["metrics"]
    head = [*keys.values(), *metrics.values()]
    if not runs:
        return [markdown_table([head, ["not run yet", *[""] * (len(head) - 1)]])]
    best = table["ranked"]
    sign = -1 if HIGHER_IS_BETTER[best.rpartition("/")[2]] else 1

    def rank(run: Run) -> tuple[bool, float]:
        lost = run["status"] != "finished" or not run.get(best)
        return lost, 0.0 if lost else sign * float(run[best])

    ranked = sorted(runs, key=rank)
    lines = [head]
    for run in ranked:
        found = read_options(shlex.split(run["overrides"]))
        values = [_number(found.get(f"--{key}", table.get("defaults", {}).get(key))) for key in keys]
        lines.append(
            [shown(value) for value in values] + [mean_value([run], metric).text for metric in metrics]
        )
    return [markdown_table(lines), commands(ranked)]


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


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

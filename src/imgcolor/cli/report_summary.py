"""Summary tables of the results page, and the table of the README that is made from them."""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgcolor.baselines.comparison import HIGHER_IS_BETTER
from imgcolor.cli.record import read_options
from imgcolor.cli.report_runs import Run, Value, commands, mean_value, runs_in
from imgcolor.cli.report_tables import markdown_table
from imgcolor.utils.errors import ImgcolorError

_START, _END = "<!--results-->", "<!--/results-->"


@dataclass
class SummaryRow:
    """A row of a summary.

    Attributes:
        name: The text of the first cell.
        baseline: Whether it is a baseline.
        values: Metric to value; metrics that the row does not have are missing.
        runs: The runs of the values, none for published values and for baselines.
    """

    name: str
    baseline: bool
    values: dict[str, Value]
    runs: list[Run]


def summary_rows(results: Path, summary: Mapping[str, Any]) -> list[SummaryRow]:
    """Read the values of a summary.

    Args:
        results: The folder of the tables of results.
        summary: ``results``, the table with the runs; ``metrics``, name to title and ``decimals``; ``rows``. A row
            has a ``name``, and either ``report``, the published values, or ``runs``: a list of an ``experiment``
            with ``overrides`` (by default none), ``metrics`` (by default all) and ``results`` (by default that of
            the summary). With ``baseline``, the values are those of the baseline of this name in the runs.

    Returns:
        The rows with their values.

    Raises:
        ImgcolorError: If a row has neither or both of ``report`` and ``runs``, or an unknown metric.
    """
    metrics: dict[str, Any] = summary["metrics"]
    rows = []
    for row in summary["rows"]:
        place = f"page.yaml: the row {row.get('name')!r}"
        if "name" not in row or ("report" in row) == ("runs" in row):
            raise ImgcolorError(f"{place}: expected name, and one of report and runs, found {', '.join(row)}")
        baseline = row.get("baseline")
        values = {metric: _published(value) for metric, value in row.get("report", {}).items()}
        used: list[Run] = []
        for source in row.get("runs", ()):
            if "experiment" not in source:
                raise ImgcolorError(
                    f"{place}: runs: expected an experiment, found {', '.join(source) or 'none'}"
                )
            found = _runs_of(results, summary, source)
            used += [] if baseline else found
            for metric in source.get("metrics", metrics):
                column = f"baseline/{baseline}/{metric.rpartition('/')[2]}" if baseline else metric
                decimals = metrics[metric]["decimals"] if metric in metrics else None
                values[metric] = mean_value(found, column, decimals)
        if unknown := [metric for metric in values if metric not in metrics]:
            raise ImgcolorError(
                f"{place}: expected metrics of {', '.join(metrics)}, found {', '.join(unknown)}"
            )
        rows.append(SummaryRow(row["name"], baseline is not None, values, used))
    return rows


def _runs_of(results: Path, summary: Mapping[str, Any], source: Mapping[str, Any]) -> list[Run]:
    wanted = read_options(shlex.split(source.get("overrides", "")))
    return [
        run
        for run in runs_in(results, source.get("results", summary["results"]))
        if run["experiment"] == source["experiment"]
        and read_options(shlex.split(run["overrides"])) == wanted
        and run["images"] != "synthetic"
    ]


def _published(value: float | str) -> Value:
    try:
        return Value(str(value), float(value))
    except ValueError:
        return Value(str(value))  # such as "about 0.75"


def summary_table(results: Path, summary: Mapping[str, Any]) -> list[str]:
    """Return a summary as Markdown, with the best value of each column in bold, and the commands of its runs.

    Args:
        results: The folder of the tables of results.
        summary: As in :func:`summary_rows`.

    Returns:
        The table, and the block of the commands if there are runs.
    """
    metrics: dict[str, Any] = summary["metrics"]
    rows = summary_rows(results, summary)
    best = {
        metric: _best([row.values[metric] for row in rows if metric in row.values], metric)
        for metric in metrics
    }
    lines = [["", *(metric["name"] for metric in metrics.values())]]
    for row in rows:
        cells = [row.name]
        for metric in metrics:
            value = row.values.get(metric, Value(""))
            cells.append(f"**{value.text}**" if value.mean == best[metric].mean else value.text)
        lines.append(cells)
    used = [run for row in rows for run in row.runs]
    return [markdown_table(lines), *([commands(used)] if used else [])]


def _best(values: Sequence[Value], metric: str) -> Value:
    """Return the best value of a metric; one without a number if there is none."""
    numbers = [value for value in values if not math.isnan(value.mean)]
    choose = max if HIGHER_IS_BETTER[metric.rpartition("/")[2]] else min
    return choose(numbers, key=lambda value: value.mean, default=Value(""))


def with_readme_table(text: str, results: Path, page: Mapping[str, Any]) -> str:
    """Return the text of the README with its table made again.

    Args:
        text: The README. The table stands between two comments.
        results: The folder of the tables of results.
        page: The content of page.yaml. Each item of ``readme`` has ``images``, ``metric`` (a title) and ``report``.
            Its baseline and our value come from the column ``column`` of the summary of ``section``, in which our
            row is named ``row``, or are given as ``baseline`` and ``ours``.

    Raises:
        ImgcolorError: If the comments are missing, or a section has no such row.
    """
    before, start, rest = text.partition(_START)
    _, end, after = rest.partition(_END)
    if not start or not end:
        raise ImgcolorError(
            f"README.md: expected the table between {_START} and {_END}, found no such comments"
        )
    summaries = {section["title"]: section["summary"] for section in page["sections"] if "summary" in section}
    lines = [["images", "metric", "course report", "best baseline", "imgcolor"]]
    counts = []
    for item in page["readme"]:
        if "ours" in item:
            baseline, ours = Value(item["baseline"]), Value(item["ours"], count=1)
        else:
            rows = summary_rows(results, summaries[item["section"]]) if item["section"] in summaries else []
            column = item["column"]
            baseline = _best(
                [row.values[column] for row in rows if row.baseline and column in row.values], column
            )
            found = [row.values[column] for row in rows if row.name == item["row"] and column in row.values]
            if len(found) != 1:
                raise ImgcolorError(
                    f"page.yaml: readme: expected a row {item['row']!r} with {column} in the summary of the section "
                    f"{item['section']!r}, found {len(found)}"
                )
            ours = found[0]
        counts.append(ours.count)
        mean, *spread = ours.short.split(" ± ")
        cells = [item["images"], item["metric"], item.get("report", ""), baseline.short]
        lines.append([*cells, " ± ".join([f"**{mean}**", *spread])])
    return f"{before}{start}\n{markdown_table(lines)}\n\n{_seeds(counts)} {end}{after}"


def _seeds(counts: Sequence[int]) -> str:
    """Say in one sentence what the values of the README's table are."""
    several = sorted({count for count in counts if count > 1})
    if not several:
        return "Each value is one run with seed 0."
    seeds = str(several[0]) if len(several) == 1 else f"{several[0]} to {several[-1]}"
    rest = "" if min(counts) > 1 else "; values without it are one run"
    return f"± is the standard deviation over {seeds} seeds{rest}."

"""Runs of the results page: their values with the spread over seeds, and their commands."""

import math
import re
import shlex
import statistics
from argparse import ArgumentError
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgcolor.cli.record import read_table
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.text import count_of

Run = Mapping[str, str]
"""A row of a table of results."""


@dataclass
class Value:
    """A value of the page.

    Attributes:
        text: The value as it is shown, with its spread over seeds if there are any.
        mean: The mean over the runs, to compare values; NaN without a number.
        short: The text without the number of runs.
        count: The number of runs.
    """

    text: str
    mean: float = math.nan
    short: str = ""
    count: int = 0

    def __post_init__(self) -> None:
        self.short = self.short or self.text


def runs_in(results: Path, name: str) -> list[dict[str, str]]:
    """Read the runs of a table of results; none if there is no such file.

    Args:
        results: The folder of the tables.
        name: The name of the table without extension.
    """
    path = results / f"{name}.csv"
    return read_table(path) if path.is_file() else []


def mean_value(runs: Sequence[Run], column: str, decimals: int | None = None) -> Value:
    """Return the mean of a column, with standard deviation and number of the runs if there are several.

    Args:
        runs: Runs that differ in the seed alone.
        column: Such as ``val/mse`` or ``baseline/bicubic/psnr``.
        decimals: Digits after the point, or more if the spread is smaller; by default four digits in all.
    """
    if not runs:
        return Value("not run yet")
    if all(run["status"] == "diverged" for run in runs):
        return Value("diverged")
    values = [float(run[column]) for run in runs if run.get(column)]
    if not values:
        return Value("")
    mean = statistics.fmean(values)
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    if len(values) == 1 or (spread == 0 and column.startswith("baseline/")):
        return Value(shown(mean, decimals), mean, count=1)  # a baseline without randomness has no spread
    # One digit, but not as 4e-05.
    digits = max(0, -math.floor(math.log10(spread))) if spread > 0 else 0
    if decimals is not None:
        decimals = digits = max(decimals, digits)
    short = f"{shown(mean, decimals)} ± {spread:.{digits}f}"
    return Value(f"{short} (n = {len(values)})", mean, short, len(values))


def shown(value: float | str | None, decimals: int | None = None) -> str:
    """Return a number as text, with four digits by default; texts are not changed."""
    if value is None or isinstance(value, str):
        return value or ""
    if not math.isfinite(value):
        return str(value)
    return f"{value:.4g}" if decimals is None else f"{value:.{decimals}f}"


def command_of(run: Run) -> str:
    """Return the command that repeats a run."""
    parts = [f"imgcolor fit --config {run['experiment']}", run["overrides"]]
    return " ".join([*filter(None, parts), f"--seed_everything={run['seed'] or 0}"])


def commands(runs: Iterable[Run]) -> str:
    """Return the commands of runs with epochs, seconds, commit and hardware, in a collapsed block."""
    lines = []
    for run in runs:
        seconds = f"{float(run['seconds']):.0f} s" if run["seconds"] else ""
        origin = [count_of(int(run["epochs"]), "epoch"), seconds, f"commit {run['commit']}", run["hardware"]]
        lines.append(f"{command_of(run)}  # {', '.join(filter(None, origin))}")
    return "\n".join(["<details><summary>commands</summary>", "", "```sh", *lines, "```", "", "</details>"])


def check_commands(results: Path, names: Iterable[str], texts: Mapping[str, str]) -> None:
    """Check that `imgcolor fit` accepts the command of each run, and those that texts of the page print.

    Args:
        results: The folder of the tables.
        names: The names of the tables without extension.
        texts: Title to text in Markdown, with commands between backticks.

    Raises:
        ImgcolorError: If a run has no command, or `imgcolor fit` refuses one.
    """
    from imgcolor.cli.training import check_fit_options  # imports torch and Lightning
    from imgcolor.cli.usage_errors import usage_error

    accepted = set()
    for place, command in _commands_with_places(results, names, texts):
        options = [
            option for option in shlex.split(command)[2:] if not option.startswith("--seed_everything=")
        ]
        if tuple(options) in accepted:
            continue
        try:
            check_fit_options(options)
        except ArgumentError as error:
            raise ImgcolorError(
                f"{place}: expected a command that `imgcolor fit` accepts, found `{command}`: "
                f"{usage_error(error, options)}; write options of this version that give the same run"
            ) from error
        accepted.add(tuple(options))


def _commands_with_places(
    results: Path, names: Iterable[str], texts: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for name in names:
        for number, run in enumerate(runs_in(results, name), start=2):
            place = f"{results / name}.csv, line {number} (seed {run['seed']})"
            if not run["experiment"]:
                raise ImgcolorError(
                    f"{place}: expected the command of the run, found no experiment; write the file of its "
                    "configuration and its options to the columns experiment and overrides"
                )
            yield place, command_of(run)
    for title, text in texts.items():
        for command in re.findall(r"`(imgcolor fit [^`]+)`", text):
            yield f"{results / 'page.yaml'}, section {title!r}", " ".join(command.split())

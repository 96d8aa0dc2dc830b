"""Options, rows and tables that the programs share."""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

import imgcolor
from common.cases import Case, selected_cases
from imgcolor.utils.files import read_rows, write_rows
from imgcolor.utils.provenance import commit, hardware

RESULTS = Path(__file__).parents[1] / "results"

Row = dict[str, object]


def parser(description: str | None, output: str) -> argparse.ArgumentParser:
    """Return a parser with the option ``--output``.

    Args:
        description: The docstring of the program.
        output: Name of its file in results/.
    """
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--output", type=Path, default=RESULTS / output, help="table of all measurements")
    return options


def origin() -> Row:
    """Return commit, hardware and torch's version, for each row of a table."""
    return {
        "commit": commit(Path(imgcolor.__file__).parent),
        "hardware": hardware(),
        "torch": torch.__version__,
    }


def origins(rows: Iterable[Row]) -> str:
    """Return commits, hardware and torch's versions of rows, which can come from several runs."""
    found = dict.fromkeys((str(row["commit"]), str(row["hardware"]), str(row["torch"])) for row in rows)
    return "; ".join(f"commit {version}, {machine}, torch {torch}" for version, machine, torch in found)


def spread(ratios: list[float]) -> str:
    """Return median and range, such as ``1.08 (1.04 to 1.10)``."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def best_of_three(function: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the shortest of three times of a function, in seconds of a clock."""
    seconds = []
    for _ in range(3):
        start = clock()
        function()
        seconds.append(clock() - start)
    return min(seconds)


def measure_epochs(
    description: str | None, output: str, measure: Callable[[Case, argparse.Namespace], list[Row]]
) -> tuple[list[Row], Path]:
    """Measure the cases that the command line names, and write their rows.

    Args:
        description: The docstring of the program.
        output: Name of its file in results/. Rows of an earlier run stay for the cases that are not measured.
        measure: Returns the rows of a case, for the options of the command line.

    Returns:
        All rows of the file, and the file.
    """
    options = parser(description, output)
    options.add_argument("--epochs", type=int, default=3, help="measured epochs; one more runs before them")
    options.add_argument("--images", type=int, default=5000, help="training images; a fifth for validation")
    options.add_argument("--only", nargs="*", default=[], help="parts of the names of cases")
    options.add_argument("--skip", nargs="*", default=[], help="methods to leave out")
    options.add_argument(
        "--processor_time", action="store_true", help="processor time of one thread, for a busy machine"
    )
    arguments = options.parse_args()
    rows: list[Row] = list(read_rows(arguments.output)) if arguments.output.exists() else []
    for case in selected_cases(arguments.only):
        rows = [row for row in rows if row["case"] != case.name]
        rows += measure(case, arguments)
        write_rows(arguments.output, rows)
    return rows, arguments.output

"""What the seconds of imgcolor's epoch are spent on, beside the network alone.

    python benchmarks/parts.py [--epochs 3] [--images 5000] [--only NAME ...]

Of each case of training.py, `imgcolor fit` and the network alone train by turns, as there. What Lightning's
profiler hears of, and the parts of a step, are timed without what is inside of them, so that parts add up to the
epoch. The first epoch is not counted. Timing itself takes a fifth of a millisecond a step or less.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import imgcolor
from clock import Timing
from imgcolor.commands.provenance import commit, hardware
from imgcolor.files import read_rows, write_rows
from profiler import PARTS, REST, Parts
from training import CASES, RESULTS, TURNS, Bench, Case
from turns import Turn, by_turns


def run(turn: Turn, name: str, folder: Path, way: str, epochs: int) -> tuple[list[Timing], dict[Any, float]]:
    """Train in one way, in a process of its own: its epochs, and the seconds of its parts."""
    (case,) = (case for case in CASES if case.name == name)
    if way == "network alone":
        return Bench(case, folder, turn, epochs).bare(), {}
    options = ["--trainer.profiler=profiler.Parts", "--trainer.callbacks+=profiler.Marks"]
    timings = Bench(replace(case, options=[*case.options, *options]), folder, turn, epochs).imgcolor()
    return timings, dict(Parts.last.seconds)


def measure(case: Case, epochs: int, images: int) -> list[dict[str, object]]:
    """Profile one case: seconds an epoch of every part."""
    steps = -(-images // case.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        Bench.drawn(case, images, Path(folder))
        programs: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
            way: (run, (case.name, Path(folder), way, epochs)) for way in ("network alone", "imgcolor fit")
        }
        results = by_turns(programs, max(1, steps // TURNS))
    alone = sum(timing.whole for timing in results["network alone"][0]) / epochs
    timings, seconds = results["imgcolor fit"]
    whole = sum(timing.whole for timing in timings) / epochs
    parts = {key: value / epochs for key, value in seconds.items() if key[0] != "end"}
    parts["training", REST] += whole - sum(parts.values())  # between actions
    order = [(stage, part) for stage in ("training", "validation") for part in dict.fromkeys(PARTS.values())]
    figures = [("network alone", "", alone), *((*key, parts[key]) for key in order if key in parts)]
    version = commit(Path(imgcolor.__file__).parent)
    return [
        {
            "case": case.name,
            "stage": stage,
            "part": part,
            "commit": version,
            "epochs": epochs,
            "seconds_an_epoch": round(value, 4),
            "of_network_alone": round(value / alone, 4),
        }
        for stage, part, value in [*figures, ("whole", "", whole)]
    ]


def page(rows: list[dict[str, object]]) -> str:
    """The results as Markdown: a row a part, a column a case, in multiples of the network alone."""
    cases = list(dict.fromkeys(str(row["case"]) for row in rows))
    lines = [f"| | {' | '.join(cases)} |", f"|---|{'---|' * len(cases)}"]
    for stage, part in dict.fromkeys((str(row["stage"]), str(row["part"])) for row in rows):
        found = {row["case"]: row for row in rows if (row["stage"], row["part"]) == (stage, part)}
        cells = [f"{float(str(found[c]['of_network_alone'])):.3f}" if c in found else "" for c in cases]
        lines.append(f"| {': '.join(filter(None, (stage, part)))} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=3, help="that are counted, after one that is not")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--only", nargs="*", default=[], help="parts of the names of cases")
    parser.add_argument("--output", type=Path, default=RESULTS / "parts.csv")
    options = parser.parse_args()
    rows: list[dict[str, object]] = list(read_rows(options.output)) if options.output.exists() else []
    for case in CASES:
        if not options.only or any(part in case.name for part in options.only):
            rows = [row for row in rows if row["case"] != case.name]
            rows += measure(case, options.epochs, options.images)
            write_rows(options.output, rows)
    print(f"commit {commit(Path(imgcolor.__file__).parent)}, {hardware()}, torch {torch.__version__}\n")
    print(page(rows))


if __name__ == "__main__":
    main()

"""What the seconds of imgcolor's epoch are spent on, beside the network alone.

    python benchmarks/parts.py [--epochs 3] [--images 5000] [--only NAME ...]

Of each case of training.py, `imgcolor fit`, the same with a profiler, and the network alone train by turns, as
there. What Lightning's profilers hear of, and the parts of a step, are timed without what is inside of them, so
that parts add up to the epoch. The first epoch is not counted. The profiler itself takes the difference of the
two fits.
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
from profiler import PARTS, REST, VALIDATION, Parts
from training import CASES, RESULTS, TURNS, Bench, Case, origins, train
from turns import Turn, by_turns


def run(turn: Turn, name: str, folder: Path, way: str, epochs: int) -> tuple[list[Timing], dict[Any, float]]:
    """Train in one way, in a process of its own: its epochs, and the seconds of its parts."""
    if way != "profiled":
        return train(turn, name, folder, way, epochs), {}
    (case,) = (case for case in CASES if case.name == name)
    options = ["--trainer.profiler=profiler.Parts", "--trainer.callbacks+=profiler.Marks"]
    timings = Bench(replace(case, options=[*case.options, *options]), folder, turn, epochs).imgcolor()
    return timings, dict(Parts.last.seconds)


def measure(case: Case, epochs: int, images: int) -> list[dict[str, object]]:
    """Profile one case: seconds an epoch of every part."""
    steps = -(-images // case.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        Bench.drawn(case, images, Path(folder))
        programs: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
            way: (run, (case.name, Path(folder), way, epochs))
            for way in ("network alone", "imgcolor fit", "profiled")
        }
        results = by_turns(programs, max(1, steps // TURNS))
    whole = {way: sum(timing.whole for timing in timings) / epochs for way, (timings, _) in results.items()}
    parts = {key: seconds / epochs for key, seconds in results["profiled"][1].items()}
    parts["training", REST] += whole["profiled"] - sum(parts.values())  # between actions
    order = [(stage, part) for stage in ("training", VALIDATION) for part in dict.fromkeys(PARTS.values())]
    order = [*order[: len(order) // 2], ("training", REST), *order[len(order) // 2 :], (VALIDATION, REST)]
    figures = {
        "network alone": whole["network alone"],
        **{f"{stage}: {part}": parts[stage, part] for stage, part in order if (stage, part) in parts},
        "together": whole["profiled"],
        "not profiled": whole["imgcolor fit"],
    }
    version = commit(Path(imgcolor.__file__).parent)
    return [
        {
            "case": case.name,
            "part": name,
            "commit": version,
            "hardware": hardware(),
            "torch": torch.__version__,
            "epochs": epochs,
            "seconds_an_epoch": round(seconds, 4),
            "of_network_alone": round(seconds / whole["network alone"], 4),
        }
        for name, seconds in figures.items()
    ]


def page(rows: list[dict[str, object]]) -> str:
    """The results as Markdown: a row a part, a column a case, in multiples of the network alone."""
    cases = list(dict.fromkeys(str(row["case"]) for row in rows))
    found = {(row["case"], row["part"]): float(str(row["of_network_alone"])) for row in rows}
    lines = [f"| | {' | '.join(cases)} |", f"|---|{'---|' * len(cases)}"]
    for part in dict.fromkeys(row["part"] for row in rows):
        cells = [f"{found[case, part]:.3f}" if (case, part) in found else "" for case in cases]
        lines.append(f"| {part} | {' | '.join(cells)} |")
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
    print(f"{origins(rows)}\n\n{page(rows)}")


if __name__ == "__main__":
    main()

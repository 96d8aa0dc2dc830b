"""What the seconds of imgcolor's epoch are spent on, beside the network alone.

    python benchmarks/parts.py [--epochs 3] [--images 5000] [--only NAME ...]

Of each case of training.py, `imgcolor fit`, the same with a profiler, and the network alone train by turns, as
there. What Lightning's profilers hear of, and the parts of a step, are timed without what is inside of them, so
that parts add up to the epoch. The first epoch is not counted. The profiler itself takes the difference of the
two fits.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import imgcolor
from clock import Timing
from imgcolor.utils.provenance import commit, hardware
from profiler import ORDER, REST, TRAINING, VALIDATION, Parts
from training import RESULTS, TURNS, Bench, Case, case_named, measure_cases, origins, train
from turns import Turn, by_turns


def run(turn: Turn, name: str, folder: Path, way: str, epochs: int) -> tuple[list[Timing], dict[Any, float]]:
    """Train in one way, in a process of its own: its epochs, and the seconds of its parts."""
    if way != "profiled":
        return train(turn, name, folder, way, epochs), {}
    case = case_named(name)
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
    parts[TRAINING, REST] += whole["profiled"] - sum(parts.values())  # between actions
    order = [(stage, part) for stage in (TRAINING, VALIDATION) for part in ORDER]
    metrics = {
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
        for name, seconds in metrics.items()
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
    rows, _ = measure_cases(__doc__, RESULTS / "parts.csv", measure)
    print(f"{origins(rows)}\n\n{page(rows)}")


if __name__ == "__main__":
    main()

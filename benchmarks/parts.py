"""Which part of an epoch takes how long?

    python benchmarks/parts.py [--epochs 3] [--images 5000] [--only NAME ...]

For each case of training.py, three programs train by turns: `imgcolor fit`, the same with a profiler, and the
network alone. The profiler times the actions that Lightning reports and the parts of a step, each without the
actions inside it, so that the parts add up to the epoch. The first epoch is not measured. The two fits differ
by the cost of the profiler.
"""

import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.cases import Case, case_named, draw_images
from common.clock import Timing
from common.loops import IMGCOLOR, NETWORK_ALONE, imgcolor_fit, train
from common.profiler import OTHER, PARTS, TRAINING, VALIDATION, PartsProfiler
from common.results import Row, measure_epochs, origin, origins
from common.setup import Setup
from common.turns import Turn, by_turns
from training import TURNS_PER_EPOCH

PROFILED = "profiled"


def run(
    turn: Turn, name: str, folder: Path, method: str, epochs: int
) -> tuple[list[Timing], dict[Any, float]]:
    """Train with a method, in a process of its own; return its epochs and the seconds of its parts."""
    if method != PROFILED:
        return train(turn, name, folder, method, epochs), {}
    options = [
        "--trainer.profiler=common.profiler.PartsProfiler",
        "--trainer.callbacks+=common.profiler.ProfileSteps",
    ]
    timings = imgcolor_fit(Setup(case_named(name), folder, turn, epochs), *options)
    return timings, dict(PartsProfiler.last.seconds)


def measure(case: Case, options: Namespace) -> list[Row]:
    """Profile one case; a row has the seconds per epoch of one part."""
    epochs, images = options.epochs, options.images
    steps = -(-images // case.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        draw_images(case, images, Path(folder))
        programs: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
            method: (run, (case.name, Path(folder), method, epochs))
            for method in (NETWORK_ALONE, IMGCOLOR, PROFILED)
        }
        results = by_turns(programs, max(1, steps // TURNS_PER_EPOCH), options.processor_time)
    epoch = {
        method: sum(timing.epoch for timing in timings) / epochs for method, (timings, _) in results.items()
    }
    parts = {key: seconds / epochs for key, seconds in results[PROFILED][1].items()}
    parts[TRAINING, OTHER] += epoch[PROFILED] - sum(parts.values())  # between the actions
    order = [(stage, part) for stage in (TRAINING, VALIDATION) for part in PARTS]
    seconds_per_epoch = {
        NETWORK_ALONE: epoch[NETWORK_ALONE],
        **{f"{stage}: {part}": parts[stage, part] for stage, part in order if (stage, part) in parts},
        "sum": epoch[PROFILED],
        "without the profiler": epoch[IMGCOLOR],
    }
    return [
        {
            "case": case.name,
            "part": name,
            **origin(),
            "clock": "processor time of one thread" if options.processor_time else "wall time",
            "epochs": epochs,
            "seconds_per_epoch": round(seconds, 4),
            "of_network_alone": round(seconds / epoch[NETWORK_ALONE], 4),
        }
        for name, seconds in seconds_per_epoch.items()
    ]


def table(rows: list[Row]) -> str:
    """Return the results as Markdown: a row per part, a column per case, in multiples of the network alone."""
    cases = list(dict.fromkeys(str(row["case"]) for row in rows))
    found = {(row["case"], row["part"]): float(str(row["of_network_alone"])) for row in rows}
    lines = [f"| | {' | '.join(cases)} |", f"|---|{'---|' * len(cases)}"]
    for part in dict.fromkeys(row["part"] for row in rows):
        cells = [f"{found[case, part]:.3f}" if (case, part) in found else "" for case in cases]
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    rows, _ = measure_epochs(__doc__, "parts.csv", measure)
    print(f"{origins(rows)}\n\n{table(rows)}")


if __name__ == "__main__":
    main()

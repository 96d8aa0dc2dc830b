"""How long does a training epoch take with imgcolor and with other loops?

    python benchmarks/training.py [--epochs 3] [--images 5000] [--only NAME ...] [--skip METHOD ...]

All methods train the same network on the same images in the same order, from the same weights, and have to
reach the same loss in each epoch. Each method has a process of its own, and the processes take turns of some
steps, so that a slow moment of the machine affects all of them. The first epoch is not measured. The results
are ratios to the network alone in the same epoch. Images are drawn; their sizes are those of the courses.
"""

import math
import statistics
import tempfile
from argparse import Namespace
from pathlib import Path

from common.cases import Case, draw_images
from common.clock import Timing
from common.loops import IMGCOLOR, LIGHTNING_ALONE, NETWORK_ALONE, methods, train
from common.results import Row, measure_epochs, origin, origins, spread
from common.turns import by_turns

TURNS_PER_EPOCH = 10


def measure(case: Case, options: Namespace) -> list[Row]:
    """Train one case with each method."""
    epochs, images = options.epochs, options.images
    steps = -(-images // case.batch_size)
    names = [name for name in methods(case) if name not in options.skip]
    with tempfile.TemporaryDirectory() as folder:
        draw_images(case, images, Path(folder))
        programs = {name: (train, (case.name, Path(folder), name, epochs)) for name in names}
        timings: dict[str, list[Timing]] = by_turns(
            programs, max(1, steps // TURNS_PER_EPOCH), options.processor_time
        )
    rows = []
    for epoch in range(epochs):
        for name in names:
            timing = timings[name][epoch]
            seconds = f"{timing.steps:8.2f} s in steps {timing.epoch:8.2f} s per epoch"
            print(f"{case.name:30} epoch {epoch}  {name:16} {seconds}, loss {timing.loss:.5f}", flush=True)
            rows.append(
                {
                    "case": case.name,
                    "method": name,
                    "epoch": epoch,
                    **origin(),
                    "images": images,
                    "clock": "processor time of one thread" if options.processor_time else "wall time",
                    "ms_per_step": round(timing.steps / steps * 1000, 3),
                    "steps_s": round(timing.steps, 3),
                    "epoch_s": round(timing.epoch, 3),
                    "loss": round(timing.loss, 6),
                }
            )
        # These see one batch only, so their loss is not comparable.
        one_batch = NETWORK_ALONE, LIGHTNING_ALONE
        losses = [timings[name][epoch].loss for name in names if name not in one_batch]
        if not max(losses) <= 1.02 * min(losses) or any(map(math.isnan, losses)):
            raise SystemExit(f"{case.name}: expected one loss, found {min(losses)} to {max(losses)}")
    return rows


def table(rows: list[Row]) -> str:
    """Return the results as Markdown: ratios within an epoch, median and range over the epochs."""
    lines = [
        "| network | method | ms per step | steps / network alone | epoch / network alone | epoch / imgcolor |",
        "|---|---|---|---|---|---|",
    ]
    for case in dict.fromkeys(str(row["case"]) for row in rows):
        values = {
            (row["method"], column, row["epoch"]): float(str(row[column]))
            for row in rows
            if row["case"] == case
            for column in ("ms_per_step", "steps_s", "epoch_s")
        }
        epochs = list(dict.fromkeys(epoch for _, _, epoch in values))
        for name in dict.fromkeys(name for name, _, _ in values):
            median = statistics.median(values[name, "ms_per_step", e] for e in epochs)
            cells = [case, str(name), f"{median:.1f}"]
            for column, other in (
                ("steps_s", NETWORK_ALONE), ("epoch_s", NETWORK_ALONE), ("epoch_s", IMGCOLOR)
            ):  # fmt: skip
                cells.append(spread([values[name, column, e] / values[other, column, e] for e in epochs]))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    rows, output = measure_epochs(__doc__, "training.csv", measure)
    text = f"{origins(rows)}: median (range) over epochs\n\n{table(rows)}\n"
    output.with_suffix(".md").write_text(text)
    print(f"\n{text}")


if __name__ == "__main__":
    main()

"""How long does a network of the courses take to reach the result of its report?

    python benchmarks/time_to_result.py --horses DIR --faces DIR [--seeds 5] [--networks ColourUNet ...]

Each network is trained with the settings of the course and with those of `experiments/*/fast_*.yaml`. The time is
that of `imgcolor fit` from the first training step to the end of the validation that reaches the result. Reading the
images, fitting the palette and measuring the baselines are not included. Both ways of training take turns, seed by
seed.
"""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from common.clock import ReachResult
from common.loops import EXPERIMENTS
from common.results import Row, origin, parser
from common.setup import without_output
from imgcolor.cli.main import main as imgcolor_main
from imgcolor.utils.files import write_rows


class Goal(NamedTuple):
    """A network, and what its report says."""

    network: str
    course: str
    """The experiment with the settings of the course."""
    fast: str
    """The experiment with the same network and other settings."""
    images: str
    """``horses`` or ``faces``."""
    result: dict[str, float]
    """The values of the report that the validation has to reach, all at once."""
    epochs: int
    """The settings of the course are given up after so many epochs."""


GOALS = (
    Goal(
        "ColourUNet",
        "horses/colour_unet.yaml",
        "horses/fast_unet.yaml",
        "horses",
        {"val/accuracy": 0.41, "val/loss": 1.615},
        25,
    ),
    Goal(
        "RegressionCNN",
        "horses/regression_cnn.yaml",
        "horses/fast_regression_cnn.yaml",
        "horses",
        {"val/mse": 0.0061},
        100,
    ),
    Goal(
        "ColourCNN",
        "superres/colour_cnn.yaml",
        "superres/fast_colour_cnn.yaml",
        "horses",
        {"val/accuracy": 0.41},
        25,
    ),
    Goal(
        "ConvStack",
        "faces/conv_stack.yaml",
        "faces/fast_conv_stack.yaml",
        "faces",
        {"val/margin12": 0.75},
        100,
    ),
)


def train(experiment: str, goal: Goal, root: Path, seed: int, *options: str) -> ReachResult:
    """Train until the result is reached, or to the end."""
    with tempfile.TemporaryDirectory() as logs:
        command = [
            "fit", "--config", str(EXPERIMENTS / experiment), "--data.source=folder", f"--data.root={root}",
            f"--seed_everything={seed}", "--trainer.devices=1", "--trainer.accelerator=cpu",
            f"--trainer.logger.init_args.save_dir={logs}", *options,
            "--trainer.callbacks+=common.clock.ReachResult", f"--trainer.callbacks.result={goal.result}",
        ]  # fmt: skip
        with without_output():
            status = imgcolor_main(command)
    if status:
        raise SystemExit(f"imgcolor {' '.join(command)}: exit status {status}")
    return ReachResult.last


def measure(goal: Goal, root: Path, seeds: int) -> Iterator[Row]:
    """Train with both settings and all seeds, and yield the row of each run as soon as it is measured."""
    ways = {"course": (goal.course, f"--trainer.max_epochs={goal.epochs}"), "fast": (goal.fast,)}
    for seed in range(seeds):
        for settings, (experiment, *options) in ways.items():
            found = train(experiment, goal, root, seed, *options)
            yield {
                "network": goal.network,
                "settings": settings,
                "experiment": f"experiments/{experiment}",
                "result": " ".join(f"{name}={value}" for name, value in goal.result.items()),
                "seed": seed,
                **origin(),
                "steps": found.steps,
                "seconds": "not reached" if found.seconds is None else round(found.seconds, 2),
            }


def main() -> None:
    options = parser(__doc__, "time_to_result.csv")
    options.add_argument("--horses", type=Path, required=True, help="folder of the horses")
    options.add_argument("--faces", type=Path, required=True, help="folder of the faces")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--networks", nargs="+", default=[goal.network for goal in GOALS])
    arguments = options.parse_args()
    rows: list[Row] = []
    for goal in GOALS:
        if goal.network not in arguments.networks:
            continue
        found: dict[str, list[float]] = {"course": [], "fast": []}
        for row in measure(goal, getattr(arguments, goal.images), arguments.seeds):
            rows.append(row)
            if isinstance(row["seconds"], float):
                found[str(row["settings"])].append(row["seconds"])
            print(row, flush=True)
            write_rows(arguments.output, rows)
        for settings, seconds in found.items():
            median = f"{statistics.median(seconds):.1f} s in the median" if seconds else "never"
            print(
                f"{goal.network}, {settings}: reached by {len(seconds)} of {arguments.seeds} seeds, {median}"
            )


if __name__ == "__main__":
    main()

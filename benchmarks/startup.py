"""Seconds until imgcolor answers, and until it trains, beside the import of Lightning that no command can avoid.

    python benchmarks/startup.py [--rounds 5]

Every line is a new process; the lines alternate, so that a noisy machine hurts all alike.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imgcolor
from imgcolor.utils.files import write_rows
from imgcolor.utils.provenance import commit, hardware

RESULTS = Path(__file__).parent / "results"
QUICKSTART = Path(__file__).parents[1] / "experiments" / "quickstart.yaml"
IMGCOLOR = [sys.executable, "-m", "imgcolor"]
LINES = {
    "import lightning.pytorch": [sys.executable, "-c", "import lightning.pytorch"],
    "imgcolor --help": [*IMGCOLOR, "--help"],
    "imgcolor models": [*IMGCOLOR, "models"],
    # Few images, and a callback that ends the process: what is left is the way to the first step.
    "imgcolor fit, to the end of the first step": [
        *IMGCOLOR, "fit", "--config", str(QUICKSTART), "--data.train_images=100", "--data.val_images=20",
        "--trainer.callbacks+=clock.ExitAfterFirstStep",
    ],
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS / "startup.csv")
    options = parser.parse_args()
    rows = []
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            for name, command in LINES.items():
                start = time.perf_counter()
                subprocess.run(
                    command,
                    cwd=folder,
                    env={**os.environ, "PYTHONPATH": path},
                    capture_output=True,
                    check=True,
                )
                rows.append(
                    {
                        "line": name,
                        "commit": commit(Path(imgcolor.__file__).parent),
                        "hardware": hardware(),
                        "round": number,
                        "seconds": round(time.perf_counter() - start, 3),
                    }
                )
                print(rows[-1], flush=True)
    write_rows(options.output, rows)
    for name in LINES:
        seconds = [float(str(row["seconds"])) for row in rows if row["line"] == name]
        print(f"{name:44} {statistics.median(seconds):6.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")


if __name__ == "__main__":
    main()

"""Processor seconds of imgcolor's commands, compared with those of `import torch`.

    python benchmarks/startup.py [--rounds 3]

Each measurement is a new process. The commands run by turns, so that other load on the machine affects all
alike. Processor time is user and system time over all threads.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from common.results import origin, parser
from imgcolor.utils.files import write_rows

QUICKSTART = Path(__file__).parents[1] / "experiments" / "quickstart.yaml"
IMGCOLOR = [sys.executable, "-m", "imgcolor"]
REFERENCE = "import torch"
COMMANDS = {
    REFERENCE: [sys.executable, "-c", "import torch"],
    "import lightning.pytorch": [sys.executable, "-c", "import lightning.pytorch"],
    "imgcolor --help": [*IMGCOLOR, "--help"],
    "imgcolor models": [*IMGCOLOR, "models"],
    "imgcolor colourize, a misspelt file name": [*IMGCOLOR, "colourize", "misspelt.jpg"],
    "imgcolor colourize, one photo of 500x375": [*IMGCOLOR, "colourize", "photo.jpg", "--overwrite"],
    # Few images, and a callback that ends the process after the first step.
    "imgcolor fit, to the end of the first step": [
        *IMGCOLOR, "fit", "--config", str(QUICKSTART), "--data.train_images=100", "--data.val_images=20",
        "--trainer.callbacks+=common.clock.ExitAfterFirstStep",
    ],
}  # fmt: skip
FAILS = "imgcolor colourize, a misspelt file name"


def main() -> None:
    options = parser(__doc__, "startup.csv")
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        pixels = np.random.default_rng(0).integers(0, 256, (375, 500, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(Path(folder, "photo.jpg"))
        for _ in range(arguments.rounds):
            for name, command in COMMANDS.items():
                seconds[name].append(processor_seconds(command, folder, environment, name == FAILS))
                print(f"{name:44} {seconds[name][-1]:6.2f} s", flush=True)
    rows = [
        {
            "command": name,
            **origin(),
            "round": number,
            "processor_seconds": round(value, 3),
        }
        for name, values in seconds.items()
        for number, value in enumerate(values)
    ]
    write_rows(arguments.output, rows)
    reference = statistics.median(seconds[REFERENCE])
    print(f"\nmedian of {arguments.rounds} rounds, and its ratio to `{REFERENCE}`")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:44} {median:6.2f} s {median / reference:6.2f}")


def processor_seconds(command: list[str], folder: str, environment: dict[str, str], fails: bool) -> float:
    """Run a command; return its user and system time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if (done.returncode != 0) != fails:
        sys.exit(done.stderr.decode())
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()

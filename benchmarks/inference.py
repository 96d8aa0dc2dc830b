"""Images a second: `imgcolor colourize` on a folder, beside a loop over its files in Python.

    python benchmarks/inference.py [--rounds 3]

The loop is what one writes without the command: open, colourize, save, one file after the other, with PNG files
compressed as the command's are. Both count from the start of a process that has imported everything and loaded the
model.
"""

import argparse
import contextlib
import io
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

import imgcolor
from imgcolor.cli.main import main as imgcolor_command
from imgcolor.data import FaceColourizationDataModule
from imgcolor.utils.files import write_rows
from imgcolor.utils.provenance import commit, hardware

RESULTS = Path(__file__).parent / "results"
CASES = {80: 500, 1024: 24}
"""Side of the photos, and how many of them."""


def draw(folder: Path, size: int, count: int) -> None:
    """Drawn faces, enlarged where they are to be large."""
    faces = FaceColourizationDataModule(train_images=count, val_images=1).images("train").pixels
    folder.mkdir()
    for number, face in enumerate(faces.permute(0, 2, 3, 1).numpy()):
        Image.fromarray(face).resize((size, size)).save(folder / f"{number:04}.png")


def command(folder: Path, output: Path) -> None:
    """The whole folder at once."""
    with contextlib.redirect_stdout(io.StringIO()):
        imgcolor_command(["colourize", str(folder), "--output", str(output)])


def loop(folder: Path, output: Path) -> None:
    """One file after the other."""
    model = imgcolor.load("faces")
    output.mkdir()
    for path in sorted(folder.iterdir()):
        with Image.open(path) as photo:
            model.colourize(photo).save(output / path.name, compress_level=3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS / "inference.csv")
    options = parser.parse_args()
    imgcolor.load("faces").colourize(torch.rand(1, 80, 80))  # what is imported late
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size, count in CASES.items():
            draw(Path(folder, str(size)), size, count)
            for number in range(options.rounds):
                for way in (loop, command):
                    output = Path(folder, "output")
                    start = time.perf_counter()
                    way(Path(folder, str(size)), output)
                    seconds = time.perf_counter() - start
                    shutil.rmtree(output)
                    rows.append(
                        {
                            "size": size,
                            "commit": commit(Path(imgcolor.__file__).parent),
                            "hardware": hardware(),
                            "way": way.__name__,
                            "round": number,
                            "images_a_second": round(count / seconds, 2),
                        }
                    )
                    print(rows[-1], flush=True)
    write_rows(options.output, rows)
    for size in CASES:
        speeds = {
            way: [float(str(r["images_a_second"])) for r in rows if (r["size"], r["way"]) == (size, way)]
            for way in ("loop", "command")
        }
        ratios = [c / one for c, one in zip(speeds["command"], speeds["loop"], strict=True)]
        print(
            f"{size}×{size}: loop {statistics.median(speeds['loop']):.1f}, command "
            f"{statistics.median(speeds['command']):.1f} images a second; {statistics.median(ratios):.2f} times "
            f"as fast ({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()

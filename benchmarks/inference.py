"""How many photos per second does `imgcolor colourize` process?

    python benchmarks/inference.py [--rounds 3] [--photos 500]

The command on a folder is compared with a Python loop that opens, colours and saves one file after the other, with
Pillow's defaults for PNG files. Both start in a process that has imported everything.
"""

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
from common.results import Row, origin, parser, spread
from imgcolor.cli.main import main as imgcolor_main
from imgcolor.data.sources import draw_faces
from imgcolor.utils.files import write_rows

MODEL = "photos"

PHOTOS = {256: 500, 1024: 24}
"""Height and width of the photos, and their number."""


def draw(folder: Path, size: int, count: int) -> None:
    """Write drawn faces, enlarged to a size."""
    folder.mkdir()
    for number, face in enumerate(draw_faces(count, 80, 0).permute(0, 2, 3, 1).numpy()):
        Image.fromarray(face).resize((size, size)).save(folder / f"{number:04}.png")


def command(folder: Path, output: Path) -> None:
    """Colour all files with the command."""
    with contextlib.redirect_stdout(io.StringIO()):
        status = imgcolor_main(["colourize", str(folder), "--model", MODEL, "--output", str(output)])
    if status:
        raise SystemExit(status)


def loop(folder: Path, output: Path) -> None:
    """Colour one file after the other."""
    model = imgcolor.load(MODEL)
    output.mkdir()
    for path in sorted(folder.iterdir()):
        with Image.open(path) as photo:
            model.colourize(photo.convert("L")).save(output / path.name)


def main() -> None:
    options = parser(__doc__, "inference.csv")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--photos", type=int, default=500, help="largest number of photos of one size")
    arguments = options.parse_args()
    imgcolor.load(MODEL).colourize(torch.rand(1, 80, 80))  # imports what is imported on first use
    rows: list[Row] = []
    for size, number_of_photos in PHOTOS.items():
        count = min(number_of_photos, arguments.photos)
        speeds: dict[str, list[float]] = {"loop": [], "command": []}
        with tempfile.TemporaryDirectory() as folder:
            photos, output = Path(folder, "photos"), Path(folder, "output")
            draw(photos, size, count)
            for number in range(arguments.rounds):
                for method in (loop, command):
                    start = time.perf_counter()
                    method(photos, output)
                    speed = count / (time.perf_counter() - start)
                    shutil.rmtree(output)
                    speeds[method.__name__].append(speed)
                    rows.append(
                        {
                            "model": MODEL,
                            "size": size,
                            **origin(),
                            "method": method.__name__,
                            "round": number,
                            "images_per_second": round(speed, 2),
                        }
                    )
                    print(rows[-1], flush=True)
        ratios = spread([a / b for a, b in zip(speeds["command"], speeds["loop"], strict=True)])
        medians = {method: round(statistics.median(found), 1) for method, found in speeds.items()}
        print(f"{size}×{size}: images per second {medians}; command / loop {ratios}")
        write_rows(arguments.output, rows)


if __name__ == "__main__":
    main()

"""How long does a pixel of a low-resolution image take with the models that enlarge?

    python benchmarks/upscaling.py [--rounds 3]

Processor time of one thread, for one image after the other: from the pixels of the low-resolution image to those of
the large one, without reading and writing files. The models take turns. The last rows of the table are values of
OpenCV's dnn_superres, from a measurement on the same kind of machine that this program does not repeat.
"""

import statistics
import time

import torch
from torch import Tensor

import imgcolor
from common.results import Row, best_of_three, origin, origins, parser
from imgcolor.cli.runtime import keep_freed_memory
from imgcolor.pipelines import Upscaler
from imgcolor.utils.files import write_rows

MODELS = ("bicubic_x4", "photo_x4")
SIZES = (128, 400)
"""Height and width of the low-resolution images."""

OPENCV = {"ESPCN": 1, "FSRCNN": 1, "LapSRN": 48}
"""Network of OpenCV's dnn_superres, ×4, to µs per low-resolution pixel of Set5, Set14 and B100, one thread."""


def draw(size: int) -> Tensor:
    """Return a smooth image of random colours: float [1, 3, size, size] in [0, 1]."""
    noise = torch.rand(1, 3, size // 8, size // 8, generator=torch.Generator().manual_seed(size))
    image = torch.nn.functional.interpolate(noise, (size, size), mode="bicubic").clamp(0, 1)
    return (image * 255).round() / 255


def load(name: str) -> Upscaler:
    """Load a model that enlarges."""
    model = imgcolor.load(name)
    assert isinstance(model, Upscaler)
    return model


def microseconds_per_pixel(model: Upscaler, image: Tensor) -> float:
    """Return the processor time for a pixel of the low-resolution image, the best of three runs."""
    seconds = best_of_three(lambda: model.upscale_batch(image), time.process_time)
    return 1e6 * seconds / image[0, 0].numel()


def main() -> None:
    options = parser(__doc__, "upscaling.csv")
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as the command does
    models = {name: load(name) for name in MODELS}
    images = {size: draw(size) for size in SIZES}
    for model in models.values():
        model.upscale_batch(images[SIZES[0]])  # the first run is slower
    rows: list[Row] = []
    found: dict[tuple[str, int], list[float]] = {(name, size): [] for name in MODELS for size in SIZES}
    for number in range(arguments.rounds):
        for (name, size), values in found.items():
            values.append(microseconds_per_pixel(models[name], images[size]))
            row: Row = {"model": name, "size": size, **origin(), "round": number}
            rows.append({**row, "us_per_pixel": round(values[-1], 3)})
            print(f"{name} {size}×{size}: {values[-1]:.2f} µs per pixel", flush=True)
    write_rows(arguments.output, rows)
    print("\n| model | low-resolution image | µs per pixel of it |\n|---|---|---|")
    for (name, size), values in found.items():
        median = f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
        print(f"| `{name}` | {size}×{size} | {median} |")
    for name, value in OPENCV.items():
        print(f"| {name} of OpenCV, not measured again | Set5, Set14, B100 | {value} |")
    print(f"\n{origins(rows)}")


if __name__ == "__main__":
    main()

"""How fast does `imgcolor fit` train on a GPU, next to a bare loop?

    python benchmarks/gpu.py [--images 10000] [--epochs 2] [--batches 100 500 2000] [--modes float32 bf16 compile]

The course's U-Net trains on drawn horses of 32×32 pixels. The bare loop does the same training steps and forward
passes of validation, always with the same batch, which is on the GPU already. `compile` is bf16 with torch.compile.
The first epoch is not measured. The last row is the network for photos, with images of 64×64 pixels. Without a GPU,
the program runs on the processor.
"""

import dataclasses
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from common.cases import CASES, DEVICE, Case, draw_images
from common.clock import Timing
from common.loops import imgcolor_fit
from common.results import RESULTS, Row, origin, origins, parser
from common.setup import Setup
from common.turns import Turn, wait_for_gpu
from imgcolor.networks import ChromaUNet
from imgcolor.utils.files import write_rows

MODES = ("float32", "bf16", "compile")
EVAL_BATCH_SIZE = 250
COURSE_EPOCHS, COURSE_IMAGES = 25, 5000

(UNET,) = (case for case in CASES if case.name == "ColourUNet, batch 100")
PHOTOS = Case("ChromaUNet", ChromaUNet, ChromaUNet, "photos/colourization.yaml", 512)


def bare_loop(setup: Setup, *, compiled: bool) -> list[float]:
    """Return the seconds of each measured epoch of training steps and forward passes alone."""
    case = setup.case
    network = setup.network(case.network).to(memory_format=torch.channels_last)
    run: nn.Module = torch.compile(network) if compiled else network
    optimizer = setup.optimizer(network, fused=True)
    originals = torch.from_numpy(setup.pixels["train"][: case.batch_size]).float() / 255
    target = setup.palette.encode(originals).to(DEVICE)
    grey = originals.mean(1, keepdim=True).to(DEVICE)
    steps = -(-len(setup.pixels["train"]) // case.batch_size)
    evaluations = -(-len(setup.pixels["val"]) // EVAL_BATCH_SIZE)
    seconds = []
    for _ in range(setup.epochs):
        wait_for_gpu()
        start = time.perf_counter()
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=case.bf16):
            for _ in range(steps):
                loss = case.compare_fast(run(grey), target)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                for _ in range(evaluations):
                    run(grey[:EVAL_BATCH_SIZE])
        wait_for_gpu()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def fit(setup: Setup, *, compiled: bool) -> list[float]:
    """Return the seconds of each measured epoch of `imgcolor fit`."""
    options = [
        f"--trainer.precision={'bf16-mixed' if setup.case.bf16 else '32-true'}",
        f"--model.compile={str(compiled).lower()}",
        f"--data.eval_batch_size={EVAL_BATCH_SIZE}",
    ]
    timings: list[Timing] = imgcolor_fit(setup, *options)
    return [timing.epoch for timing in timings]


def measure(images: int, epochs: int, batches: list[int], modes: list[str]) -> Iterator[Row]:
    """Train the cases; yield the rows of each as soon as it is measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_images(UNET, images, folder)
        for batch_size in batches:
            for mode in modes:
                case = dataclasses.replace(UNET, batch_size=batch_size, bf16=mode != "float32")
                setup = Setup(case, folder, Turn(), epochs)
                compiled = mode == "compile"
                bare = bare_loop(setup, compiled=compiled)
                yield _row("ColourUNet", batch_size, mode, "bare loop", images, bare)
                yield _row(
                    "ColourUNet", batch_size, mode, "imgcolor fit", images, fit(setup, compiled=compiled)
                )
        torch.save(ChromaUNet().state_dict(), folder / "weights.pt")
        batch_size = min(PHOTOS.batch_size, images)
        case = dataclasses.replace(
            PHOTOS, batch_size=batch_size, bf16="bf16" in modes, options=["--data.size=64"]
        )
        compiled = "compile" in modes
        mode = "compile" if compiled else modes[-1]
        photos = fit(Setup(case, folder, Turn(), epochs), compiled=compiled)
        yield _row("ChromaUNet, 64×64", batch_size, mode, "imgcolor fit", images, photos)


def _row(network: str, batch_size: int, mode: str, method: str, images: int, seconds: list[float]) -> Row:
    epoch = min(seconds)
    row: Row = {
        "network": network, "batch_size": batch_size, "mode": mode, "method": method, **origin(), "images": images,
        "epoch_s": round(epoch, 4), "images_per_s": round(images / epoch),
    }  # fmt: skip
    print(
        f"{network:20} batch {batch_size:5} {mode:8} {method:13} {images / epoch:10,.0f} images/s", flush=True
    )
    return row


def table(rows: list[Row]) -> str:
    """Return the results as Markdown."""
    lines = [
        "| network | batch | mode | bare loop, images/s | `imgcolor fit`, images/s | fit / bare loop (time) | "
        "the course's 25 epochs | 1 million images |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rates = {
        (r["network"], r["batch_size"], r["mode"], r["method"]): float(str(r["images_per_s"])) for r in rows
    }
    for network, batch_size, mode in dict.fromkeys(key[:3] for key in rates):
        bare = rates.get((network, batch_size, mode, "bare loop"))
        rate = rates.get((network, batch_size, mode, "imgcolor fit"))
        if rate is None:
            continue
        course = f"{COURSE_EPOCHS * COURSE_IMAGES / rate:.1f} s" if network == "ColourUNet" else ""
        ratio, shown = (f"{bare / rate:.2f}", f"{bare:,.0f}") if bare else ("", "")
        lines.append(
            f"| {network} | {batch_size} | {mode} | {shown} | {rate:,.0f} | {ratio} | {course} | {1e6 / rate:.0f} s |"
        )
    return "\n".join(lines)


def main() -> None:
    options = parser(__doc__, "gpu.csv")
    options.add_argument("--images", type=int, default=10000, help="training images; a fifth for validation")
    options.add_argument("--epochs", type=int, default=2, help="measured epochs; one more runs before them")
    options.add_argument("--batches", type=int, nargs="+", default=[100, 500, 2000])
    options.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    arguments = options.parse_args()
    rows: list[Row] = []
    for row in measure(arguments.images, arguments.epochs, arguments.batches, arguments.modes):
        rows.append(row)
        write_rows(arguments.output, rows)
    text = f"{origins(rows)}\n\n{table(rows)}\n"
    if arguments.output.parent == RESULTS:
        arguments.output.with_suffix(".md").write_text(text)
    print(f"\n{text}")


if __name__ == "__main__":
    main()

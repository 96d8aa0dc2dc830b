"""Memory and seconds of an epoch against the number of images and their size.

    python benchmarks/scale.py [--most 1000000]

A network of one 1×1 convolution, so that what is measured is the way of the images; every case in a new process.
``set`` is what the images take as bytes; ``beside`` is what the process took at its peak beyond that and beyond
the imports. The last cases read PNG files, once into memory and once, by a memory limit of 0, into a file on disk
that is mapped from then on, whose pages count as memory too while the system keeps them.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from PIL import Image

import imgcolor
from clock import Clock
from imgcolor.data import FolderSource, ImageDataModule, MeanGrey
from imgcolor.data.sources import ImageSet, ImageSource, Split
from imgcolor.networks import ConvStack
from imgcolor.tasks import ColourRegression
from imgcolor.utils.files import write_rows
from imgcolor.utils.provenance import commit, hardware

RESULTS = Path(__file__).parent / "results"
PIXELS = 2 * 10**7
"""Of the cases of another size."""
FILES = 20_000
"""Of the cases that read files."""


class RandomSource:
    """As many images of random levels as asked for, and ten for validation.

    Args:
        count: Training images.
        size: Height and width.
    """

    def __init__(self, count: int, size: int) -> None:
        self.count = count
        self.size = size

    def load(self, split: Split) -> ImageSet:
        """The images of a split."""
        count = self.count if split == "train" else 10
        pixels = torch.randint(0, 256, (count, 3, self.size, self.size), dtype=torch.uint8)
        return ImageSet(pixels, ("",) * count)


def source(kind: str, count: int, size: int, folder: Path) -> ImageSource:
    """Random levels from memory, or as PNG files in memory or on disk."""
    images = RandomSource(count, size)
    if kind == "memory":
        return images
    splits: tuple[Split, ...] = ("train", "val")
    for split in splits:
        (folder / split).mkdir()
        for number in range(count if split == "train" else 10):  # one at a time: the peak shall not be theirs
            pixels = torch.randint(0, 256, (size, size, 3), dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(folder / split / f"{number:07}.png")
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    return FolderSource(folder, size, memory_limit=0 if kind == "disk" else None)


def measure(kind: str, count: int, size: int, folder: Path) -> dict[str, object]:
    """Train two epochs; the second one counts."""
    warnings.simplefilter("ignore")
    images = source(kind, count, size, folder)
    before = _peak()
    torch.manual_seed(0)
    network = ConvStack(1, 1, 1)
    weights = folder / "weights.pt"
    torch.save(network.state_dict(), weights)
    clock = Clock(weights)
    batch_size = max(1, 100 * 32**2 // size**2)
    data = ImageDataModule(images, MeanGrey(), batch_size=batch_size, eval_batch_size=batch_size)
    start = time.perf_counter()
    trainer = Trainer(
        accelerator="cpu", max_epochs=2, callbacks=[clock], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(ColourRegression(network), data)
    whole = clock.epochs[-1].whole
    megabytes = count * 3 * size**2 / 1e6
    return {
        "from": kind,
        "commit": commit(Path(imgcolor.__file__).parent),
        "hardware": hardware(),
        "images": count,
        "size": size,
        "batch_size": batch_size,
        "epoch_s": round(whole, 3),
        "us_an_image": round(whole / count * 1e6, 2),
        "ns_a_pixel": round(whole / count / size**2 * 1e9, 2),
        "set_mb": round(megabytes, 1),
        "beside_mb": round(_peak() - before - megabytes, 1),
        "all_s": round(time.perf_counter() - start, 2),
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--most", type=int, default=1_000_000, help="the largest number of images")
    parser.add_argument("--output", type=Path, default=RESULTS / "scale.csv")
    parser.add_argument("--one", nargs=3, help="kind, images and size of one case, for a process of its own")
    options = parser.parse_args()
    if options.one:
        kind, *numbers = options.one
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(kind, *map(int, numbers), Path(folder))))
        return
    cases = [("memory", count, 32) for count in (1000, 10_000, 100_000, 1_000_000) if count <= options.most]
    cases += [("memory", PIXELS // size**2, size) for size in (32, 64, 128, 256, 512)]
    cases += [("files", FILES, 32), ("disk", FILES, 32)]
    rows = []
    for case in cases:
        command = [sys.executable, __file__, "--one", *map(str, case)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
        write_rows(options.output, rows)


if __name__ == "__main__":
    main()

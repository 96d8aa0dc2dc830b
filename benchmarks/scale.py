"""How do time and memory of an epoch grow with number and size of images?

    python benchmarks/scale.py [--most 1000000]

The network is one 1×1 convolution, so that loading images and computing metrics take most of the time. Each
case has a process of its own. ``set_mb`` is the size of the images in memory; ``other_mb`` is the peak of the
process minus that and minus the peak after the imports. The last two cases read PNG files: once into memory,
and once, with a memory limit of 0, into a memory-mapped file, whose pages count as memory while the system
keeps them.
"""

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

from common.clock import Clock
from common.results import Row, origin, parser
from imgcolor.data import FolderSource, ImageDataModule, MeanGrey
from imgcolor.data.sources import ImageSet, ImageSource, Split
from imgcolor.networks import ConvStack
from imgcolor.tasks import ColourRegression
from imgcolor.utils.files import write_rows

PIXELS = 2 * 10**7
"""Total number of pixels in the cases of other sizes."""
FILES = 20_000
"""Number of files in the cases that read files."""


class RandomSource:
    """Random training images, and ten random validation images.

    Args:
        count: Number of training images.
        size: Height and width.
    """

    def __init__(self, count: int, size: int) -> None:
        self.count = count
        self.size = size

    def load(self, split: Split) -> ImageSet:
        """Return the images of a split."""
        count = self.count if split == "train" else 10
        pixels = torch.randint(0, 256, (count, 3, self.size, self.size), dtype=torch.uint8)
        return ImageSet(pixels, ("",) * count)


def source(kind: str, count: int, size: int, folder: Path) -> ImageSource:
    """Return random images: in ``memory``, or read from ``files`` into memory or to a file on ``disk``."""
    images = RandomSource(count, size)
    if kind == "memory":
        return images
    splits: tuple[Split, ...] = ("train", "val")
    for split in splits:
        (folder / split).mkdir()
        for number in range(count if split == "train" else 10):  # one at a time, to keep the peak low
            pixels = torch.randint(0, 256, (size, size, 3), dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(folder / split / f"{number:07}.png")
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    return FolderSource(folder, size, memory_limit=0 if kind == "disk" else None)


def measure(kind: str, count: int, size: int, folder: Path) -> Row:
    """Train two epochs, and measure the second one."""
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
    seconds = clock.epochs[-1].epoch
    megabytes = count * 3 * size**2 / 1e6
    return {
        "from": kind,
        **origin(),
        "images": count,
        "size": size,
        "batch_size": batch_size,
        "epoch_s": round(seconds, 3),
        "us_per_image": round(seconds / count * 1e6, 2),
        "ns_per_pixel": round(seconds / count / size**2 * 1e9, 2),
        "set_mb": round(megabytes, 1),
        "other_mb": round(_peak() - before - megabytes, 1),
        "total_s": round(time.perf_counter() - start, 2),
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    options = parser(__doc__, "scale.csv")
    options.add_argument("--most", type=int, default=1_000_000, help="the largest number of images")
    options.add_argument("--one", nargs=3, help="measure one case in this process: kind, images and size")
    arguments = options.parse_args()
    if arguments.one:
        kind, *numbers = arguments.one
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(kind, *map(int, numbers), Path(folder))))
        return
    cases = [("memory", count, 32) for count in (1000, 10_000, 100_000, 1_000_000) if count <= arguments.most]
    cases += [("memory", PIXELS // size**2, size) for size in (32, 64, 128, 256, 512)]
    cases += [("files", FILES, 32), ("disk", FILES, 32)]
    rows = []
    for case in cases:
        command = [sys.executable, __file__, "--one", *map(str, case)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
        write_rows(arguments.output, rows)


if __name__ == "__main__":
    main()

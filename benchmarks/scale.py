"""How do time and memory of an epoch grow with number and size of images?

    python benchmarks/scale.py [--most 1000000] [--files 20000]

The network is one 1×1 convolution, so that loading images and computing metrics take most of the time. Each
case has a process of its own. ``set_mb`` is the size of the images in memory; ``other_mb`` is the peak of the
process minus that and minus the peak after the imports. The last three cases read PNG files: into memory, with a
memory limit of 0 into a memory-mapped file, whose pages count as memory while the system keeps them, and the same in
two processes (DDP) with half the batch size each. ``own_mb`` is the memory at the end that a process does not share,
the largest of all processes, and ``cache_files`` is the number of memory-mapped files.
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

import psutil
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
FROM_FILES = ("files", "disk", "ddp")
"""The cases that read files."""


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
    """Return random images: in ``memory``, or those of a folder, in memory (``files``) or in a file on the disk."""
    if kind == "memory":
        return RandomSource(count, size)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    return FolderSource(folder, size, memory_limit=None if kind == "files" else 0)


def write_files(count: int, size: int, folder: Path) -> None:
    """Write random images as PNG files."""
    splits: tuple[Split, ...] = ("train", "val")
    for split in splits:
        (folder / split).mkdir()
        for number in range(count if split == "train" else 10):
            pixels = torch.randint(0, 256, (size, size, 3), dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(folder / split / f"{number:07}.png")


def measure(kind: str, count: int, size: int, folder: Path) -> Row:
    """Train two epochs, and measure the second one."""
    warnings.simplefilter("ignore")
    images = source(kind, count, size, folder)
    before = _peak()
    torch.manual_seed(0)
    network = ConvStack(1, 1, 1)
    weights = folder / f"weights{os.environ.get('LOCAL_RANK', 0)}.pt"
    torch.save(network.state_dict(), weights)
    clock = Clock(weights)
    processes = 2 if kind == "ddp" else 1
    batch_size = max(1, 100 * 32**2 // size**2) // processes
    data = ImageDataModule(images, MeanGrey(), batch_size=batch_size, eval_batch_size=batch_size)
    start = time.perf_counter()
    trainer = Trainer(
        accelerator="cpu", devices=processes, strategy="ddp" if kind == "ddp" else "auto", max_epochs=2,
        callbacks=[clock], logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(ColourRegression(network), data)
    seconds = clock.epochs[-1].epoch
    own = torch.tensor(psutil.Process().memory_full_info().uss / 1e6)
    own = trainer.strategy.reduce(own, reduce_op="max") if processes > 1 else own
    megabytes = count * 3 * size**2 / 1e6
    return {
        "from": kind,
        **origin(),
        "images": count,
        "size": size,
        "batch_size": batch_size,
        "processes": processes,
        "epoch_s": round(seconds, 3),
        "us_per_image": round(seconds / count * 1e6, 2),
        "ns_per_pixel": round(seconds / count / size**2 * 1e9, 2),
        "set_mb": round(megabytes, 1),
        "other_mb": round(_peak() - before - megabytes, 1),
        "own_mb": round(float(own), 1),
        "cache_files": len(list(folder.glob("cache/imgcolor/*.uint8"))),
        "total_s": round(time.perf_counter() - start, 2),
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    options = parser(__doc__, "scale.csv")
    options.add_argument("--most", type=int, default=1_000_000, help="the largest number of images")
    options.add_argument(
        "--files", type=int, default=20_000, help="number of images in the cases that read files"
    )
    options.add_argument(
        "--only", nargs="*", default=[], help="the cases to measure: memory, files, disk, ddp"
    )
    options.add_argument(
        "--one", nargs=4, help="measure one case in this process: kind, images, size, folder"
    )
    arguments = options.parse_args()
    if arguments.one:
        kind, count, size, folder = arguments.one
        row = measure(kind, int(count), int(size), Path(folder))
        if os.environ.get("LOCAL_RANK", "0") == "0":
            print(json.dumps(row))
        return
    cases = [("memory", count, 32) for count in (1000, 10_000, 100_000, 1_000_000) if count <= arguments.most]
    cases += [("memory", PIXELS // size**2, size) for size in (32, 64, 128, 256, 512)]
    cases += [(kind, arguments.files, 32) for kind in FROM_FILES]
    rows = []
    for kind, count, size in cases:
        if arguments.only and kind not in arguments.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            if kind in FROM_FILES:
                write_files(count, size, Path(folder))
            command = [sys.executable, __file__, "--one", kind, str(count), str(size), folder]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
        write_rows(arguments.output, rows)


if __name__ == "__main__":
    main()

"""Seconds an epoch: imgcolor, the loops that people use now, and the network alone.

    python benchmarks/training.py [--epochs 3] [--images 5000] [--only NAME ...]

Every way trains the same network on the same images in the same order, each in a process of its own, so that none
changes how another finds memory and threads. They take turns, some steps each, so that a machine that is slow for
a while is so for all of them. The first epoch is not counted. The figures are ratios to the network alone within
an epoch, and their spread over the epochs. All ways start from the same weights and have to reach the same loss in
every epoch. Images are drawn, sizes are the courses'.
"""

import argparse
import contextlib
import io
import math
import os
import statistics
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as TF
from lightning.pytorch import LightningModule, Trainer
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

import imgcolor
from clock import Clock, Timing
from imgcolor.cli.main import main as imgcolor_main
from imgcolor.cli.runtime import keep_freed_memory
from imgcolor.colour import Palette
from imgcolor.data import FaceColourizationDataModule, HorseColourizationDataModule
from imgcolor.networks import ColourCNN, ColourUNet, ConvStack, RegressionCNN, ResidualUNet
from imgcolor.utils.files import read_rows, write_rows
from imgcolor.utils.precision import has_fast_bfloat16
from imgcolor.utils.provenance import commit, hardware
from plain_networks import PlainCNN, PlainStack, PlainUNet
from turns import Turn, by_turns, wait_for_gpu

RESULTS = Path(__file__).parent / "results"
EXPERIMENTS = Path(__file__).parents[1] / "experiments"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""Where all ways train: the GPU, if there is one, as Lightning chooses too."""
BF16 = has_fast_bfloat16(DEVICE)
"""Whether the best experiments' precision is worth it here."""
TURNS = 10
"""How often in an epoch a way takes its turn."""


@dataclass
class Case:
    """A network, its loss, and how its images come."""

    name: str
    network: Callable[[], nn.Module]
    plain: Callable[[], nn.Module]
    """The same as one writes it without imgcolor."""
    experiment: str
    options: list[str]
    batch_size: int
    loss: str = "mse"  # of [0, 1]; signed: of [-1, 1]; classes: cross-entropy of 24 colours
    bf16: bool = False

    @property
    def faces(self) -> bool:
        return self.loss == "signed"

    def compare(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target) if self.loss == "classes" else F.mse_loss(output, target)

    def compare_fast(self, output: Tensor, target: Tensor) -> Tensor:
        """The same, in the order in which torch is fastest where channels are last in memory."""
        if self.loss == "classes":
            return F.cross_entropy(output.movedim(1, -1).flatten(0, 2), target.flatten())
        return F.mse_loss(output, target)


def best_network() -> nn.Module:
    """That of the best regression, without dropout."""
    return ResidualUNet(3, [32, 64, 96, 128], luminance="mean")


CASES = [
    Case("RegressionCNN, batch 100", RegressionCNN, lambda: PlainCNN(3), "horses/regression_cnn.yaml", [], 100),
    Case("ColourCNN, batch 100", ColourCNN, lambda: PlainCNN(24), "horses/colour_cnn.yaml", [], 100, "classes"),
    Case("ColourUNet, batch 100", ColourUNet, PlainUNet, "horses/colour_unet.yaml", [], 100, "classes"),
    Case("ColourUNet, batch 10", ColourUNet, PlainUNet, "horses/colour_unet.yaml", [], 10, "classes"),
    Case(
        "ConvStack, batch 16", lambda: ConvStack(2, 16, 5, tanh=True), PlainStack, "faces/conv_stack.yaml", [],
        16, "signed",
    ),
    Case(
        f"ResidualUNet, batch 50{', bf16' if BF16 else ''}",
        best_network,
        best_network,  # the courses have none
        "horses/best_regression.yaml",
        ["--model.network.dropout=0", "--data.augmentation=null",
         "--trainer.callbacks=[]", "--model.lr_scheduler=null", "--model.optimizer=Adam",
         "--model.optimizer.weight_decay=0", "--model.flip_tta=false",
         f"--trainer.precision={'bf16-mixed' if BF16 else '32-true'}"],
        50,
        bf16=BF16,
    ),
]  # fmt: skip


class Bench:
    """One case: its images on disk and in memory, its first weights, and every way to train it."""

    def __init__(self, case: Case, folder: Path, turn: Turn | None = None, epochs: int = 1) -> None:
        self.case = case
        self.folder = folder
        self.turn = turn or Turn()
        self.epochs = 1 + epochs
        self.pixels = {split: np.load(folder / f"{split}.npy") for split in ("train", "val")}
        self.palette = Palette.load(folder / "palette.json")

    @classmethod
    def drawn(cls, case: Case, images: int, folder: Path) -> "Bench":
        torch.manual_seed(0)
        torch.save(case.network().state_dict(), folder / "weights.pt")
        count = {"train_images": images, "val_images": images // 5}
        data = FaceColourizationDataModule(**count) if case.faces else HorseColourizationDataModule(**count)
        for split in ("train", "val"):
            pixels = data.images(split).pixels
            np.save(folder / f"{split}.npy", pixels.numpy())
            for number, image in enumerate(pixels.permute(0, 2, 3, 1).numpy()):
                path = folder / split / "all" / f"{number:06}.{'jpg' if case.faces else 'png'}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path)
        Palette.from_images(data.images("train").pixels[:500]).save(folder / "palette.json")
        return cls(case, folder)

    def network(self, plain: bool = True) -> nn.Module:
        network = self.case.plain() if plain else self.case.network()
        network.load_state_dict(torch.load(self.folder / "weights.pt"))
        return network.to(DEVICE)

    def optimizer(self, network: nn.Module, fused: bool | None = None) -> torch.optim.Optimizer:
        if self.case.faces:
            return torch.optim.SGD(network.parameters(), lr=0.1, fused=fused)
        return torch.optim.Adam(network.parameters(), lr=0.001, fused=fused)

    # (e) forward, backward and optimizer step on a batch that is there, with all that makes them faster
    def bare(self) -> list[Timing]:
        keep_freed_memory()
        network = self.network(plain=False).to(memory_format=torch.channels_last)
        optimizer = self.optimizer(network, fused=True)
        originals = torch.from_numpy(self.pixels["train"][: self.case.batch_size]).float() / 255
        target = self.palette.encode(originals) if self.case.loss == "classes" else originals
        grey, target = originals.mean(1, keepdim=True).to(DEVICE), target.to(DEVICE)
        steps = -(-len(self.pixels["train"]) // self.case.batch_size)

        def step() -> None:
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=self.case.bf16):
                loss = self.case.compare_fast(network(grey), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        timings = []
        for _ in range(self.epochs):
            start = self.turn.now()
            for _ in range(steps):
                step()
                self.turn.step()
            wait_for_gpu()
            seconds = self.turn.now() - start
            timings.append(Timing(seconds, seconds, float("nan")))
        return timings[1:]

    # (d)
    def imgcolor(self) -> list[Timing]:
        options = [
            "fit", "--config", str(EXPERIMENTS / self.case.experiment), "--data.source=folder",
            f"--data.root={self.folder}", f"--data.batch_size={self.case.batch_size}", "--data.shuffle=false",
            f"--trainer.max_epochs={self.epochs}", "--trainer.devices=1",
            f"--trainer.logger.init_args.save_dir={self.folder / 'logs'}",
        ]  # fmt: skip
        if self.case.loss == "classes":
            options.append(f"--model.palette={self.folder / 'palette.json'}")
        options += self.case.options
        clock = [
            "--trainer.callbacks+=clock.Clock",
            f"--trainer.callbacks.weights={self.folder / 'weights.pt'}",
        ]
        Clock.turn = self.turn
        with quiet():
            status = imgcolor_main([*options, *clock])
        if status:
            raise SystemExit(f"imgcolor {' '.join(options)}: exit status {status}")
        return Clock.last.epochs

    # (c) a LightningModule as one writes it, torchvision's data set, a DataLoader with workers
    def plain_lightning(self) -> list[Timing]:
        train, val = (
            DataLoader(
                ImageFolder(self.folder / split, transform=TF.to_tensor),
                self.case.batch_size,
                num_workers=len(os.sched_getaffinity(0)),
                persistent_workers=True,
            )
            for split in ("train", "val")
        )
        Clock.turn = self.turn
        clock = Clock(self.folder / "weights.pt")
        with quiet():
            trainer = Trainer(
                devices=1,
                max_epochs=self.epochs,
                callbacks=[clock],
                default_root_dir=self.folder,
                precision="bf16-mixed" if self.case.bf16 else "32-true",
            )
            trainer.fit(PlainModule(self), train, val)
        return clock.epochs

    # (a) the course's loop: NumPy arrays in batches, made into tensors, .item() every step
    def course_loop(self, plot: bool = False) -> list[Timing]:
        greys, targets = {}, {}
        for split, pixels in self.pixels.items():
            images = pixels.astype("float32") / 255
            greys[split] = images.mean(axis=1, keepdims=True)
            encode = self.case.loss == "classes"
            targets[split] = self.palette.encode(torch.from_numpy(images)).numpy() if encode else images
        network, history, timings = self.network(), [], []
        optimizer = self.optimizer(network)
        for _ in range(self.epochs):
            start = self.turn.now()
            network.train()
            losses = []
            for x, y in self._course_batches(greys["train"], targets["train"]):
                optimizer.zero_grad()
                loss = self.case.compare(network(x), y)
                loss.backward()
                optimizer.step()
                losses.append(loss.data.item())
                self.turn.step()
            steps = self.turn.now() - start
            network.eval()
            with torch.no_grad():
                batches = self._course_batches(greys["val"], targets["val"])
                validated = [self.case.compare(network(x), y).item() for x, y in batches]
            history.append((np.mean(losses), np.mean(validated)))
            if plot:
                self._plot(greys["val"][:16], history, network)
            timings.append(Timing(steps, self.turn.now() - start, float(np.mean(losses))))
        return timings[1:]

    def _course_batches(self, greys: np.ndarray, targets: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(greys), self.case.batch_size):
            part = slice(start, start + self.case.batch_size)
            x, y = (torch.from_numpy(arrays[part]).contiguous() for arrays in (greys, targets))
            yield x.to(DEVICE), y.to(DEVICE)

    def _plot(self, greys: np.ndarray, history: list[tuple[float, float]], network: nn.Module) -> None:
        import matplotlib

        matplotlib.use("agg")
        from matplotlib import pyplot

        with torch.no_grad():
            output = network(torch.from_numpy(greys).to(DEVICE)).cpu()
        if self.case.loss == "classes":
            output = self.palette.lookup(output.argmax(1))
        images = np.concatenate(output.clamp(0, 1).permute(0, 2, 3, 1).numpy(), axis=1)
        pyplot.figure(figsize=(15, 3))
        pyplot.imshow(images)
        pyplot.savefig(self.folder / "images.png")
        pyplot.figure()
        pyplot.plot(history)
        pyplot.savefig(self.folder / "curve.png")
        pyplot.close("all")

    def course_loop_with_plots(self) -> list[Timing]:
        return self.course_loop(plot=True)

    # (b) the homework's loop: every image decoded and made a tensor at every epoch
    def homework_loop(self) -> list[Timing]:
        def pair(image: Image.Image) -> tuple[Tensor, Tensor]:
            return TF.to_tensor(TF.to_grayscale(image)) * 2 - 1, TF.to_tensor(image) * 2 - 1

        loaders = {
            split: DataLoader(
                ImageFolder(self.folder / split, transform=pair), self.case.batch_size, num_workers=0
            )
            for split in ("train", "val")
        }
        network, timings = self.network(), []
        optimizer = self.optimizer(network)
        for _ in range(self.epochs):
            start = self.turn.now()
            total = 0.0
            for (x, y), _ in loaders["train"]:
                optimizer.zero_grad()
                loss = self.case.compare(network(x.to(DEVICE)), y.to(DEVICE))
                loss.backward()
                optimizer.step()
                total += loss.item() * len(x)
                self.turn.step()
            steps = self.turn.now() - start
            with torch.no_grad():
                for (x, y), _ in loaders["val"]:
                    self.case.compare(network(x.to(DEVICE)), y.to(DEVICE)).item()
            timings.append(Timing(steps, self.turn.now() - start, total / len(self.pixels["train"])))
        return timings[1:]

    def ways(self) -> dict[str, Callable[[], list[Timing]]]:
        ways = {
            "network alone": self.bare,
            "imgcolor fit": self.imgcolor,
            "plain Lightning": self.plain_lightning,
        }
        if self.case.faces:
            return {**ways, "homework's loop": self.homework_loop}
        if self.case.bf16:  # no course had it
            return ways
        return {**ways, "course's loop": self.course_loop, "with its plots": self.course_loop_with_plots}


class PlainModule(LightningModule):
    """What one writes without imgcolor."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.network = bench.network()
        self.bench = bench
        self.palette = bench.palette

    def _loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, _ = batch
        if self.bench.case.faces:
            weights = images.new_tensor([0.299, 0.587, 0.114])[:, None, None]
            return self.bench.case.compare(
                self.network((images * weights).sum(1, keepdim=True) * 2 - 1), images * 2 - 1
            )
        target = self.palette.encode(images) if self.bench.case.loss == "classes" else images
        return self.bench.case.compare(self.network(images.mean(1, keepdim=True)), target)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = self._loss(batch)
        self.log("train/loss", loss, on_epoch=True, on_step=False, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.log("val/loss", self._loss(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.bench.optimizer(self.network)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def case_named(name: str) -> Case:
    """What goes to another process by its name alone."""
    (case,) = (case for case in CASES if case.name == name)
    return case


def train(turn: Turn, name: str, folder: Path, way: str, epochs: int) -> list[Timing]:
    """Train in one way, in a process of its own."""
    if way not in ("imgcolor fit", "plain Lightning"):
        # This file's import of Lightning has torch's optimizers look for NVIDIA's driver at every step.
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    return Bench(case_named(name), folder, turn, epochs).ways()[way]()


def measure(case: Case, epochs: int, images: int) -> list[dict[str, object]]:
    """Train one case in every way."""
    version = commit(Path(imgcolor.__file__).parent)
    steps = -(-images // case.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        ways = Bench.drawn(case, images, Path(folder)).ways()
        programs = {way: (train, (case.name, Path(folder), way, epochs)) for way in ways}
        timings: dict[str, list[Timing]] = by_turns(programs, max(1, steps // TURNS))
    rows: list[dict[str, object]] = []
    for number in range(epochs):
        losses = []
        for way in ways:
            timing = timings[way][number]
            if way != "network alone":  # it sees one batch
                losses.append(timing.loss)
            seconds = f"{timing.steps:8.2f} s in steps {timing.whole:8.2f} s an epoch"
            print(f"{case.name:30} epoch {number}  {way:16} {seconds}, loss {timing.loss:.5f}", flush=True)
            rows.append(
                {
                    "case": case.name,
                    "way": way,
                    "epoch": number,
                    "commit": version,
                    "hardware": hardware(),
                    "torch": torch.__version__,
                    "images": images,
                    "ms_a_step": round(timing.steps / steps * 1000, 3),
                    "steps_s": round(timing.steps, 3),
                    "epoch_s": round(timing.whole, 3),
                    "loss": round(timing.loss, 6),
                }
            )
        if not max(losses) <= 1.02 * min(losses) or any(map(math.isnan, losses)):
            raise SystemExit(f"{case.name}: expected one loss, found {min(losses)} to {max(losses)}")
    return rows


def page(rows: list[dict[str, object]]) -> str:
    """The results as Markdown: ratios within an epoch, median and range over the epochs."""
    lines = ["| network | way | ms a step | steps: × the network alone | an epoch: × the network alone | "
             "an epoch: × imgcolor's |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for case in dict.fromkeys(str(row["case"]) for row in rows):
        seconds = {
            (row["way"], metric, row["epoch"]): float(str(row[metric]))
            for row in rows
            if row["case"] == case
            for metric in ("ms_a_step", "steps_s", "epoch_s")
        }
        epochs = list(dict.fromkeys(epoch for _, _, epoch in seconds))
        for way in dict.fromkeys(way for way, _, _ in seconds):
            cells = [case, str(way), f"{statistics.median(seconds[way, 'ms_a_step', e] for e in epochs):.1f}"]
            for metric, limit in (
                ("steps_s", "network alone"), ("epoch_s", "network alone"), ("epoch_s", "imgcolor fit")
            ):  # fmt: skip
                ratios = [seconds[way, metric, e] / seconds[limit, metric, e] for e in epochs]
                cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def origins(rows: list[dict[str, object]]) -> str:
    """Where rows come from, which can be several runs."""
    found = dict.fromkeys((str(row["commit"]), str(row["hardware"]), str(row["torch"])) for row in rows)
    return "; ".join(f"commit {version}, {machine}, torch {torch}" for version, machine, torch in found)


def measure_cases(
    description: str | None,
    output: Path,
    measure: Callable[[Case, int, int], list[dict[str, object]]],
) -> tuple[list[dict[str, object]], Path]:
    """Measure the cases that the command line names; rows, of earlier runs too, and the file that has them."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=3, help="that are counted, after one that is not")
    parser.add_argument(
        "--images", type=int, default=5000, help="training images; a fifth as many for validation"
    )
    parser.add_argument("--only", nargs="*", default=[], help="parts of the names of cases")
    parser.add_argument("--output", type=Path, default=output)
    options = parser.parse_args()
    # Of the cases that are left out, the figures of an earlier run stay.
    rows: list[dict[str, object]] = list(read_rows(options.output)) if options.output.exists() else []
    for case in CASES:
        if not options.only or any(part in case.name for part in options.only):
            rows = [row for row in rows if row["case"] != case.name]
            rows += measure(case, options.epochs, options.images)
            write_rows(options.output, rows)
    return rows, options.output


def main() -> None:
    rows, output = measure_cases(__doc__, RESULTS / "training.csv", measure)
    text = f"{origins(rows)}: median (range) over epochs\n\n{page(rows)}\n"
    output.with_suffix(".md").write_text(text)
    print(f"\n{text}")


if __name__ == "__main__":
    main()

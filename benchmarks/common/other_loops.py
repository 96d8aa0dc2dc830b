"""Loops that are compared with imgcolor; each returns the timings of all epochs but the first."""

import os
from collections.abc import Iterator

import numpy as np
import torch
import torchvision.transforms.functional as TF
from lightning.pytorch import LightningModule, Trainer
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from common.cases import DEVICE
from common.clock import Clock, Timing
from common.setup import Setup, without_output
from imgcolor.cli.runtime import keep_freed_memory


def lightning_alone(setup: Setup) -> list[Timing]:
    """Do the work of the network alone in a LightningModule without data loading, metrics, files or other callbacks."""
    keep_freed_memory()
    Clock.turn = setup.turn
    clock = Clock(setup.folder / "weights.pt")
    steps = -(-len(setup.pixels["train"]) // setup.case.batch_size)
    with without_output():
        trainer = Trainer(
            devices=1,
            max_epochs=setup.epochs,
            callbacks=[clock],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            precision="bf16-mixed" if setup.case.bf16 else "32-true",
        )
        train, val = (
            DataLoader(batches, batch_size=None)  # type: ignore[arg-type]  # a list is enough
            for batches in ([setup.training_batch] * steps, setup.validation_batches)
        )
        trainer.fit(_NetworkModule(setup), train, val)
    return clock.epochs


class _NetworkModule(LightningModule):
    """A network, its loss and its optimizer."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.network = setup.network(setup.case.network).to(memory_format=torch.channels_last)
        self.case_setup = setup

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        grey, target = batch
        return self.case_setup.case.compare_fast(self.network(grey), target)

    def validation_step(self, grey: Tensor, batch_idx: int) -> None:
        self.network(grey)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.case_setup.optimizer(self.network, fused=True)


def plain_lightning(setup: Setup) -> list[Timing]:
    """Train a simple LightningModule on torchvision's ImageFolder with worker processes."""
    train, val = (
        DataLoader(
            ImageFolder(setup.folder / split, transform=TF.to_tensor),
            setup.case.batch_size,
            num_workers=len(os.sched_getaffinity(0)),
            persistent_workers=True,
        )
        for split in ("train", "val")
    )
    Clock.turn = setup.turn
    clock = Clock(setup.folder / "weights.pt")
    with without_output():
        trainer = Trainer(
            devices=1,
            max_epochs=setup.epochs,
            callbacks=[clock],
            default_root_dir=setup.folder,
            precision="bf16-mixed" if setup.case.bf16 else "32-true",
        )
        trainer.fit(_PlainModule(setup), train, val)
    return clock.epochs


class _PlainModule(LightningModule):
    """A simple LightningModule, as one would write it without imgcolor."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.network = setup.network(setup.case.plain)
        self.case_setup = setup

    def _loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, _ = batch
        case = self.case_setup.case
        if case.faces:
            weights = images.new_tensor([0.299, 0.587, 0.114])[:, None, None]
            return case.compare(self.network((images * weights).sum(1, keepdim=True) * 2 - 1), images * 2 - 1)
        target = self.case_setup.palette.encode(images) if case.loss == "classes" else images
        return case.compare(self.network(images.mean(1, keepdim=True)), target)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = self._loss(batch)
        self.log("train/loss", loss, on_epoch=True, on_step=False, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.log("val/loss", self._loss(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.case_setup.optimizer(self.network)


def course_loop(setup: Setup, plots: bool = False) -> list[Timing]:
    """Train as the course's notebook does: batches of NumPy arrays, .item() in each step."""
    greys, targets = {}, {}
    for split, pixels in setup.pixels.items():
        images = pixels.astype("float32") / 255
        greys[split] = images.mean(axis=1, keepdims=True)
        encode = setup.case.loss == "classes"
        targets[split] = setup.palette.encode(torch.from_numpy(images)).numpy() if encode else images
    network, history, timings = setup.network(setup.case.plain), [], []
    optimizer = setup.optimizer(network)
    for _ in range(setup.epochs):
        start = setup.turn.now()
        network.train()
        losses = []
        for x, y in _course_batches(setup, greys["train"], targets["train"]):
            optimizer.zero_grad()
            loss = setup.case.compare(network(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.data.item())
            setup.turn.step()
        steps = setup.turn.now() - start
        network.eval()
        with torch.no_grad():
            batches = _course_batches(setup, greys["val"], targets["val"])
            val_losses = [setup.case.compare(network(x), y).item() for x, y in batches]
        history.append((np.mean(losses), np.mean(val_losses)))
        if plots:
            _plot(setup, greys["val"][:16], history, network)
        timings.append(Timing(steps, setup.turn.now() - start, float(np.mean(losses))))
    return timings[1:]


def _course_batches(setup: Setup, greys: np.ndarray, targets: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(greys), setup.case.batch_size):
        part = slice(start, start + setup.case.batch_size)
        x, y = (torch.from_numpy(arrays[part]).contiguous() for arrays in (greys, targets))
        yield x.to(DEVICE), y.to(DEVICE)


def _plot(setup: Setup, greys: np.ndarray, history: list[tuple[float, float]], network: nn.Module) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    with torch.no_grad():
        output = network(torch.from_numpy(greys).to(DEVICE)).cpu()
    if setup.case.loss == "classes":
        output = setup.palette.lookup(output.argmax(1))
    images = np.concatenate(output.clamp(0, 1).permute(0, 2, 3, 1).numpy(), axis=1)
    pyplot.figure(figsize=(15, 3))
    pyplot.imshow(images)
    pyplot.savefig(setup.folder / "images.png")
    pyplot.figure()
    pyplot.plot(history)
    pyplot.savefig(setup.folder / "curve.png")
    pyplot.close("all")


def homework_loop(setup: Setup) -> list[Timing]:
    """Train as the homework does: each image is decoded and converted in each epoch."""

    def pair(image: Image.Image) -> tuple[Tensor, Tensor]:
        return TF.to_tensor(TF.to_grayscale(image)) * 2 - 1, TF.to_tensor(image) * 2 - 1

    train, val = (
        DataLoader(ImageFolder(setup.folder / split, transform=pair), setup.case.batch_size, num_workers=0)
        for split in ("train", "val")
    )
    network, timings = setup.network(setup.case.plain), []
    optimizer = setup.optimizer(network)
    for _ in range(setup.epochs):
        start = setup.turn.now()
        total = 0.0
        for (x, y), _ in train:
            optimizer.zero_grad()
            loss = setup.case.compare(network(x.to(DEVICE)), y.to(DEVICE))
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
            setup.turn.step()
        steps = setup.turn.now() - start
        with torch.no_grad():
            for (x, y), _ in val:
                setup.case.compare(network(x.to(DEVICE)), y.to(DEVICE)).item()
        timings.append(Timing(steps, setup.turn.now() - start, total / len(setup.pixels["train"])))
    return timings[1:]

"""The methods of training that are compared; each returns the timings of all epochs but the first."""

import os
from collections.abc import Callable
from pathlib import Path

import torch

from common.cases import DEVICE, Case, case_named
from common.clock import Clock, Timing
from common.other_loops import course_loop, homework_loop, lightning_alone, plain_lightning
from common.setup import Setup, without_output
from common.turns import Turn, wait_for_gpu
from imgcolor.cli.main import main as imgcolor_main
from imgcolor.cli.runtime import keep_freed_memory

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
NETWORK_ALONE, LIGHTNING_ALONE, IMGCOLOR = "network alone", "Lightning alone", "imgcolor fit"


def network_alone(setup: Setup) -> list[Timing]:
    """Train on one batch, and run the network on the validation images; all are in memory."""
    keep_freed_memory()
    network = setup.network(setup.case.network).to(memory_format=torch.channels_last)
    optimizer = setup.optimizer(network, fused=True)
    grey, target = setup.training_batch
    timings = []
    for _ in range(setup.epochs):
        start = setup.turn.now()
        network.train()
        for _ in range(0, len(setup.pixels["train"]), setup.case.batch_size):
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=setup.case.bf16):
                loss = setup.case.compare_fast(network(grey), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            setup.turn.step()
        wait_for_gpu()
        steps = setup.turn.now() - start
        network.eval()
        with torch.inference_mode(), torch.autocast(DEVICE.type, torch.bfloat16, enabled=setup.case.bf16):
            for images in setup.validation_batches:
                network(images)
        wait_for_gpu()
        timings.append(Timing(steps, setup.turn.now() - start, float("nan")))
    return timings[1:]


def imgcolor_fit(setup: Setup, *options: str) -> list[Timing]:
    """Run `imgcolor fit`, with more options if there are any."""
    command = [
        "fit", "--config", str(EXPERIMENTS / setup.case.experiment), "--data.source=folder",
        f"--data.root={setup.folder}", f"--data.batch_size={setup.case.batch_size}", "--data.shuffle=false",
        f"--trainer.max_epochs={setup.epochs}", "--trainer.devices=1",
        f"--trainer.logger.init_args.save_dir={setup.folder / 'logs'}", *setup.case.options, *options,
    ]  # fmt: skip
    if setup.case.loss == "classes":
        command.append(f"--model.palette={setup.folder / 'palette.json'}")
    weights = setup.folder / "weights.pt"
    command += ["--trainer.callbacks+=common.clock.Clock", f"--trainer.callbacks.weights={weights}"]
    Clock.turn = setup.turn
    with without_output():
        status = imgcolor_main(command)
    if status:
        raise SystemExit(f"imgcolor {' '.join(command)}: exit status {status}")
    return Clock.last.epochs


def methods(case: Case) -> dict[str, Callable[[Setup], list[Timing]]]:
    """Return the methods that a case is trained with, by name."""
    found = {
        NETWORK_ALONE: network_alone,
        LIGHTNING_ALONE: lightning_alone,
        IMGCOLOR: imgcolor_fit,
        "plain Lightning": plain_lightning,
    }
    if case.faces:
        return {**found, "homework's loop": homework_loop}
    if case.bf16:  # the courses train in float32
        return found
    return {
        **found,
        "course's loop": course_loop,
        "with plots": lambda setup: course_loop(setup, plots=True),
    }


def train(turn: Turn, name: str, folder: Path, method: str, epochs: int) -> list[Timing]:
    """Train a case with a method, in a process of its own."""
    if method not in (IMGCOLOR, LIGHTNING_ALONE, "plain Lightning"):
        # Importing Lightning sets this. torch's optimizers would then search for NVIDIA's driver in each
        # step.
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    case = case_named(name)
    return methods(case)[method](Setup(case, folder, turn, epochs))

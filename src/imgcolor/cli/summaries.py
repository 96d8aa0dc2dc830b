"""What fit, validate, test and predict print at their end."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from rich.console import Console

from imgcolor.callbacks import ImageLogger, PredictionWriter
from imgcolor.callbacks.finding import find_callback
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.cli.result_tables import result_table


def summarize_fit(trainer: Trainer, *, held_out: bool) -> None:
    """Print the final metrics of a fit and where its files are.

    Args:
        trainer: The trainer after the fit.
        held_out: Whether the validation images are held-out training images.
    """
    folder = Path(trainer.log_dir or ".")
    images = find_callback(trainer, ImageLogger)
    metrics = _final_metrics(folder)
    title = f"{trainer.current_epoch} epochs"
    if held_out:
        title += " (val: held-out training images)"
    if "chosen_epoch" in metrics:
        title += f", stopped; the weights are those of epoch {metrics['chosen_epoch']}"
    last = folder / "checkpoints" / "last.ckpt"
    places = {
        "run folder": folder,
        "images": images.latest if images else None,
        "checkpoint": last if last.exists() else None,
        "TensorBoard": f"{_program('tensorboard')} --logdir {folder.parent}",
    }
    _print_summary(trainer, title, places, metrics)


def summarize_metrics(trainer: Trainer, title: str) -> None:
    """Print the metrics of ``validate`` or ``test`` and where their files are."""
    folder = Path(trainer.log_dir or ".")
    _print_summary(trainer, title, {"run folder": folder}, _final_metrics(folder))


def summarize_predictions(trainer: Trainer) -> None:
    """Print how many images ``predict`` has written, and where."""
    writer = find_callback(trainer, PredictionWriter)
    assert writer is not None  # the command line adds one
    _print_summary(trainer, f"{writer.written} images", {"folder": writer.folder}, {})


def _final_metrics(folder: Path) -> dict[str, Any]:
    path = folder / "metrics.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _print_summary(
    trainer: Trainer, title: str, places: Mapping[str, Any], metrics: Mapping[str, float]
) -> None:
    if run_folder(trainer) is None:
        return
    print()
    if metrics:
        Console(width=100).print(result_table(title, metrics))
    else:
        print(title)
    for name, place in places.items():
        if place is not None:
            print(f"  {name:12}{place}")


def _program(name: str) -> str:
    """Return how to call a program of this environment: its name if the shell finds it, else its path."""
    path = Path(sys.executable).with_name(name)
    if shutil.which(name) or not path.exists():
        return name
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)

"""What fit, validate, test and predict print at their end."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console

from imgcolor.callbacks import DetailedMetrics, EpsilonPatience, ImageLogger, PredictionWriter
from imgcolor.callbacks.finding import find_callback
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.cli.result_tables import compare_with_baselines, result_table, verdict
from imgcolor.data import LumaGrey, MeanGrey
from imgcolor.data.sources import FolderSource, MixedFolderSource
from imgcolor.utils.text import count_of
from imgcolor.visualization.curves import read_metrics


def summarize_fit(trainer: Trainer, *, held_out: bool) -> None:
    """Print the final metrics of a fit and where its files are.

    Args:
        trainer: The trainer after the fit.
        held_out: Whether the validation images are held-out training images.
    """
    folder = Path(trainer.log_dir or ".")
    images = find_callback(trainer, ImageLogger)
    metrics = _final_metrics(folder)
    title = _length(trainer)
    if held_out:
        title += " (val: held-out training images)"
    title += _limited(trainer)
    if "chosen_epoch" in metrics:
        title += f", stopped; the weights are those of epoch {metrics['chosen_epoch'] + 1}"
    last = folder / "checkpoints" / "last.ckpt"
    logs = any(isinstance(logger, TensorBoardLogger) for logger in trainer.loggers)
    places = {
        "stopped": _stop_reason(trainer),
        "run folder": folder,
        "images": images.latest if images else None,
        "checkpoint": last if last.exists() else None,
        "TensorBoard": f"{_program('tensorboard')} --logdir {folder.parent}" if logs else None,
    }
    _print_summary(trainer, title, places, metrics, _course_of_loss(folder / "metrics.csv", metrics))


def _length(trainer: Trainer) -> str:
    """Return how many epochs were trained; of an incomplete last one, the number of batches."""
    batches = trainer.fit_loop.epoch_loop.batch_progress.current.completed
    if trainer.current_epoch == 0 or not 0 < batches < trainer.num_training_batches:
        return count_of(trainer.current_epoch, "epoch")
    part = f"{batches} of {trainer.num_training_batches} batches"
    epochs = trainer.current_epoch - 1
    return f"{count_of(epochs, 'epoch')} and {part}" if epochs else part


def _stop_reason(trainer: Trainer) -> str | None:
    """Return why a fit ended before ``max_epochs``; None if it did not, or for a reason that the title has."""
    if not trainer.should_stop:
        by_steps = 0 < trainer.max_steps <= trainer.global_step
        return f"by --trainer.max_steps {trainer.max_steps}" if by_steps else None
    timer, early = find_callback(trainer, Timer), find_callback(trainer, EarlyStopping)
    if early and early.stopping_reason_message:
        return (
            f"by EarlyStopping: {early.stopping_reason_message.removesuffix(' Signaling Trainer to stop.')}"
        )
    left = timer.time_remaining() if timer else None
    if left is not None and left <= 0:
        return "by --trainer.max_time or the callback Timer"
    return None if find_callback(trainer, EpsilonPatience) else "by a callback that set trainer.should_stop"


def summarize_metrics(trainer: Trainer, title: str) -> None:
    """Print the metrics of ``validate`` or ``test`` and where their files are."""
    folder = Path(trainer.log_dir or ".")
    _print_summary(trainer, title + _limited(trainer), {"run folder": folder}, _final_metrics(folder))


def summarize_predictions(trainer: Trainer, checkpoint: str) -> None:
    """Print how many images ``predict`` has written, in which size, and how to get photos in full size.

    Args:
        trainer: The trainer after the prediction.
        checkpoint: The path of the trained network.
    """
    writer = find_callback(trainer, PredictionWriter)
    assert writer is not None  # the command line adds one
    height, width = writer.size
    title = f"{count_of(writer.written, 'image')} of {width}×{height} pixels"
    places: dict[str, Any] = {"folder": writer.folder}
    datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.predict
    if isinstance(datamodule.source, FolderSource | MixedFolderSource):
        title += ", the size to which predict resizes images (--data.size)"
        command = "colourize" if isinstance(datamodule.degradation, MeanGrey | LumaGrey) else "upscale"
        places["full size"] = f"imgcolor {command} PHOTO --model {checkpoint}"
    _print_summary(trainer, title, places, {})


def _limited(trainer: Trainer) -> str:
    """Return the number of images that were evaluated, if these are not all."""
    details = find_callback(trainer, DetailedMetrics)
    measured, total = details.images if details else (0, 0)
    return f" (the first {measured} of {total} images)" if measured < total else ""


def _final_metrics(folder: Path) -> dict[str, Any]:
    path = folder / "metrics.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _course_of_loss(path: Path, metrics: Mapping[str, float]) -> str:
    """Return how the validation loss went if a fit loses most comparisons with the baselines; else an empty text."""
    marks = list(compare_with_baselines(metrics).values()) if metrics else []
    losses = [value for _, value in read_metrics(path).get("val/loss", [])] if path.exists() else []
    if marks.count("better") > len(marks) / 2 or len(losses) < 2 or "chosen_epoch" in metrics:
        return ""
    lowest = losses.index(min(losses)) + 1
    if lowest == len(losses):
        return "the validation loss was still falling in the last epoch"
    return f"the validation loss was lowest in epoch {lowest} of {len(losses)}"


def _print_summary(
    trainer: Trainer, title: str, places: Mapping[str, Any], metrics: Mapping[str, float], remark: str = ""
) -> None:
    if run_folder(trainer) is None:
        return
    print()
    if metrics:
        Console(width=100).print(
            result_table(f"{title} (↑ higher is better, ↓ lower, → near that of the originals)", metrics)
        )
        if sentence := verdict(metrics):
            print(sentence, *filter(None, [remark]), sep="\n", end="\n\n")
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

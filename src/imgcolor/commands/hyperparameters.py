"""A run's options in TensorBoard's HPARAMS page, beside the figures that it ended with."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard.summary import hparams

from imgcolor.tasks import ColourClassification, ColourTask

_SHOWN = ("model.", "data.", "seed_everything", "trainer.max_epochs", "trainer.precision")


def log_hyperparameters(logger: TensorBoardLogger, options: Mapping[str, Any], task: ColourTask) -> None:
    """Write what HPARAMS needs to find a run: its options, and which scalars are its results.

    Lightning's own ``log_hyperparams`` would write a value of each figure at step 0, into its curve.

    Args:
        logger: Of the run.
        options: The command line's options, flat: name to value.
        task: Decides which figures there are.
    """
    shown = {_short(name): _value(value) for name, value in options.items() if name.startswith(_SHOWN)}
    metrics = ["val/loss", "val/mse", "val/psnr", "val/margin12", "val/ssim", "val/delta_e"]
    if isinstance(task, ColourClassification):
        metrics.insert(1, "val/accuracy")
    writer = logger.experiment._get_file_writer()
    summaries = hparams(shown, dict.fromkeys(metrics, 0))  # type: ignore[no-untyped-call]  # torch's has no types
    for summary in summaries:
        writer.add_summary(summary)


def _short(name: str) -> str:
    return name.replace("init_args.", "").removesuffix(".class_path")


def _value(value: Any) -> bool | float | str:
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text.rpartition(".")[2] if text.startswith(("imgcolor.", "torch.", "lightning.")) else text

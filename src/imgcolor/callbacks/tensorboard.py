"""What TensorBoard tells of a run beside its curves: where it comes from, its options and its final figures."""

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard.summary import hparams

from imgcolor.tasks import ColourClassification, ColourTask
from imgcolor.utils.provenance import SWEPT

_SHOWN = ("model.", "data.", "seed_everything", "trainer.max_epochs", "trainer.precision")
_ASIDE = ("data.root", "data.memory_limit", "data.eval_batch_size")
"""Options of a machine, which change no figure."""


def log_origin(logger: TensorBoardLogger, arguments: Sequence[str], config: str) -> None:
    """Show a run's command and its whole configuration under TEXT.

    Args:
        logger: Of the run.
        arguments: The words behind ``imgcolor``.
        config: The YAML that reruns it.
    """
    # An option a line, because TensorBoard cuts long lines.
    words = [
        f"\\\n    {shlex.quote(word)}" if word.startswith("--") else shlex.quote(word) for word in arguments
    ]
    logger.experiment.add_text("command", _as_code(" ".join(["imgcolor", *words])))
    logger.experiment.add_text("config", _as_code(config))


def log_hyperparameters(
    logger: TensorBoardLogger, arguments: Sequence[str], options: Mapping[str, Any], task: ColourTask
) -> None:
    """Write what HPARAMS needs to find a run: its options, and which scalars are its results.

    What a sweep tries, or else what was typed, comes first. Lightning's own ``log_hyperparams`` would write a
    value of each figure at step 0, into its curve.

    Args:
        logger: Of the run.
        arguments: The words behind ``imgcolor``.
        options: All options, flat: name to value.
        task: Decides which figures there are.
    """
    shown = {
        _short(name): _value(value)
        for name, value in options.items()
        if name.startswith(_SHOWN) and _short(name) not in _ASIDE
    }
    metrics = ["val/loss", "val/mse", "val/psnr", "val/margin12", "val/ssim", "val/delta_e"]
    if isinstance(task, ColourClassification):
        metrics.insert(1, "val/accuracy")
    summaries = hparams(shown, dict.fromkeys(metrics, 0))  # type: ignore[no-untyped-call]  # torch's has no types
    typed = [word.partition("=")[0].strip("-+") for word in arguments if word.startswith("--")]
    first = os.environ[SWEPT].split(",") if SWEPT in os.environ else typed
    # TensorBoard has options that differ from run to run at the head of its table, the others by name behind them.
    plugin = summaries[0].value[0].metadata.plugin_data
    content = HParamsPluginData.FromString(plugin.content)
    for info in content.experiment.hparam_infos:
        info.differs = info.name in first
    plugin.content = content.SerializeToString()
    writer = logger.experiment._get_file_writer()
    for summary in summaries:
        writer.add_summary(summary)


def _as_code(text: str) -> str:
    # Indented, and not fenced: the text itself could end a fence.
    return "".join(f"    {line}\n" for line in text.splitlines())


def _short(name: str) -> str:
    return name.replace("init_args.", "").removesuffix(".class_path")


def _value(value: Any) -> bool | float | str:
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text.rpartition(".")[2] if text.startswith(("imgcolor.", "torch.", "lightning.")) else text

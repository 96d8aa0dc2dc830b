"""Write command, config, options and final metrics of a run to TensorBoard."""

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
_HIDDEN = ("data.root", "data.memory_limit", "data.eval_batch_size")
"""Options that depend on the machine and change no result."""


_NETWORK = "model.network."
_COLUMNS = {"data.batch_size": "batch_size", "model.optimizer.lr": "lr", "model.network": "network"}
"""Options with a short name, under which TensorBoard shows them first."""


def log_origin(logger: TensorBoardLogger, arguments: Sequence[str], config: str) -> None:
    """Show command and config of a run under TEXT.

    Args:
        logger: The logger of the run.
        arguments: The arguments of the command ``imgcolor``.
        config: YAML that repeats the run.
    """
    # One option per line, because TensorBoard cuts long lines.
    quoted = [
        f"\\\n    {shlex.quote(argument)}" if argument.startswith("--") else shlex.quote(argument)
        for argument in arguments
    ]
    logger.experiment.add_text("command", _as_code(" ".join(["imgcolor", *quoted])))
    logger.experiment.add_text("config", _as_code(config))


def leave_out_epoch(logger: TensorBoardLogger) -> None:
    """Keep Lightning from adding the number of the epoch as a chart, which would be the first one.

    Args:
        logger: The logger of the run.
    """
    log = logger.log_metrics

    def log_metrics(metrics: Mapping[str, float], step: int | None = None) -> None:
        log({name: value for name, value in metrics.items() if name != "epoch"}, step)

    setattr(logger, "log_metrics", log_metrics)  # noqa: B010  # mypy refuses an assignment to a method


def log_hyperparameters(logger: TensorBoardLogger, options: Mapping[str, Any], task: ColourTask) -> None:
    """Show the options of a run and the names of its metrics under HPARAMS.

    Batch size, learning rate, network and its arguments come first, with the options that a sweep varies. The arguments
    are one text, because TensorBoard takes the list of columns from one run, and networks have different arguments.
    Lightning's own ``log_hyperparams`` is not used, because it would add a value at step 0 to the curve of each metric.

    Args:
        logger: The logger of the run.
        options: All options: full name to value.
        task: The task, which determines the metrics.
    """
    shown = {_short(name): _value(value) for name, value in options.items() if name.startswith(_SHOWN)}
    shown = {_COLUMNS.get(name, name): value for name, value in shown.items() if name not in _HIDDEN}
    arguments = {
        n.removeprefix(_NETWORK): v for n, v in shown.items() if n.startswith(_NETWORK) and "help" not in n
    }
    swept = [_short(name) for name in os.environ[SWEPT].split(",")] if SWEPT in os.environ else []
    shown = {name: value for name, value in shown.items() if not name.startswith(_NETWORK) or name in swept}
    shown["network.arguments"] = ", ".join(f"{name} {value}" for name, value in sorted(arguments.items()))
    if "model.lr_scheduler.max_lr" in shown:  # OneCycleLR, which sets the learning rate itself
        shown["lr"] = shown["model.lr_scheduler.max_lr"]
    metrics = ["val/loss", "val/mse", "val/psnr", "val/margin12", "val/ssim", "val/delta_e"]
    if isinstance(task, ColourClassification):
        metrics.insert(1, "val/accuracy")
    summaries = hparams(shown, dict.fromkeys(metrics, 0))  # type: ignore[no-untyped-call]  # torch's has no types
    first = [*_COLUMNS.values(), "network.arguments", *(_COLUMNS.get(name, name) for name in swept)]
    # TensorBoard puts options that differ between runs first, and the others after them, both in alphabetical order.
    plugin = summaries[0].value[0].metadata.plugin_data
    content = HParamsPluginData.FromString(plugin.content)
    for info in content.experiment.hparam_infos:
        info.differs = info.name in first
    plugin.content = content.SerializeToString()
    writer = logger.experiment._get_file_writer()
    for summary in summaries:
        writer.add_summary(summary)


def _as_code(text: str) -> str:
    # Indented instead of fenced, because the text itself could contain a fence.
    return "".join(f"    {line}\n" for line in text.splitlines())


def _short(name: str) -> str:
    return name.replace("init_args.", "").removesuffix(".class_path")


def _value(value: Any) -> bool | float | str:
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text.rpartition(".")[2] if text.startswith(("imgcolor.", "torch.", "lightning.")) else text

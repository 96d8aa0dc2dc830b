"""Lightning's searches for a learning rate and a batch size, with their results in the run folder."""

import itertools
import math
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import BatchSizeFinder, LearningRateFinder
from torch import nn

from imgcolor.callbacks.finding import find_callback
from imgcolor.callbacks.provenance import Provenance
from imgcolor.callbacks.run_folder import run_folder
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import CONFIG_FILE, atomic_write
from imgcolor.visualization.curves import plot_search


class LearningRateSearch(LearningRateFinder):
    """Lightning's ``LearningRateFinder``, which prints, draws and records what it has found.

    ``learning_rate_search.png`` in the run folder shows the loss over the learning rate. ``config.yaml`` gets the
    learning rate and loses the search, so that it repeats the run; ``run.json`` has it under ``found``. The number of
    epochs does not limit the search, and a loss that is not finite does not end the run.

    The learning rate is the one at which the loss falls fastest over the logarithm of the rate. Lightning's own
    suggestion takes the slope over the rate itself, which is largest at rates that are too small to train with.
    """

    def lr_find(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Search, set the learning rate, and record it."""
        before = float(trainer.optimizers[0].param_groups[0]["lr"])
        # Lightning would set an attribute of the module, which has none.
        sets_rate, self._update_attr = self._update_attr, False
        epochs, trainer.fit_loop.max_epochs = trainer.fit_loop.max_epochs, -1
        pl_module.may_diverge = True  # type: ignore[assignment]  # an attribute of ColourTask
        try:
            super().lr_find(trainer, pl_module)
        finally:
            trainer.fit_loop.max_epochs = epochs
            pl_module.may_diverge = False  # type: ignore[assignment]
            self._update_attr = sets_rate
        if self.optimal_lr is None:  # fast_dev_run
            return
        rates, losses = self.optimal_lr.results["lr"], _running_means(self.optimal_lr.results["loss"])
        found = _steepest(rates, losses)
        if found is None:
            _print(
                trainer,
                f"LearningRateFinder: found none in {len(losses)} steps; it stays {before:g}",
            )
            return
        if not sets_rate:
            _print(
                trainer, f"LearningRateFinder: suggests {found:.3g}; it stays {before:g} (update_attr: false)"
            )
            return
        for config in trainer.lr_scheduler_configs:
            if hasattr(config.scheduler, "total_steps"):
                raise ImgcolorError(
                    f"LearningRateFinder: found {found:.3g}, but OneCycleLR sets the learning rate itself; leave the "
                    f"search out and give --model.lr_scheduler.max_lr {found:.3g}"
                )
            if hasattr(config.scheduler, "base_lrs"):
                config.scheduler.base_lrs = [found for _ in config.scheduler.base_lrs]
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] = found
        _print(trainer, f"LearningRateFinder: learning rate {found:.3g} (before: {before:g})")
        points = {"loss": list(zip(rates, losses, strict=False))}
        _record(trainer, LearningRateFinder, ["model", "optimizer", "lr"], found, points)


class BatchSizeSearch(BatchSizeFinder):
    """Lightning's ``BatchSizeFinder``, which prints, draws and records what it has found.

    ``batch_size_search.png`` in the run folder shows the images per second over the batch size. ``config.yaml`` gets
    the batch size and loses the search, so that it repeats the run; ``run.json`` has it under ``found``.
    """

    def scale_batch_size(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Search, set the batch size, and record it."""
        before = getattr(trainer.datamodule, self._batch_arg_name, None)  # type: ignore[attr-defined]
        if any(hasattr(config.scheduler, "total_steps") for config in trainer.lr_scheduler_configs):
            raise ImgcolorError(
                f"BatchSizeFinder: expected a schedule without a fixed number of steps, found OneCycleLR, whose length "
                f"is that of a run with batches of {before}; search with --model.lr_scheduler null"
            )
        starts: list[tuple[int, float]] = []

        def note(module: nn.Module, inputs: Any) -> None:
            if module.training:
                starts.append((len(inputs[0]), time.perf_counter()))

        network = getattr(pl_module, "network", None)
        hook = network.register_forward_pre_hook(note) if isinstance(network, nn.Module) else None
        try:
            super().scale_batch_size(trainer, pl_module)
        finally:
            if hook is not None:
                hook.remove()
        found = self.optimal_batch_size
        if found is None or trainer.state.fn != "fit":
            return
        _print(
            trainer, f"BatchSizeFinder: batch size {found} (before: {before}); the learning rate is unchanged"
        )
        _record(
            trainer, BatchSizeFinder, ["data", "batch_size"], found, {"images per second": _speeds(starts)}
        )


_RECORDED: dict[type[Callback], type[Callback]] = {
    LearningRateFinder: LearningRateSearch,
    BatchSizeFinder: BatchSizeSearch,
}


def recorded(callback: Callback) -> Callback:
    """Return the search of this module with the arguments of Lightning's; another callback as it is."""
    kind = _RECORDED.get(type(callback))
    if kind is None:
        return callback
    search = kind.__new__(kind)
    vars(search).update(vars(callback))
    return search


def _running_means(losses: list[float], weight: float = 0.98) -> list[float]:
    """Return Lightning's running means of the loss, without its error: the first ones are up to two times too small.

    It divides the mean of n losses by 1 - weight^(n + 1) instead of 1 - weight^n.
    """
    return [loss * (1 - weight ** (n + 1)) / (1 - weight**n) for n, loss in enumerate(losses, 1)]


def _steepest(rates: list[float], losses: list[float]) -> float | None:
    """Return the learning rate at which the loss falls fastest from one step to the next; None if there are too few.

    The first ten steps, in which the running mean of the loss has few values, and the last are left out.
    """
    points = [(rate, loss) for rate, loss in zip(rates, losses, strict=False) if math.isfinite(loss)][10:-1]
    if len(points) < 3:
        return None
    slopes = [after[1] - before[1] for before, after in zip(points, points[2:], strict=False)]
    return points[slopes.index(min(slopes)) + 1][0]


def _speeds(starts: list[tuple[int, float]]) -> list[tuple[float, float]]:
    """Return the images per second of each batch size, from the starts of all steps."""
    durations = defaultdict(list)
    for (size, start), (following, end) in itertools.pairwise(starts):
        if size == following:
            durations[size].append(end - start)
    return [(float(size), size / min(each)) for size, each in sorted(durations.items())]


def _print(trainer: Trainer, line: str) -> None:
    if trainer.is_global_zero:
        print(line, file=sys.stderr)


def _record(
    trainer: Trainer,
    kind: type,
    key: list[str],
    found: float,
    points: dict[str, list[tuple[float, float]]],
) -> None:
    """Write a result to the run folder: plot, ``run.json`` and ``config.yaml``."""
    folder = run_folder(trainer)
    if folder is None:
        return
    name = {"lr": "learning rate", "batch_size": "batch size"}[key[-1]]
    plot_search(points, name, found, folder / f"{name.replace(' ', '_')}_search.png")
    provenance = find_callback(trainer, Provenance)
    if provenance is not None:
        provenance.add_found(trainer, name, found)
    path = folder / CONFIG_FILE
    if path.exists():
        _change_config(path, kind, key, found)


def _change_config(path: Path, kind: type, key: list[str], value: float) -> None:
    """Set a value in ``config.yaml``, and remove the search."""
    text = path.read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    part = config
    for name in key[:-1]:
        if not part.get(name):
            return
        parent, part = part, part[name]
        if isinstance(part, str):  # the path of a class, without arguments
            part = parent[name] = {"class_path": part}
        if "class_path" in part:
            part = part.setdefault("init_args", {})
    part[key[-1]] = value
    callbacks = config["trainer"]["callbacks"] or []
    callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
    config["trainer"]["callbacks"] = [
        callback for callback in callbacks if callback["class_path"].rpartition(".")[2] != kind.__name__
    ]
    comments = "".join(f"{line}\n" for line in text.splitlines() if line.startswith("#"))
    atomic_write(path, comments + yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

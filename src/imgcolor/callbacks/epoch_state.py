"""What a checkpoint needs so that a resumed fit equals an uninterrupted one."""

import random
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torchmetrics import Metric

KEY = "epoch_state"
"""Key of the states in a checkpoint: a list with the state of each rank."""


class EpochState(Callback):
    """Completes the checkpoints of a fit, so that a resumed run equals an uninterrupted one.

    Lightning restores weights, optimizers and schedules, and the data loader skips the batches that were used. This
    callback adds the values of the last validation, and in the middle of an epoch the states of the random number
    generators, the sums of metrics, and gradients that are not applied yet (``accumulate_grad_batches``). It also
    restores the place in the epoch: after a checkpoint from the end of a batch, Lightning leaves out the validation
    that follows this batch, and after one from the end of an epoch, a step of ``ReduceLROnPlateau``.
    """

    def __init__(self) -> None:
        self._resumed: dict[str, Any] | None = None
        self._training: set[str] = set()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note which metrics belong to the training."""
        self._training = {name for name, metric in _metrics(pl_module).items() if metric.update_called}

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the state of each rank."""
        if trainer.state.fn != "fit":
            return
        epochs = trainer.fit_loop.epoch_progress.current.state_dict()
        state: dict[str, Any] = {
            "logged": {name: value.cpu() for name, value in trainer.callback_metrics.items()},
            "ends_epoch": epochs["completed"] < epochs["processed"],
        }
        if epochs["processed"] < epochs["ready"]:
            state |= {
                "random": _random_state(trainer.strategy.root_device),
                "metrics": _metric_states(pl_module, self._training if trainer.validating else None),
                "gradients": {
                    name: weight.grad.cpu()
                    for name, weight in pl_module.named_parameters()
                    if weight.grad is not None and trainer.fit_loop._should_accumulate()
                },
                "validation_follows": trainer.fit_loop.epoch_loop._should_check_val_fx(
                    trainer.fit_loop._data_fetcher  # type: ignore[arg-type]  # there is one in an epoch
                ),
            }
        states: list[Any] = [state]
        if trainer.world_size > 1:  # Lightning makes a checkpoint on all ranks, and the first one writes it
            states = [None] * trainer.world_size
            torch.distributed.all_gather_object(states, state)
        checkpoint[KEY] = states

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the state of this rank, and correct the place in the epoch."""
        states = checkpoint.get(KEY, [])
        if trainer.state.fn != "fit" or len(states) != trainer.world_size:
            return
        state = self._resumed = states[trainer.global_rank]
        loops = checkpoint["loops"]["fit_loop"]
        if "random" in state:
            _correct_batch(loops, state["validation_follows"])
        elif state["ends_epoch"] and trainer.max_steps != -1:
            _correct_epoch(loops)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the state of this rank, after everything that could draw random numbers."""
        state, self._resumed = self._resumed, None
        if state is None:
            return
        trainer.callback_metrics.update(state["logged"])
        if "random" in state:
            # Lightning has not done it if a schedule asked for the number of batches before.
            trainer.fit_loop._load_combined_loader_states()
            _restore_random_state(state["random"], trainer.strategy.root_device)
            _restore_metrics(pl_module, state["metrics"])
            weights = dict(pl_module.named_parameters())
            for name, gradient in state["gradients"].items():
                weights[name].grad = gradient.to(weights[name].device)
        elif state["ends_epoch"]:
            trainer.fit_loop.epoch_loop.update_lr_schedulers("epoch", update_plateau_schedulers=True)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let Lightning step ``ReduceLROnPlateau`` in the resumed epoch too."""
        trainer.fit_loop._restarting = False


def _correct_batch(loops: dict[str, Any], validation_follows: bool) -> None:
    """Let Lightning finish a batch from whose end a checkpoint is.

    Lightning would go on with the next batch, without the validation or the end of the epoch if one of them follows.
    Its counters are changed to those between the batch and the validation.

    Args:
        loops: The state of the fit loop.
        validation_follows: Whether there is a validation after the batch.
    """
    batches = loops["epoch_loop.batch_progress"]
    is_finished = batches["current"]["completed"] == batches["current"]["processed"]
    if is_finished or not (validation_follows or batches["is_last_batch"]):
        return
    for counters in (batches["total"], batches["current"]):
        counters["completed"] = counters["processed"]
    if validation_follows:
        # As if a validation had been stopped in its first batch; Lightning starts it again.
        validation = loops["epoch_loop.val_loop.batch_progress"]
        for counters in (validation["total"], validation["current"]):
            counters.update(ready=1, started=1, processed=0, completed=0)
    else:
        loops["epoch_loop.state_dict"]["_batches_that_stepped"] += 1


def _correct_epoch(loops: dict[str, Any]) -> None:
    """Let Lightning start a new epoch after a checkpoint from the end of one.

    With ``max_steps``, Lightning would end the old epoch once more.

    Args:
        loops: The state of the fit loop.
    """
    epochs = loops["epoch_progress"]
    for counters in (epochs["total"], epochs["current"]):
        counters["completed"] = counters["processed"]
    loops["epoch_loop.batch_progress"]["current"].update(ready=0, started=0, processed=0, completed=0)
    loops["epoch_loop.batch_progress"]["is_last_batch"] = False
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1


def _random_state(device: torch.device) -> dict[str, Any]:
    numpy: Any = np.random.get_state()
    name, keys, *rest = numpy  # as plain data, because NumPy arrays are not safe to load
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "numpy": [name, keys.tolist(), *rest],
        "python": random.getstate(),
    }


def _restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    torch.set_rng_state(state["torch"].cpu())
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))


def _metrics(module: nn.Module) -> dict[str, Metric]:
    return {name: part for name, part in module.named_modules() if isinstance(part, Metric)}


def _metric_states(module: nn.Module, names: set[str] | None) -> dict[str, Any]:
    """Return the states of the metrics with these names, or of all."""
    return {
        name: {"count": metric.update_count, "state": _copy(metric.metric_state)}
        for name, metric in _metrics(module).items()
        if metric.update_called and (names is None or name in names)
    }


def _copy(state: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [part.cpu() for part in value] if isinstance(value, list) else value.detach().cpu().clone()
        for name, value in state.items()
    }


def _restore_metrics(module: nn.Module, states: dict[str, Any]) -> None:
    metrics = _metrics(module)
    for name, saved in states.items():
        metric = metrics[name]
        for key, value in saved["state"].items():
            on_device = (
                [part.to(metric.device) for part in value]
                if isinstance(value, list)
                else value.to(metric.device)
            )
            setattr(metric, key, on_device)
        metric._update_count = saved["count"]

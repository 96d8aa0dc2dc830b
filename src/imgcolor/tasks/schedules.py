"""Learning rate schedules."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from lightning.pytorch.utilities.types import LRSchedulerConfigType, OptimizerLRScheduler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from imgcolor.utils.errors import ImgcolorError

LRSchedulerCallable = Callable[[Optimizer], LRScheduler | ReduceLROnPlateau]
LRInterval = Literal["epoch", "step"]


def with_schedule(
    optimizer: Optimizer,
    make: LRSchedulerCallable | None,
    interval: LRInterval,
    task: LightningModule,
    resumed: Sequence[Mapping[str, Any]] = (),
) -> OptimizerLRScheduler:
    """Build the scheduler of an optimizer, with Lightning's settings for it.

    ``OneCycleLR`` without a length gets ``total_steps``: the number of steps of the whole training.

    Args:
        optimizer: The optimizer.
        make: Builds the scheduler from the optimizer; None for a constant learning rate.
        interval: Whether the scheduler steps once an epoch or once a batch.
        task: Has the trainer, which knows the length of the training.
        resumed: States of the schedulers in the checkpoint that the training resumes from.

    Returns:
        What ``configure_optimizers`` returns.

    Raises:
        ImgcolorError: If the scheduler needs a length and there is none, or another than the checkpoint's.
    """
    if make is None:
        return optimizer
    try:
        scheduler = make(optimizer)
    except ValueError as error:
        if "total_steps" not in str(error):
            raise
        steps = _total_steps(interval, task.trainer, resumed[0].get("total_steps") if resumed else None)
        try:
            scheduler = make(optimizer, total_steps=steps)  # type: ignore[call-arg]  # it has asked for them
        except ZeroDivisionError:
            raise ImgcolorError(
                f"OneCycleLR: with {steps} steps, the rise of the learning rate has one step, for which torch divides "
                "by zero; train for more steps, or give another --model.lr_scheduler.pct_start"
            ) from None
    config: LRSchedulerConfigType = {"scheduler": scheduler, "interval": interval, "monitor": "val/loss"}
    return {"optimizer": optimizer, "lr_scheduler": config}


def _total_steps(interval: LRInterval, trainer: Trainer, resumed_steps: int | None) -> int:
    if interval != "step":
        raise ImgcolorError(
            "OneCycleLR: expected lr_interval: step, because its length is a number of batches, found epoch; set "
            "--model.lr_interval step"
        )
    steps = _steps_of_training(trainer)
    if math.isinf(steps):
        raise ImgcolorError(
            "OneCycleLR: expected a training of known length, found none; give --trainer.max_epochs, or the "
            "scheduler's total_steps"
        )
    if resumed_steps not in (None, steps):
        raise ImgcolorError(
            f"OneCycleLR: the checkpoint's cycle has {resumed_steps} steps, but this run would have {steps:.0f}; "
            "a cycle cannot become longer or shorter: give the --trainer.max_epochs of the checkpoint's run"
        )
    return int(steps)


def _steps_of_training(trainer: Trainer) -> float:
    """Return the number of optimizer steps; ``inf`` if it is not known.

    Lightning's own number does not know ``GradientAccumulationScheduler``.
    """
    steps = trainer.estimated_stepping_batches
    callbacks = trainer.callbacks  # type: ignore[attr-defined]  # mypy does not see the attribute
    schedule = next((c for c in callbacks if isinstance(c, GradientAccumulationScheduler)), None)
    batches = trainer.num_training_batches
    if schedule is None or trainer.max_epochs in (None, -1) or math.isinf(batches):
        return steps
    steps = sum(
        math.ceil(batches / schedule.get_accumulate_grad_batches(epoch))
        for epoch in range(trainer.max_epochs)
    )
    return steps if trainer.max_steps == -1 else min(steps, trainer.max_steps)

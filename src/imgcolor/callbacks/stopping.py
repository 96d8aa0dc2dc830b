"""Early stopping by the face homework's rule."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from torch import Tensor

from imgcolor.utils.errors import ImgcolorError


class EpsilonPatience(Callback):
    """Stops when the validation loss has not fallen enough for some epochs, and goes back to where that began.

    An epoch fails when its value is not lower than the **previous** epoch's (not the best's) by more than
    ``epsilon``. After more than ``patience`` failures in a row training stops and the weights of epoch
    (current - ``patience``) come back: the first that failed. This is the rule of the CENG 483 report; Lightning's
    ``EarlyStopping``, which compares with the best so far, can be used beside it.

    Where validation does not run every epoch, each validation counts as one. The checkpoint that the fit leaves,
    ``last.ckpt``, holds the weights that came back; ``metrics.json`` holds that epoch's figures and its number
    as ``chosen_epoch``; ``chosen_epoch`` goes to the logger too.

    The state is part of every checkpoint, and no more weights are kept than the one copy to go back to, so that
    a resumed run decides as an uninterrupted one.

    Args:
        epsilon: What a value must fall by, at least 0.
        patience: Failures in a row that are borne, at least 0.
        monitor: The logged value to watch; lower is better.

    Raises:
        ImgcolorError: If ``epsilon`` or ``patience`` is below 0.
    """

    def __init__(self, epsilon: float = 5e-6, patience: int = 5, monitor: str = "val/loss") -> None:
        if not epsilon >= 0:
            raise ImgcolorError(f"EpsilonPatience: epsilon: expected 0 or more, found {epsilon}")
        if patience < 0:
            raise ImgcolorError(f"EpsilonPatience: patience: expected 0 or more, found {patience}")
        self.epsilon = epsilon
        self.patience = patience
        self.monitor = monitor
        self.chosen_epoch: int | None = None
        """The epoch whose weights came back; None as long as training was not stopped."""
        self._previous: float | None = None
        self._failures = 0
        self._kept_epoch: int | None = None
        self._kept_weights: dict[str, Tensor] | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse averaged weights beside it: which epoch's would come back?

        Raises:
            ImgcolorError: If the trainer has Lightning's weight averaging.
        """
        callbacks = trainer.callbacks  # type: ignore[attr-defined]  # set where mypy does not see it
        if stage == "fit" and any(isinstance(callback, WeightAveraging) for callback in callbacks):
            raise ImgcolorError(
                "EpsilonPatience: expected no averaging of weights beside it, found one: what is validated and "
                "what would come back are different weights; leave one of the two out"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Train no more where the run that is resumed had been stopped."""
        trainer.should_stop = trainer.should_stop or self.chosen_epoch is not None or self._exhausted

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge the epoch."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        metrics = trainer.callback_metrics
        if self.monitor not in metrics:
            raise ImgcolorError(
                f"EpsilonPatience: monitor: expected one of {', '.join(sorted(metrics))}, found {self.monitor!r}"
            )
        # The first process's value decides for all: one that went on alone would wait for ever.
        value = float(trainer.strategy.broadcast(float(metrics[self.monitor])))
        failed = self._previous is not None and not self._previous - value > self.epsilon
        self._previous = value
        if not failed:
            self._failures, self._kept_epoch, self._kept_weights = 0, None, None
            return
        self._failures += 1
        if self._failures == 1:
            self._kept_epoch = trainer.current_epoch
            # Copies: the optimizer changes weights in place.
            self._kept_weights = {name: w.detach().clone() for name, w in pl_module.state_dict().items()}
        trainer.should_stop = trainer.should_stop or self._exhausted

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go back, when the stopping epoch's own checkpoints are written, and make that the last checkpoint."""
        if self._kept_weights is None or not self._exhausted:
            return
        pl_module.load_state_dict(self._kept_weights)
        self.chosen_epoch = self._kept_epoch
        self._failures, self._kept_weights = 0, None
        for logger in trainer.loggers:
            logger.log_metrics({"chosen_epoch": float(self._kept_epoch or 0)}, step=trainer.global_step)
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint):
                # Without a monitor the newest is the "best".
                newest = callback.last_model_path or ("" if callback.monitor else callback.best_model_path)
                if newest:
                    trainer.save_checkpoint(newest)

    @property
    def _exhausted(self) -> bool:
        return self._failures > self.patience

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to decide alike."""
        return {
            "previous": self._previous,
            "failures": self._failures,
            "kept_epoch": self._kept_epoch,
            "kept_weights": self._kept_weights,
            "chosen_epoch": self.chosen_epoch,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._previous = state_dict["previous"]
        self._failures = state_dict["failures"]
        self._kept_epoch = state_dict["kept_epoch"]
        self._kept_weights = state_dict["kept_weights"]
        self.chosen_epoch = state_dict["chosen_epoch"]

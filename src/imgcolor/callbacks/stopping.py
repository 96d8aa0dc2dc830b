"""Early stopping with the rule of the face homework."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from torch import Tensor

from imgcolor.utils.errors import ImgcolorError


class EpsilonPatience(Callback):
    """Stops if the validation loss does not fall enough for some epochs, and restores earlier weights.

    An epoch fails if its value is not lower than that of the **previous** epoch (not of the best one) by more
    than ``epsilon``. After more than ``patience`` failures in a row, training stops and the weights of epoch
    (current - ``patience``) are restored: the first one of these failures. This is the rule of the CENG 483
    report. Lightning's ``EarlyStopping`` compares with the best epoch instead; both can be used together.

    If validation does not run in each epoch, each validation counts as one epoch. At the end of the fit
    ``last.ckpt`` has the restored weights, ``metrics.json`` has the values of their epoch, and its number is
    logged and written as ``chosen_epoch``.

    Checkpoints contain the state, including one copy of weights, so a resumed run makes the same decisions as
    an uninterrupted one.

    Args:
        epsilon: The smallest decrease of the value that counts, at least 0.
        patience: Number of failures in a row that are accepted, at least 0.
        monitor: Name of the logged value; lower is better.

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
        """The epoch whose weights were restored; None if training was not stopped."""
        self._previous: float | None = None
        self._failures = 0
        self._kept_epoch: int | None = None
        self._kept_weights: dict[str, Tensor] | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check that weights are not averaged.

        Raises:
            ImgcolorError: If the trainer has Lightning's weight averaging. The validated weights would not be
                those that are restored.
        """
        callbacks = trainer.callbacks  # type: ignore[attr-defined]  # mypy does not see the attribute
        if stage == "fit" and any(isinstance(callback, WeightAveraging) for callback in callbacks):
            raise ImgcolorError(
                "EpsilonPatience: expected no callback that averages weights, found one: the validated weights "
                "would not be those that are restored; remove one of the two callbacks"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop at once if the resumed run was stopped already."""
        trainer.should_stop = trainer.should_stop or self.chosen_epoch is not None or self._exhausted

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the value of the epoch."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        metrics = trainer.callback_metrics
        if self.monitor not in metrics:
            raise ImgcolorError(
                f"EpsilonPatience: monitor: expected one of {', '.join(sorted(metrics))}, found {self.monitor!r}"
            )
        # The value of rank 0 decides for all ranks: a rank that trains on alone would wait for ever.
        value = float(trainer.strategy.broadcast(float(metrics[self.monitor])))
        failed = self._previous is not None and not self._previous - value > self.epsilon
        self._previous = value
        if not failed:
            self._failures, self._kept_epoch, self._kept_weights = 0, None, None
            return
        self._failures += 1
        if self._failures == 1:
            self._kept_epoch = trainer.current_epoch
            # Copies, because the optimizer changes weights in place.
            self._kept_weights = {name: w.detach().clone() for name, w in pl_module.state_dict().items()}
        trainer.should_stop = trainer.should_stop or self._exhausted

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the weights, and save them as the last checkpoint."""
        if self._kept_weights is None or not self._exhausted:
            return
        pl_module.load_state_dict(self._kept_weights)
        self.chosen_epoch = self._kept_epoch
        self._failures, self._kept_weights = 0, None
        for logger in trainer.loggers:
            logger.log_metrics({"chosen_epoch": float(self._kept_epoch or 0)}, step=trainer.global_step)
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint):
                # Without a monitor, Lightning calls the newest checkpoint the best.
                newest = callback.last_model_path or ("" if callback.monitor else callback.best_model_path)
                if newest:
                    trainer.save_checkpoint(newest)

    @property
    def _exhausted(self) -> bool:
        return self._failures > self.patience

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs to make the same decisions."""
        return {
            "previous": self._previous,
            "failures": self._failures,
            "kept_epoch": self._kept_epoch,
            "kept_weights": self._kept_weights,
            "chosen_epoch": self.chosen_epoch,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of the resumed run."""
        self._previous = state_dict["previous"]
        self._failures = state_dict["failures"]
        self._kept_epoch = state_dict["kept_epoch"]
        self._kept_weights = state_dict["kept_weights"]
        self.chosen_epoch = state_dict["chosen_epoch"]

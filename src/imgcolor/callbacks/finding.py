"""Find a callback of a trainer."""

from typing import TypeVar

from lightning.pytorch import Trainer

T = TypeVar("T")


def find_callback(trainer: Trainer, kind: type[T]) -> T | None:
    """Return the first callback of a class that a trainer has.

    Args:
        trainer: The trainer.
        kind: The class.

    Returns:
        The callback, or None if there is none.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]  # mypy does not see the attribute
    return next((callback for callback in callbacks if isinstance(callback, kind)), None)

"""Callbacks that ask each other."""

from typing import TypeVar

from lightning.pytorch import Trainer

T = TypeVar("T")


def find_callback(trainer: Trainer, kind: type[T]) -> T | None:
    """The first callback of a kind that a trainer has.

    Args:
        trainer: The trainer.
        kind: A callback's class.

    Returns:
        The callback, or None where there is none.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]  # set where mypy does not see it
    return next((callback for callback in callbacks if isinstance(callback, kind)), None)

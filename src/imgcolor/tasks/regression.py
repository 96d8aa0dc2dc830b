"""Colours as numbers: a network gives red, green and blue."""

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.tasks.base import ColourTask, LRSchedulerCallable, OptimizerCallable

_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "huber": F.huber_loss,
}


class ColourRegression(ColourTask):
    """Colour by regression.

    Args:
        network: Any module from [B, C, h, w] to [B, 3, H, W], as near to [0, 1] as it comes.
        criterion: ``mse`` (mean squared error), ``l1`` (mean absolute error) or ``huber`` (squared below a
            difference of 1, linear above), each the mean over batch, channels and pixels.
        optimizer: Makes the optimizer from the parameters; Adam with a learning rate of 1e-3 by default.
        lr_scheduler: Makes a scheduler from the optimizer; it steps once an epoch.

    Raises:
        ValueError: If ``criterion`` is none of the three.
    """

    def __init__(
        self,
        network: nn.Module,
        criterion: Literal["mse", "l1", "huber"] = "mse",
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(network, optimizer, lr_scheduler)
        if criterion not in _LOSSES:
            raise ValueError(f"criterion: expected one of {', '.join(_LOSSES)}, found {criterion!r}")
        self.criterion = criterion

    def loss(self, output: Tensor, original: Tensor) -> Tensor:
        """The criterion between output and original, both [B, 3, H, W]."""
        return _LOSSES[self.criterion](output, original)

    def to_colour(self, output: Tensor) -> Tensor:
        """Clamp the output, [B, 3, H, W], to [0, 1]."""
        return output.clamp(0, 1)

    def recipe_args(self) -> dict[str, Any]:
        """The constructor arguments beside the network."""
        return {"criterion": self.criterion}

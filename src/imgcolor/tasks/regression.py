"""Colours as numbers: a network gives red, green and blue."""

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.baselines import GreyLookup
from imgcolor.colour import from_signed, lab_to_rgb, rgb_to_lab, to_signed
from imgcolor.data import ImageDataModule
from imgcolor.tasks.base import ColourTask, LRSchedulerCallable, OptimizerCallable
from imgcolor.utils.errors import ImgcolorError

_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "huber": F.huber_loss,
}


class ColourRegression(ColourTask):
    """Colour by regression.

    Args:
        network: Any module from [B, C, h, w] to [B, 3, H, W], in and out on the scale of ``value_range``.
        value_range: ``unit`` for a network that sees and gives [0, 1], ``signed`` for one of [-1, 1]. The loss
            is on that scale too; images and metrics are on [0, 1] in any case.
        criterion: ``mse`` (mean squared error), ``l1`` (mean absolute error) or ``huber`` (squared below a
            difference of 1, linear above), each the mean over batch, channels and pixels.
        optimizer: Makes the optimizer from the parameters; Adam with a learning rate of 1e-3 by default.
        lr_scheduler: Makes a scheduler from the optimizer; it steps once an epoch, ``OneCycleLR`` once a batch.
        flip_tta: Whether the mirror image is asked too, outside training, and the mean of both outputs counts.
        space: In which colours are compared: ``rgb``, or ``lab`` for a network that gives L*, a* and b* of CIE
            Lab, each divided by 100, where equal differences look about equally large. It sees RGB or grey in
            any case.

    Raises:
        ValueError: If ``criterion``, ``value_range`` or ``space`` is none of those, or Lab is asked for on the
            signed scale.
    """

    def __init__(
        self,
        network: nn.Module,
        criterion: Literal["mse", "l1", "huber"] = "mse",
        value_range: Literal["unit", "signed"] = "unit",
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        flip_tta: bool = False,
        space: Literal["rgb", "lab"] = "rgb",
    ) -> None:
        super().__init__(network, optimizer, lr_scheduler, flip_tta)
        if criterion not in _LOSSES:
            raise ValueError(f"criterion: expected one of {', '.join(_LOSSES)}, found {criterion!r}")
        if value_range not in ("unit", "signed"):
            raise ValueError(f"value_range: expected unit or signed, found {value_range!r}")
        if space not in ("rgb", "lab"):
            raise ValueError(f"space: expected rgb or lab, found {space!r}")
        if space == "lab" and value_range == "signed":
            raise ValueError(
                "space: expected rgb with the value_range signed, found lab; lab has its own range"
            )
        if space == "lab" and getattr(network, "luminance", None) is not None:
            raise ValueError("space: expected rgb for a network that keeps the luminance of RGB, found lab")
        self.space = space
        self.criterion = criterion
        self.value_range = value_range

    def fit(self, datamodule: ImageDataModule | None) -> bool:
        """Learn the tables in the network; see :meth:`ColourTask.fit`.

        Args:
            datamodule: Has the training images.

        Returns:
            Whether there was something to learn.

        Raises:
            ImgcolorError: If the network has a table and sees [-1, 1]; as for every task.
        """
        if self.value_range == "signed" and any(isinstance(m, GreyLookup) for m in self.network.modules()):
            raise ImgcolorError(
                "GreyLookup: a table is keyed by grey in [0, 1], and value_range: signed gives the network "
                "[-1, 1]; set value_range: unit"
            )
        return super().fit(datamodule)

    def network_input(self, degraded: Tensor) -> Tensor:
        """Degraded images on the network's scale."""
        return degraded if self.value_range == "unit" else to_signed(degraded)

    def loss(self, output: Tensor, original: Tensor) -> Tensor:
        """The criterion between output and original, both [B, 3, H, W], on the network's scale."""
        return _LOSSES[self.criterion](output, self.target(original))

    def target(self, original: Tensor) -> Tensor:
        """Originals on the network's scale."""
        if self.space == "lab":
            return rgb_to_lab(original) / 100
        return original if self.value_range == "unit" else to_signed(original)

    def to_rgb(self, output: Tensor) -> Tensor:
        """Bring the output, [B, 3, H, W], to RGB in [0, 1] and clamp it."""
        if self.space == "lab":
            return lab_to_rgb(output * 100)
        return (output if self.value_range == "unit" else from_signed(output)).clamp(0, 1)

    def config_args(self) -> dict[str, Any]:
        """The constructor arguments beside the network."""
        return {
            "criterion": self.criterion,
            "value_range": self.value_range,
            "flip_tta": self.flip_tta,
            "space": self.space,
        }

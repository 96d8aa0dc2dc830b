"""Colourization by regression: the network gives RGB or Lab values."""

from typing import Literal

import torch
from torch import Tensor, nn

from imgcolor.colour import RGBCoding, Space, ValueRange
from imgcolor.tasks.base import ColourTask, OptimizerCallable
from imgcolor.tasks.criteria import make_criterion, needs_unit_range
from imgcolor.tasks.schedules import LRInterval, LRSchedulerCallable


class ColourRegression(ColourTask):
    """Restore colours by regression.

    Args:
        network: Any module from [B, C, h, w] to [B, 3, H, W], input and output in the ``value_range``.
        criterion: ``mse`` (mean squared error), ``l1`` (mean absolute error) or ``huber`` (squared below a
            difference of 1, linear above), each the mean over batch, channels and pixels; or, for RGB in [0, 1],
            ``ms_ssim_l1`` (:class:`~imgcolor.tasks.criteria.MSSSIMAndL1`) or ``perceptual``
            (:class:`~imgcolor.tasks.criteria.PerceptualDistance`, with a network whose weights have to be there or
            are downloaded).
        value_range: ``unit`` for a network whose input and output are in [0, 1], ``signed`` for one of [-1, 1].
            The loss is computed in that range too; images and metrics are in [0, 1] in both cases.
        optimizer: Builds the optimizer from the parameters; Adam with a learning rate of 1e-3 by default.
        lr_scheduler: Builds a scheduler from the optimizer.
        lr_interval: Whether the scheduler steps once an ``epoch`` or once a batch (``step``).
        flip_tta: Whether the mean of the outputs for an image and its mirror image is used, except in training.
        space: Colour space of output and loss: ``rgb``, or ``lab`` for L*, a* and b* of CIE Lab, each divided by
            100, where equal differences look about equally large. The network's input is grey or RGB in both
            cases.
        init_from: A model whose weights the training starts from: the name of one that comes with the package, or the
            path of a checkpoint. Weights with the same name and shape are copied.
        compile: Whether training steps use ``torch.compile``. Checkpoints stay the same.

    Raises:
        ValueError: If ``criterion``, ``value_range`` or ``space`` has another value, ``lab`` is combined with
            ``signed`` or with a network whose ``luminance`` is not None, or ``ms_ssim_l1`` or ``perceptual`` with
            ``signed`` or ``lab``.
    """

    def __init__(
        self,
        network: nn.Module,
        criterion: Literal["mse", "l1", "huber", "ms_ssim_l1", "perceptual"] = "mse",
        value_range: ValueRange = "unit",
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        lr_interval: LRInterval = "epoch",
        flip_tta: bool = False,
        space: Space = "rgb",
        init_from: str | None = None,
        compile: bool = False,
    ) -> None:
        coding = RGBCoding(value_range, space)
        super().__init__(network, coding, optimizer, lr_scheduler, lr_interval, flip_tta, init_from, compile)
        self._compare = make_criterion(criterion)
        if needs_unit_range(criterion) and (value_range, space) != ("unit", "rgb"):
            raise ValueError(
                f"criterion: {criterion} compares RGB images in [0, 1]; expected value_range unit and space rgb, found "
                f"{value_range} and {space}"
            )
        if space == "lab" and getattr(network, "luminance", None) is not None:
            raise ValueError(
                "space: expected rgb for a network that keeps the grey of RGB (luminance), found lab"
            )
        self.criterion = criterion
        self.value_range = value_range
        self.space = space

    def loss(self, output: Tensor, original: Tensor) -> Tensor:
        """Return the criterion between output and target, both [B, 3, H, W]."""
        return self._compare(output, self.coding.target(original))

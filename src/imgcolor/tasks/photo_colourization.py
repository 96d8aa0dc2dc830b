"""Colourization of photos: the network predicts chroma, and is trained to use colour hints."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from imgcolor.colour import ChromaCoding
from imgcolor.colour.chroma import chroma_offset
from imgcolor.data import Batch
from imgcolor.tasks.base import ColourTask, OptimizerCallable
from imgcolor.tasks.schedules import LRInterval, LRSchedulerCallable
from imgcolor.utils.errors import ImgcolorError

_GREY_MSE = 0.0094
"""Value of the first part of the loss for grey photos; divided by it, the part starts near 1."""

_GREY_DIFFERENCE = 0.043
"""The same for the second part."""

_MEAN_HINTS = 8


class PhotoColourization(ColourTask):
    """Train a network that predicts chroma from luma and, if there are any, colour hints.

    Some of the training images come with hints: the true chroma at random pixels, as in Zhang et al. 2017, "Real-Time
    User-Guided Image Colorization". A number with a geometric distribution (mean 8) sets the probability of a hint per
    pixel, so the number of hints varies around it and can be 0. There are none in validation and test.

    Args:
        network: A module from luma [B, 1, H, W] and hints [B, 3, H / reduction, W / reduction] or None to chroma
            [B, 2, H / reduction, W / reduction], such as :class:`~imgcolor.networks.ChromaUNet`.
        criterion: ``mse``: the mean squared error in RGB, at the reduced resolution, without clamping. ``mixed``: the
            sum of that and of the mean of d / (1 + 9 c), where d is the distance of predicted and true chroma
            (Cb, Cr), and c the length of the true chroma. Like CIE94, it gives errors in nearly grey colours more
            weight. Both parts are divided by their values for grey copies of typical photos.
        hint_fraction: Fraction of the training images that come with hints, in [0, 1].
        reduction: Ratio of the size of the image to the size of the chroma.
        working_sizes: See :class:`~imgcolor.colour.ChromaCoding`.
        saturation: See :class:`~imgcolor.colour.ChromaCoding`.
        optimizer: Builds the optimizer from the parameters; Adam with a learning rate of 1e-3 by default.
        lr_scheduler: Builds a scheduler from the optimizer.
        lr_interval: Whether the scheduler steps once an ``epoch`` or once a batch (``step``).
        flip_tta: Whether the mean of the outputs for an image and its mirror image is used, except in training.
        init_from: A model whose weights the training starts from: the name of one that comes with the package, or the
            path of a checkpoint. Weights with the same name and shape are copied.
        compile: Whether training steps use ``torch.compile``. Checkpoints stay the same.

    Raises:
        ValueError: If an argument is out of range.
    """

    coding: ChromaCoding

    def __init__(
        self,
        network: nn.Module,
        criterion: Literal["mse", "mixed"] = "mixed",
        hint_fraction: float = 0.45,
        reduction: int = 4,
        working_sizes: tuple[int, ...] = (64,),
        saturation: float = 1.0,
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        lr_interval: LRInterval = "epoch",
        flip_tta: bool = False,
        init_from: str | None = None,
        compile: bool = False,
    ) -> None:
        coding = ChromaCoding(reduction, working_sizes, saturation)
        super().__init__(network, coding, optimizer, lr_scheduler, lr_interval, flip_tta, init_from, compile)
        if criterion not in ("mse", "mixed"):
            raise ValueError(f"criterion: expected mse or mixed, found {criterion!r}")
        if not 0 <= hint_fraction <= 1:
            raise ValueError(f"hint_fraction: expected a fraction in [0, 1], found {hint_fraction}")
        self.criterion = criterion
        self.hint_fraction = hint_fraction
        self.reduction = coding.reduction
        self.working_sizes = coding.working_sizes
        self.saturation = coding.saturation

    def training_output(self, batch: Batch) -> Tensor:
        """Return the network's output for a training batch, with hints for some of its images."""
        hints = sample_hints(self.coding.target(batch.original), self.hint_fraction)
        output: Tensor = self.network(batch.degraded, hints)
        return output

    def loss(self, output: Tensor, original: Tensor) -> Tensor:
        """Return the criterion between predicted and true chroma, both [B, 2, H / reduction, W / reduction]."""
        target = self.coding.target(original)
        # Input and original have the same luma, so the difference in RGB is that of the chroma.
        mse = chroma_offset(output.float() - target).square().mean()
        if self.criterion == "mse":
            return mse / _GREY_MSE
        # 1e-7 keeps the gradient of the square root finite.
        distance = ((output.float() - target).square().sum(dim=1) + 1e-7).sqrt()
        difference = distance / (1 + 9 * target.square().sum(dim=1).sqrt())
        return mse / _GREY_MSE + difference.mean() / _GREY_DIFFERENCE

    def check_output_size(self, output: Tensor, original: Tensor) -> None:
        """Raise an error unless the output has the size of the reduced chroma."""
        expected = [size // self.coding.reduction for size in original.shape[-2:]]
        if list(output.shape[1:]) != [2, *expected]:
            raise ImgcolorError(
                f"network: expected chroma of the shape {[2, *expected]} for images of "
                f"{list(original.shape[-2:])}, found {list(output.shape[1:])}; the network's reduction and the "
                "task's must be the same number"
            )


def sample_hints(chroma: Tensor, fraction: float) -> Tensor:
    """Sample random colour hints: the true chroma at some pixels.

    Args:
        chroma: Float [B, 2, h, w]: the true Cb and Cr.
        fraction: Fraction of the images that get hints, in [0, 1].

    Returns:
        Float [B, 3, h, w]: Cb and Cr at the chosen places and a mask that is 1 there; 0 elsewhere.
    """
    count, _, height, width = chroma.shape
    device = chroma.device
    uniform = torch.rand(count, device=device).clamp(min=1e-6)
    number = 1 + (uniform.log() / math.log(1 - 1 / _MEAN_HINTS)).floor()
    number = number * (torch.rand(count, device=device) < fraction)
    probability = (number / (height * width)).view(-1, 1, 1, 1)
    mask = (torch.rand(count, 1, height, width, device=device) < probability).to(chroma.dtype)
    known = chroma + 0.01 * torch.randn_like(chroma)  # users rarely choose exactly the true colour
    return torch.cat([known * mask, mask], dim=1)

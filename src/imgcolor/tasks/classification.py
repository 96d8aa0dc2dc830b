"""Colourization by classification: the network gives logits over the colours of a palette."""

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from imgcolor.colour import Decoding, Palette, PaletteCoding
from imgcolor.data import Batch, ImageDataModule
from imgcolor.data.batch import as_batch
from imgcolor.tasks.base import ColourTask, OptimizerCallable
from imgcolor.tasks.schedules import LRInterval, LRSchedulerCallable
from imgcolor.utils.errors import ImgcolorError


class ColourClassification(ColourTask):
    """Restore colours by classification: cross-entropy over the colours of a palette, pixel by pixel.

    Logged in addition to every task's metrics: ``val/accuracy``, the proportion of pixels whose most probable
    colour is the palette colour nearest to the original.

    Args:
        network: Any module from [B, C, h, w] to logits [B, k, H, W] over the palette's k colours.
        palette: A number of colours, which a fit finds in its training images by k-means; or a JSON file with
            colours; or, in Python, a :class:`~imgcolor.colour.Palette`.
        label_smoothing: Proportion of the target spread evenly over all colours, in [0, 1).
        rebalancing: Give rare colours more weight, by Zhang et al. 2016 (equation 4): a colour's weight is
            1 / ((1 - x) p + x / k) for its proportion p of the training pixels, scaled so that the weights of all
            training pixels average 1, with this argument as x in (0, 1]; the paper uses 0.5. None gives all
            colours the same weight.
        decoding: How logits become an image: ``argmax``, ``expectation`` or ``annealed``; see
            :meth:`~imgcolor.colour.Palette.decode`.
        temperature: For ``annealed`` decoding.
        optimizer: Builds the optimizer from the parameters; Adam with a learning rate of 1e-3 by default.
        lr_scheduler: Builds a scheduler from the optimizer.
        lr_interval: Whether the scheduler steps once an ``epoch`` or once a batch (``step``).
        flip_tta: Whether the mean of the outputs for an image and its mirror image is used, except in training.
        init_from: A model whose weights the training starts from: the name of one that comes with the package, or the
            path of a checkpoint. Weights with the same name and shape are copied.
        compile: Whether training steps use ``torch.compile``. Checkpoints stay the same.

    Raises:
        ImgcolorError: If the palette cannot be read.
        ValueError: If ``label_smoothing`` or ``rebalancing`` is out of range.
    """

    # Decoding 24 logits per pixel at every step would cost a tenth of the training time.
    log_train_metrics = False

    coding: PaletteCoding
    class_weights: Tensor

    def __init__(
        self,
        network: nn.Module,
        palette: int | Path | Palette = 24,
        label_smoothing: float = 0.0,
        rebalancing: float | None = None,
        decoding: Decoding = "annealed",
        temperature: float = 0.38,
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        lr_interval: LRInterval = "epoch",
        flip_tta: bool = False,
        init_from: str | None = None,
        compile: bool = False,
    ) -> None:
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing: expected a fraction in [0, 1), found {label_smoothing}")
        if rebalancing is not None and not 0 < rebalancing <= 1:
            raise ValueError(f"rebalancing: expected a fraction in (0, 1], found {rebalancing}")
        if isinstance(palette, int):
            palette = Palette(palette)
        elif not isinstance(palette, Palette):
            palette = Palette.load(palette)
        coding = PaletteCoding(palette, decoding, temperature)
        super().__init__(network, coding, optimizer, lr_scheduler, lr_interval, flip_tta, init_from, compile)
        self.label_smoothing = label_smoothing
        self.rebalancing = rebalancing
        self.decoding = decoding
        self.temperature = temperature
        self.register_buffer("class_weights", torch.ones(palette.size))
        self.val_accuracy = MulticlassAccuracy(palette.size, average="micro", validate_args=False)
        self.test_accuracy = self.val_accuracy.clone()

    @property
    def palette(self) -> Palette:
        """The palette of the output coding."""
        return self.coding.palette

    def fit(self, datamodule: ImageDataModule | None) -> bool:
        """Fit palette and class weights, then the network's tables, whose targets are palette colours.

        Args:
            datamodule: Has the training images.

        Returns:
            Whether there was something to fit.

        Raises:
            ImgcolorError: If there is something to fit and no datamodule.
        """
        if self.palette.is_fitted and self.rebalancing is None:
            return super().fit(datamodule)
        if datamodule is None:
            raise ImgcolorError(
                "ColourClassification: expected a datamodule with training images to fit the palette or its class "
                "weights to, found plain data loaders; pass a palette: palette=Palette.from_images(images)"
            )
        images = datamodule.images("train").pixels
        if not self.palette.is_fitted:
            self.palette.fit(images)
        if self.rebalancing is not None:
            frequencies = _frequencies(self.palette, images)
            weights = 1 / ((1 - self.rebalancing) * frequencies + self.rebalancing / self.palette.size)
            self.class_weights.copy_(weights / (frequencies * weights).sum())
        super().fit(datamodule)
        return True

    def loss(self, output: Tensor, original: Tensor) -> Tensor:
        """Return the cross-entropy between logits [B, k, H, W] and the nearest palette colours of the original."""
        if output.shape[1] != self.palette.size:
            raise ImgcolorError(
                f"network: expected one output channel for each of the palette's {self.palette.size} colours, "
                f"found {output.shape[1]}; set the network's number of colours or the palette's size"
            )
        if not self.palette.is_fitted:
            raise ImgcolorError(
                "palette: expected colours, found none, since nothing was trained yet; "
                "give --ckpt_path CHECKPOINT, or a palette file"
            )
        # Channels last, as the networks' outputs lie in memory: torch takes twice the time for the other order.
        logits = output.movedim(1, -1).reshape(-1, self.palette.size)
        target = self.coding.target(original).flatten()
        if self.rebalancing is None:
            return F.cross_entropy(logits, target, label_smoothing=self.label_smoothing)
        losses = F.cross_entropy(logits, target, label_smoothing=self.label_smoothing, reduction="none")
        # In the paper, the weight multiplies each pixel's loss, and the mean is over pixels; cross_entropy's own
        # ``weight`` would divide by the batch's sum of weights.
        return (losses * self.class_weights[target]).mean()

    def evaluate(self, split: Literal["val", "test"], output: Tensor, batch: Batch) -> None:
        """Log loss, metrics and accuracy of one batch."""
        super().evaluate(split, output, batch)
        accuracy = self.val_accuracy if split == "val" else self.test_accuracy
        accuracy.update(output.argmax(dim=1), self.coding.target(batch.original))
        self.log(f"{split}/accuracy", accuracy, prog_bar=True)

    def visualize(self, batch: Batch) -> dict[str, Tensor]:
        """Add the target in palette colours, the best possible prediction, to every task's images."""
        batch = as_batch(batch)
        images = super().visualize(batch)
        in_palette = self.palette.lookup(self.palette.encode(batch.original))
        names = list(images)
        names.insert(names.index("target"), "target in palette")
        return {name: {**images, "target in palette": in_palette}[name] for name in names}


def _frequencies(palette: Palette, images: Tensor) -> Tensor:
    """Return each colour's proportion of the pixels of uint8 images [N, 3, H, W]: float [k]."""
    counts = torch.zeros(palette.size)
    for chunk in torch.split(images, 1000):
        encoded = palette.encode(chunk.float() / 255)
        counts += torch.bincount(encoded.flatten(), minlength=palette.size)
    return counts / counts.sum()

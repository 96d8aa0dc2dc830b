"""Colours as classes: a network scores the colours of a palette."""

from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from imgcolor.colour import Decoding, Palette
from imgcolor.data import Batch, ImageDataModule
from imgcolor.tasks.base import ColourTask, LRSchedulerCallable, OptimizerCallable
from imgcolor.utils.errors import ImgcolorError


class ColourClassification(ColourTask):
    """Colour by classification: cross-entropy over the colours of a palette, pixel by pixel.

    Logged beside what every task logs: ``val/accuracy``, the share of pixels whose likeliest colour is the
    palette colour nearest to the truth.

    Args:
        network: Any module from [B, C, h, w] to scores [B, k, H, W] of the palette's k colours.
        palette: A number of colours, which a fit learns from its training images by k-means; or a JSON file
            with colours; or, in Python, a :class:`~imgcolor.colour.Palette`.
        label_smoothing: Share of the target spread evenly over all colours, in [0, 1).
        rebalancing: Weigh rare colours more, by Zhang et al. 2016 (equation 4): a colour's weight is
            1 / ((1 - x) p + x / k) for its share p of the training pixels, scaled so that the weights of all
            training pixels average 1, with this argument as x in (0, 1]; the paper takes 0.5. None weighs
            all colours alike.
        decoding: How scores become an image: ``argmax``, ``expectation`` or ``annealed``; see
            :meth:`~imgcolor.colour.Palette.decode`.
        temperature: For ``annealed`` decoding.
        optimizer: Makes the optimizer from the parameters; Adam with a learning rate of 1e-3 by default.
        lr_scheduler: Makes a scheduler from the optimizer; it steps once an epoch, ``OneCycleLR`` once a batch.
        flip_tta: Whether the mirror image is asked too, outside training, and the mean of both outputs counts.

    Raises:
        ImgcolorError: If the palette cannot be read.
        ValueError: If ``label_smoothing`` or ``rebalancing`` is out of range.
    """

    # Decoding 24 scores a pixel at every step would cost a tenth of the training's time.
    measures_training = False

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
        flip_tta: bool = False,
    ) -> None:
        super().__init__(network, optimizer, lr_scheduler, flip_tta)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing: expected a share in [0, 1), found {label_smoothing}")
        if rebalancing is not None and not 0 < rebalancing <= 1:
            raise ValueError(f"rebalancing: expected a share in (0, 1], found {rebalancing}")
        if isinstance(palette, int):
            palette = Palette(palette)
        elif not isinstance(palette, Palette):
            palette = Palette.load(palette)
        self.palette = palette
        self.label_smoothing = label_smoothing
        self.rebalancing = rebalancing
        self.decoding = decoding
        self.temperature = temperature
        self.register_buffer("class_weights", torch.ones(palette.size))
        self.val_accuracy = MulticlassAccuracy(palette.size, average="micro", validate_args=False)
        self.test_accuracy = self.val_accuracy.clone()

    def fit(self, datamodule: ImageDataModule | None) -> bool:
        """Learn palette and class weights too, the palette first: all else is counted in its colours.

        Args:
            datamodule: Has the training images.

        Returns:
            Whether there was something to learn.

        Raises:
            ImgcolorError: If there is something to learn and no datamodule.
        """
        palette = not self.palette.is_fitted or self.rebalancing is not None
        if palette:
            self._fit_palette(datamodule)
        return super().fit(datamodule) or palette

    def _fit_palette(self, datamodule: ImageDataModule | None) -> None:
        if datamodule is None:
            raise ImgcolorError(
                "ColourClassification: a palette (or its class weights) is learned from a datamodule's training "
                "images, and this fit has plain data loaders; hand one over: palette=Palette.from_images(images)"
            )
        images = datamodule.images("train").pixels
        if not self.palette.is_fitted:
            self.palette.fit(images)
        if self.rebalancing is not None:
            frequencies = _frequencies(self.palette, images)
            weights = 1 / ((1 - self.rebalancing) * frequencies + self.rebalancing / self.palette.size)
            self.class_weights.copy_(weights / (frequencies * weights).sum())

    def loss(self, output: Tensor, original: Tensor) -> Tensor:
        """Cross-entropy between scores [B, k, H, W] and the palette's nearest colours to the original."""
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
        # Colours last, as the networks' outputs lie in memory: torch takes twice the time over them as they are.
        logits = output.movedim(1, -1).reshape(-1, self.palette.size)
        target = self.target(original).flatten()
        if self.rebalancing is None:
            return F.cross_entropy(logits, target, label_smoothing=self.label_smoothing)
        losses = F.cross_entropy(logits, target, label_smoothing=self.label_smoothing, reduction="none")
        # Zhang's weight multiplies each pixel's loss, and the mean is over pixels; cross_entropy's own
        # ``weight`` would divide by the batch's sum of weights and take the effect back batch by batch.
        return (losses * self.class_weights[target]).mean()

    def target(self, original: Tensor) -> Tensor:
        """The palette's colours nearest to the originals, by number: int64 [B, H, W]."""
        return self.palette.encode(original)

    def to_rgb(self, output: Tensor) -> Tensor:
        """Decode scores [B, k, H, W] to float [B, 3, H, W] in [0, 1]."""
        return self.palette.decode(output, self.decoding, self.temperature)

    def evaluate(self, split: Literal["val", "test"], output: Tensor, original: Tensor) -> None:
        """Log loss and metrics of one batch, the accuracy too."""
        super().evaluate(split, output, original)
        accuracy = self.val_accuracy if split == "val" else self.test_accuracy
        accuracy.update(output.argmax(dim=1), self.palette.encode(original))
        self.log(f"{split}/accuracy", accuracy, prog_bar=True)

    def images(self, batch: Batch) -> dict[str, Tensor]:
        """Beside what every task shows: the target in the palette's colours, the best that there is to reach."""
        images = super().images(batch)
        reachable = self.palette.lookup(self.palette.encode(batch.original))
        names = list(images)
        names.insert(names.index("target"), "target in palette")
        return {name: {**images, "target in palette": reachable}[name] for name in names}

    def config_args(self) -> dict[str, Any]:
        """The constructor arguments beside the network."""
        return {
            "palette": self.palette.size,
            "label_smoothing": self.label_smoothing,
            "rebalancing": self.rebalancing,
            "decoding": self.decoding,
            "temperature": self.temperature,
            "flip_tta": self.flip_tta,
        }


def _frequencies(palette: Palette, images: Tensor) -> Tensor:
    """Each colour's share of the pixels of uint8 images [N, 3, H, W]: float [k]."""
    counts = torch.zeros(palette.size)
    for chunk in torch.split(images, 1000):
        encoded = palette.encode(chunk.float() / 255)
        counts += torch.bincount(encoded.flatten(), minlength=palette.size)
    return counts / counts.sum()

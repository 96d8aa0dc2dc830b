"""Write grids of validation images during training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from imgcolor.callbacks.run_folder import run_folder
from imgcolor.callbacks.thinning import is_kept
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.modes import eval_mode
from imgcolor.visualization.grids import image_grid, save_image, side_by_side


@runtime_checkable
class Visualizing(Protocol):
    """A LightningModule whose images :class:`ImageLogger` can draw."""

    def visualize(self, batch: Any) -> Mapping[str, Tensor]:
        """Return images to display.

        Args:
            batch: A batch of validation, whose tensors are cut to the first images.

        Returns:
            Name to float [B, 1 or 3, h, w] in [0, 1], in the order of display. Images named ``prediction`` and
            ``target`` are also written as pairs.
        """


class ImageLogger(Callback):
    """Writes input, prediction and target of the first validation images.

    A grid goes to ``images/`` in the run folder and to TensorBoard (``val/images``). It has one column per
    image and one row per entry that the module's ``visualize`` returns: see :class:`Visualizing`, which any
    LightningModule can follow. At the end of a fit, prediction and target of each image are written side by side to
    ``images/pairs/``. Values are not normalised.

    The folder gets all grids. TensorBoard gets the first 19, then 10 each time the length of the run doubles,
    and the last one.

    Args:
        count: Number of images, taken from the first validation batch, so they are the same in each epoch.
        every_n_epochs: Number of epochs between two grids; the last epoch always has one. 0 draws nothing.

    Raises:
        ImgcolorError: If ``count`` is below 1 or ``every_n_epochs`` below 0; at the start, if the module has no
            ``visualize`` or it returns something else.
    """

    def __init__(self, count: int = 8, every_n_epochs: int = 5) -> None:
        if count < 1:
            raise ImgcolorError(f"images.count: expected at least 1, found {count}")
        if every_n_epochs < 0:
            raise ImgcolorError(f"images.every_n_epochs: expected 0 or more, found {every_n_epochs}")
        self.count = count
        self.every_n_epochs = every_n_epochs
        self.latest: Path | None = None
        """The grid that was written last."""
        self._batch: Any = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check the module, so that errors come before training."""
        if self.every_n_epochs and stage in ("fit", "validate") and not isinstance(pl_module, Visualizing):
            raise ImgcolorError(
                f"ImageLogger: expected a module with visualize(batch), which returns name to images, found "
                f"{type(pl_module).__name__}; add this method, or leave the callback out"
            )

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first images, and draw a grid every n epochs.

        At the end of validation it would be too late: averaged weights (``EMAWeightAveraging``) are swapped
        out before.
        """
        if batch_idx > 0 or dataloader_idx > 0:
            return
        self._batch = apply_to_collection(
            batch, Tensor, lambda part: part[: self.count] if part.ndim else part
        )
        if trainer.sanity_checking:
            if self.every_n_epochs:
                self._images(pl_module)  # so that errors come before training
            return
        if trainer.state.fn != "fit":
            self._draw(trainer, pl_module, "validation.png")
        elif self.every_n_epochs and (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            kept = is_kept(trainer.current_epoch, self.every_n_epochs)
            self._draw(trainer, pl_module, _file_name(trainer.current_epoch), kept)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the last epoch, if it is not drawn yet or not in TensorBoard; write the pairs."""
        # At this point, current_epoch is the number of finished epochs.
        epoch = max(0, trainer.current_epoch - 1)
        name = _file_name(epoch)
        if self.latest is None or self.latest.name != name or not is_kept(epoch, self.every_n_epochs):
            self._draw(trainer, pl_module, name)
        self._draw_pairs(trainer, pl_module)

    def _images(self, pl_module: LightningModule) -> Mapping[str, Tensor]:
        with eval_mode(pl_module):
            images = cast("Visualizing", pl_module).visualize(self._batch)
        if not isinstance(images, Mapping) or not images:
            raise ImgcolorError(f"visualize: expected name to images, found {type(images).__name__}")
        for name, part in images.items():
            if not isinstance(part, Tensor) or part.ndim != 4 or part.shape[1] not in (1, 3):
                found = list(part.shape) if isinstance(part, Tensor) else type(part).__name__
                raise ImgcolorError(f"visualize: expected float [B, 1 or 3, h, w] as {name!r}, found {found}")
        return images

    def _draw_pairs(self, trainer: Trainer, pl_module: LightningModule) -> None:
        folder = run_folder(trainer)
        if folder is None or self._batch is None or not self.every_n_epochs:
            return
        images = self._images(pl_module)
        if "prediction" not in images or "target" not in images:
            return
        for number, pair in enumerate(zip(images["prediction"], images["target"], strict=True)):
            save_image(side_by_side(*pair), folder / "images" / "pairs" / f"{number:02d}.png")

    def _draw(
        self, trainer: Trainer, pl_module: LightningModule, name: str, to_tensorboard: bool = True
    ) -> None:
        folder = run_folder(trainer)
        if folder is None or self._batch is None or not self.every_n_epochs:
            return
        image = image_grid(self._images(pl_module))
        self.latest = folder / "images" / name
        save_image(image, self.latest)
        for logger in trainer.loggers:
            if to_tensorboard and isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(
                    "val/images", np.asarray(image), trainer.global_step, dataformats="HWC"
                )


def _file_name(epoch: int) -> str:
    return f"epoch_{epoch:04d}.png"

"""Write grids of validation images during training."""

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from imgcolor.callbacks.run_folder import run_folder
from imgcolor.callbacks.thinning import is_kept
from imgcolor.data.batch import Batch
from imgcolor.tasks import ColourTask
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.modes import eval_mode
from imgcolor.visualization.grids import image_grid, save_image, side_by_side


class ImageLogger(Callback):
    """Writes input, prediction and target of the first validation images.

    A grid goes to ``images/`` in the run folder and to TensorBoard (``val/images``). It has one column per
    image and one row per entry of the task's ``images``. At the end of a fit, prediction and target of each
    image are written side by side to ``images/pairs/``. Values are not normalised.

    The folder gets all grids. TensorBoard gets the first 19, then 10 each time the length of the run doubles,
    and the last one.

    Args:
        count: Number of images, taken from the first validation batch, so they are the same in each epoch.
        every_n_epochs: Number of epochs between two grids; the last epoch always has one. 0 draws nothing.

    Raises:
        ImgcolorError: If ``count`` is below 1 or ``every_n_epochs`` below 0.
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
        self._batch: Batch | None = None

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first images, and draw a grid every n epochs.

        At the end of validation it would be too late: averaged weights (``EMAWeightAveraging``) are swapped
        out before.
        """
        if batch_idx > 0 or dataloader_idx > 0:
            return
        self._batch = Batch(batch.degraded[: self.count], batch.original[: self.count])
        if trainer.sanity_checking:
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

    def _draw_pairs(self, trainer: Trainer, pl_module: LightningModule) -> None:
        folder = run_folder(trainer)
        if folder is None or self._batch is None or not self.every_n_epochs:
            return
        with eval_mode(pl_module):
            predictions = pl_module(self._batch.degraded)
        for number, (prediction, target) in enumerate(zip(predictions, self._batch.original, strict=True)):
            path = folder / "images" / "pairs" / f"{number:02d}.png"
            save_image(side_by_side(prediction, target), path)

    def _draw(
        self, trainer: Trainer, pl_module: LightningModule, name: str, to_tensorboard: bool = True
    ) -> None:
        folder = run_folder(trainer)
        if folder is None or self._batch is None or not self.every_n_epochs:
            return
        if not isinstance(pl_module, ColourTask):
            raise TypeError(f"ImageLogger: expected a ColourTask, found {type(pl_module).__name__}")
        with eval_mode(pl_module):
            image = image_grid(pl_module.images(self._batch))
        self.latest = folder / "images" / name
        save_image(image, self.latest)
        for logger in trainer.loggers:
            if to_tensorboard and isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(
                    "val/images", np.asarray(image), trainer.global_step, dataformats="HWC"
                )


def _file_name(epoch: int) -> str:
    return f"epoch_{epoch:04d}.png"

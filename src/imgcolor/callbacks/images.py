"""Images of a few validation images while a network trains."""

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
    """Shows the first validation images as the network sees, colours and should colour them.

    Writes a grid to TensorBoard (``val/images``) and to ``images/`` in the run's folder: a column an image, a
    row each for what the task's ``images`` gives. When a fit ends, each image's prediction and target are
    written beside each other into ``images/pairs/``. Values are shown as they are, never normalised.

    TensorBoard gets the first 19 grids, then 10 in the time that the run doubles, and the last one; the folder
    gets all.

    Args:
        count: Number of images: the first of the first validation batch, so the same in every epoch.
        every_n_epochs: Draw after every so many epochs, and after the last one in any case; 0 draws nothing.

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
        """The image written last."""
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
        """Keep the first images, and draw them if it is this epoch's turn.

        Here and not at the end, where averaged weights (``EMAWeightAveraging``) have been taken away again.
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
        """Draw the last epoch, if that was not its turn or TensorBoard has not got it."""
        # current_epoch counts finished epochs by now.
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

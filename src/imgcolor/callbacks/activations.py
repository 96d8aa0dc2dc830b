"""Write activation maps of a network during training."""

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from imgcolor.callbacks.run_folder import run_folder
from imgcolor.callbacks.thinning import is_kept
from imgcolor.data.batch import Batch, as_batch
from imgcolor.tasks import ColourTask
from imgcolor.utils.errors import ImgcolorError
from imgcolor.visualization.activations import activation_grid, capture, find_modules, write_activations


class ActivationLogger(Callback):
    """Writes the activation maps of the network's blocks for the first validation images.

    The folder ``activations/epoch_NNNN/`` of the run gets one grid of maps per image and block, and the table
    ``activations.csv`` (see :func:`~imgcolor.visualization.activations.write_activations`). TensorBoard gets
    the grids of the first image (``activations/MODULE``), less and less often in a long run, as with
    :class:`ImageLogger`.

    Args:
        count: Number of images, taken from the first validation batch, so they are the same in each epoch.
        every_n_epochs: Number of epochs between two drawings. 0 draws only after the last epoch, which is
            always drawn.
        modules: Names of modules inside the network, such as ``downconv1``; by default all direct children
            that return maps.

    Raises:
        ImgcolorError: If ``count`` is below 1 or ``every_n_epochs`` below 0; at the start of a fit, if the
            network has no module with a given name.
    """

    def __init__(self, count: int = 2, every_n_epochs: int = 0, modules: list[str] | None = None) -> None:
        if count < 1:
            raise ImgcolorError(f"ActivationLogger.count: expected at least 1, found {count}")
        if every_n_epochs < 0:
            raise ImgcolorError(
                f"ActivationLogger.every_n_epochs: expected 0 or more, found {every_n_epochs}"
            )
        self.count = count
        self.every_n_epochs = every_n_epochs
        self.modules = modules or []
        self.latest: Path | None = None
        """The folder that was written last."""
        self._degraded: Tensor | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the names of modules, so that errors come before training."""
        find_modules(_task(pl_module).network, self.modules)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first images, and draw every n epochs, with the weights that are validated."""
        if batch_idx > 0 or dataloader_idx > 0:
            return
        self._degraded = as_batch(batch).degraded[: self.count]
        if trainer.sanity_checking or trainer.state.fn != "fit" or not self.every_n_epochs:
            return
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            kept = is_kept(trainer.current_epoch, self.every_n_epochs)
            self._draw(trainer, pl_module, trainer.current_epoch, kept)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the last epoch, if it is not drawn yet or not in TensorBoard."""
        # At this point, current_epoch is the number of finished epochs.
        epoch = max(0, trainer.current_epoch - 1)
        drawn = self.latest is not None and self.latest.name == _folder_name(epoch)
        if not drawn or not is_kept(epoch, self.every_n_epochs):
            self._draw(trainer, pl_module, epoch)

    def _draw(
        self, trainer: Trainer, pl_module: LightningModule, epoch: int, to_tensorboard: bool = True
    ) -> None:
        folder = run_folder(trainer)
        if folder is None or self._degraded is None:
            return
        task = _task(pl_module)
        images = task.coding.network_input(self._degraded)
        names = [f"image_{number}" for number in range(len(images))]
        self.latest = folder / "activations" / _folder_name(epoch)
        write_activations(task.network, images, names, self.latest, self.modules)
        for logger in trainer.loggers:
            if to_tensorboard and isinstance(logger, TensorBoardLogger):
                for name, maps in capture(task.network, images[:1], self.modules).items():
                    image = np.asarray(activation_grid(maps[0], name))
                    logger.experiment.add_image(
                        f"activations/{name}", image, trainer.global_step, dataformats="HWC"
                    )


def _task(module: LightningModule) -> ColourTask:
    if not isinstance(module, ColourTask):
        raise ImgcolorError(
            f"ActivationLogger: expected a ColourTask, found {type(module).__name__}; for other modules, use "
            "imgcolor.visualization.activations"
        )
    return module


def _folder_name(epoch: int) -> str:
    return f"epoch_{epoch:04d}"

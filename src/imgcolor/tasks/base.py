"""The base class of all tasks: optimizer, metrics, predictions and checkpoints."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MetricCollection

from imgcolor.colour import OutputCoding
from imgcolor.data import Batch, ImageDataModule
from imgcolor.data.batch import as_batch
from imgcolor.networks.flip_tta import run_network
from imgcolor.tasks.checkpointing import CheckpointedModule
from imgcolor.tasks.compatibility import check_callbacks, make_weights_contiguous
from imgcolor.tasks.fitting import fit_tables, restart_weight_averaging
from imgcolor.tasks.measuring import MeanLoss, images_with_prediction, make_metrics
from imgcolor.tasks.schedules import LRInterval, LRSchedulerCallable, with_schedule
from imgcolor.tasks.transfer import init_network
from imgcolor.utils.errors import DivergedError, ImgcolorError

OptimizerCallable = Callable[[Iterable[nn.Parameter]], Optimizer]


class ColourTask(CheckpointedModule, ABC):
    """Train a network that restores colour images from degraded ones.

    A subclass defines the loss and gives the output coding. Called with degraded images, a task returns RGB
    images.

    Logged under ``val/`` and ``test/``: ``loss``, ``mse``, ``psnr`` (dB, of the mean squared error over all pixels of
    all images), ``margin12`` and ``margin12_error``. All but the loss are computed on images in [0, 1]. ``train/``
    always has the loss, the other metrics only with :attr:`log_train_metrics`. A loss that is not finite ends the
    training with a :class:`~imgcolor.utils.errors.DivergedError`.

    Args:
        network: Any module from [B, C, h, w] to the input of ``coding.to_rgb``.
        coding: The output coding: the loss's targets, and the conversion of the network's output to RGB.
        optimizer: Builds the optimizer from the parameters, such as ``functools.partial(torch.optim.SGD, lr=0.1)``.
        lr_scheduler: Builds a scheduler from the optimizer. ``ReduceLROnPlateau`` monitors ``val/loss``.
        lr_interval: Whether the scheduler steps once an ``epoch`` or a ``step``, where OneCycleLR needs no length.
        flip_tta: Whether all but training uses the mean of the outputs for an image and for its mirror image.
        init_from: A model whose weights the training starts from: the name of one that comes with the package, or the
            path of a checkpoint. Weights with the same name and shape are copied.
        compile: Whether training steps use ``torch.compile``. Checkpoints stay the same.
    """

    log_train_metrics = True
    """Whether metrics other than the loss are logged in training too."""

    may_diverge = False
    """Whether training goes on with a loss that is not finite, as in a search for the learning rate."""

    def __init__(
        self,
        network: nn.Module,
        coding: OutputCoding,
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        lr_interval: LRInterval = "epoch",
        flip_tta: bool = False,
        init_from: str | None = None,
        compile: bool = False,
    ) -> None:
        super().__init__()
        # Convolutions on the CPU take half the time with weights in the memory format channels_last.
        self.network = network.to(memory_format=torch.channels_last)
        self.coding = coding
        self.flip_tta = flip_tta
        self.init_from = init_from
        self._compile = compile
        self._make_optimizer = optimizer
        self._make_lr_scheduler = lr_scheduler
        self._lr_interval = lr_interval
        self.train_loss = MeanLoss()
        # Codings give images in [0, 1]. To check that at each step would cost time, and on a GPU a synchronisation.
        self.train_metrics = make_metrics("train/", validate_args=False)
        self.val_metrics = make_metrics("val/")
        self.test_metrics = make_metrics("test/")
        self._last_finite_loss: Tensor | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, in less time than torch where it is text.

        Lightning sets the name of the current hook about 50 times per step. torch searches all weights, buffers and
        modules of the task for an attribute before it sets it.
        """
        if (value is None or isinstance(value, str)) and name in self.__dict__:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @abstractmethod
    def loss(self, output: Tensor, original: Tensor) -> Tensor:
        """Return the training loss, a scalar: the mean over the batch.

        Args:
            output: The network's output for a batch.
            original: Float [B, 3, H, W] in [0, 1].
        """

    def forward(self, degraded: Tensor) -> Tensor:
        """Restore degraded images, float [B, C, h, w] in [0, 1], to float [B, 3, H, W] in [0, 1]."""
        return self.coding.to_rgb(self.run_network(degraded), degraded)

    def run_network(self, degraded: Tensor) -> Tensor:
        """Return the network's output for degraded images, float [B, C, h, w] in [0, 1]."""
        images, flip = self.coding.network_input(degraded), self.flip_tta and not self.training
        if self.training or not self._compile:
            return run_network(self.network, images, flip_tta=flip)
        with torch.compiler.set_stance("force_eager"):  # compiling again takes longer than evaluation
            return run_network(self.network, images, flip_tta=flip)

    def training_output(self, batch: Batch) -> Tensor:
        """Return the network's output for a training batch. Subclasses can add inputs, such as colour hints."""
        return self.run_network(batch.degraded)

    def visualize(self, batch: Batch) -> dict[str, Tensor]:
        """Return images of a batch to display: name to float [B, C, h, w] in [0, 1], in the order of display."""
        batch = as_batch(batch)
        return images_with_prediction(batch, self(batch.degraded))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch: a :class:`~imgcolor.data.Batch` or a pair of tensors."""
        batch = as_batch(batch)
        output = self.training_output(batch)
        loss = self._checked_loss("train", output, batch.original)
        self.train_loss.update(loss.detach(), len(output))
        if self.log_train_metrics:
            with torch.no_grad():
                self.update_metrics(self.train_metrics, output, batch)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Log the training metrics after the last batch of an epoch."""
        trainer = self.trainer  # Logging at each step would cost as much as a small network.
        if trainer.is_last_batch or trainer.should_stop or trainer.global_step == trainer.max_steps:
            self.log("train/loss", self.train_loss, on_epoch=True, on_step=False, prog_bar=True)
            if self.log_train_metrics:
                self.log_dict(self.train_metrics, on_epoch=True, on_step=False)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log loss and metrics of one batch."""
        batch = as_batch(batch)
        self.evaluate("val", self.run_network(batch.degraded), batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Log loss and metrics of one batch."""
        batch = as_batch(batch)
        self.evaluate("test", self.run_network(batch.degraded), batch)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the restored images of one batch: float [B, 3, H, W] in [0, 1]."""
        return self.forward(as_batch(batch).degraded)

    def evaluate(self, split: Literal["val", "test"], output: Tensor, batch: Batch) -> None:
        """Log loss and metrics of one batch under ``val/`` or ``test/``."""
        loss = self._checked_loss(split, output, batch.original)
        # As a float, because Lightning rounds the mean of integers over ranks down.
        count: Any = float(len(output))
        self.log(f"{split}/loss", loss, prog_bar=True, batch_size=count, sync_dist=True)
        metrics = self.val_metrics if split == "val" else self.test_metrics
        self.update_metrics(metrics, output, batch)
        self.log_dict(metrics)

    def update_metrics(self, metrics: MetricCollection, output: Tensor, batch: Batch) -> None:
        """Add the images of one batch to metrics.

        Args:
            metrics: The metrics.
            output: The network's output.
            batch: The degraded images and the originals.
        """
        restored = self.coding.to_rgb(output, batch.degraded)
        # torchmetrics' MeanSquaredError needs contiguous tensors, and sums in the images' own precision.
        metrics.update(restored.float().contiguous(), batch.original.float().contiguous())

    def check_output_size(self, output: Tensor, original: Tensor) -> None:
        """Raise an error unless the output has the height and width of the original."""
        if output.shape[-2:] != original.shape[-2:]:
            raise ImgcolorError(
                f"network: expected an output of the original's height and width {list(original.shape[-2:])}, "
                f"found {list(output.shape[-2:])}; set the network's scale_factor to the data's"
            )

    def _checked_loss(self, split: str, output: Tensor, original: Tensor) -> Tensor:
        self.check_output_size(output, original)
        loss = self.loss(output, original)
        if not self.may_diverge and not loss.isfinite():
            raise DivergedError(_divergence_message(self, split, loss.item(), self._last_finite_loss))
        self._last_finite_loss = loss.detach()
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimizer and the scheduler."""
        optimizer = self._make_optimizer(self.parameters())
        return with_schedule(
            optimizer, self._make_lr_scheduler, self._lr_interval, self, self.resumed_schedules
        )

    def setup(self, stage: str) -> None:
        """Keep the datamodule's degradation; before a fit, copy given weights and fit tables to the training images."""
        datamodule = getattr(self.trainer, "datamodule", None)
        self.degradation = getattr(datamodule, "degradation", self.degradation)
        if stage != "fit":
            return
        check_callbacks(self.trainer, self)
        self.warn_of_missing_configs()
        datamodule = datamodule if isinstance(datamodule, ImageDataModule) else None
        if datamodule is not None:
            self.image_size = datamodule.images("train").pixels.shape[-2]
        if self.init_from is not None:
            init_network(self.network, self.init_from)
        if self.fit(datamodule) or self.init_from is not None:
            restart_weight_averaging(self.trainer, self)
        if self._compile:
            self.network.compile()  # in place, so the names of the weights stay

    def on_train_start(self) -> None:
        """Change the memory format of the weights for optimizers and callbacks that need it."""
        make_weights_contiguous(self.trainer, self.network)

    def fit(self, datamodule: ImageDataModule | None) -> bool:
        """Fit what is not trained by gradients, such as the network's tables, to the training images.

        Args:
            datamodule: Has the training images.

        Returns:
            Whether there was something to fit.

        Raises:
            ImgcolorError: If there is something to fit and no datamodule.
        """
        return fit_tables(self.network, self.coding, datamodule, self.device)


def _divergence_message(task: ColourTask, split: str, loss: float, last: Tensor | None) -> str:
    if task.trainer.state.fn != "fit":
        return f"the {split} loss is {loss}: the weights or the images hold values that are not finite"
    found = "none was finite before" if last is None else f"the last finite one was {last.item():.4g}"
    rates = ", ".join(f"{g['lr']:g}" for o in task.trainer.optimizers for g in o.param_groups)
    lower = f" (now {rates})" if rates else ""
    return (
        f"training diverged: the {split} loss is {loss} in epoch {task.current_epoch}, step {task.global_step} "
        f"({found}); lower the learning rate{lower}, or clip gradients with --trainer.gradient_clip_val"
    )

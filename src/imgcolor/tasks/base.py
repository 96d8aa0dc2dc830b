"""What every task shares: optimizer, metrics, predictions, and a checkpoint that stands alone."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.types import LRSchedulerConfigType, OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau
from torchmetrics import MeanMetric, MeanSquaredError, MetricCollection

import imgcolor
from imgcolor.baselines import GreyLookup, fitting_baselines
from imgcolor.checkpoints.config import class_path, get_config
from imgcolor.checkpoints.files import KEY, load_task
from imgcolor.data import Batch, ImageDataModule
from imgcolor.metrics import MarginAccuracy, MarginError, PeakSignalNoiseRatio
from imgcolor.optim.muon import hasten
from imgcolor.utils.errors import DivergedError, ImgcolorError

OptimizerCallable = Callable[[Iterable[nn.Parameter]], Optimizer]
LRSchedulerCallable = Callable[[Optimizer], LRScheduler | ReduceLROnPlateau]


class ColourTask(LightningModule, ABC):
    """A network that gives colour images back from degraded ones.

    A subclass says what the loss is and how the network's output becomes an image. Called with degraded
    images, a task gives colour images; ``task.network`` is the bare network.

    Logged under ``val/`` and ``test/``, and under ``train/`` where the task measures training: ``loss``, ``mse``
    (on the [0, 1] scale), ``psnr`` (dB, of the mean squared error over all pixels of all images), ``margin12`` and
    ``margin12_error``, all but the first of the images that a user would see.

    A loss that is not finite ends the training with a :class:`~imgcolor.utils.errors.DivergedError`.

    Args:
        network: Any module from [B, C, h, w] to what the loss takes.
        optimizer: Makes the optimizer from the parameters, such as ``torch.optim.Adam`` (learning rate 1e-3)
            or ``functools.partial(torch.optim.SGD, lr=0.1)``; in YAML a class path with its arguments.
        lr_scheduler: Makes a scheduler from the optimizer; it steps once an epoch. ``ReduceLROnPlateau``
            watches ``val/loss``. ``OneCycleLR`` steps once a batch, and its ``total_steps`` need not be given.
        flip_tta: Whether the network also sees the mirror image in validation, test and prediction, and the mean
            of both outputs counts: twice the work for a little more accuracy.
    """

    # Training alone needs these, and they are functions, so a checkpoint's config leaves them out.
    not_in_config = ("optimizer", "lr_scheduler")

    measures_training = True
    """Whether ``train/`` metrics are logged beside the loss; off where making images costs too much a step."""

    def __init__(
        self,
        network: nn.Module,
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        flip_tta: bool = False,
    ) -> None:
        super().__init__()
        # Convolutions on the CPU take half the time with their weights in this order, and give the same figures.
        self.network = network.to(memory_format=torch.channels_last)
        self.degradation: nn.Module | None = None
        """What the network was trained to undo; known after a fit with a datamodule, or from a checkpoint."""
        self.image_size: int | None = None
        """Height of the images that it was trained on; known likewise."""
        self._make_optimizer = optimizer
        self._make_lr_scheduler = lr_scheduler
        self.flip_tta = flip_tta
        metrics = MetricCollection(
            {
                "mse": MeanSquaredError(),
                "psnr": PeakSignalNoiseRatio(),
                "margin12": MarginAccuracy(12),
                "margin12_error": MarginError(12),
            }
        )
        self.train_loss = MeanMetric()
        self.train_metrics = metrics.clone(prefix="train/")
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")
        self._last_finite_loss: Tensor | None = None
        self._resumed_steps: int | None = None

    @abstractmethod
    def loss(self, output: Tensor, original: Tensor) -> Tensor:
        """The training loss.

        Args:
            output: What the network gave for a batch.
            original: Float [B, 3, H, W] in [0, 1].

        Returns:
            A scalar, the mean over the batch.
        """

    @abstractmethod
    def to_rgb(self, output: Tensor) -> Tensor:
        """Turn the network's output into images.

        Args:
            output: What the network gave for a batch.

        Returns:
            Float [B, 3, H, W] in [0, 1].
        """

    def forward(self, degraded: Tensor) -> Tensor:
        """Give colour images back.

        Args:
            degraded: Float [B, C, h, w] in [0, 1].

        Returns:
            Float [B, 3, H, W] in [0, 1].
        """
        return self.to_rgb(self.run_network(degraded))

    def network_input(self, degraded: Tensor) -> Tensor:
        """What the network is given for degraded images: the task's door, where another range begins."""
        return degraded

    def run_network(self, degraded: Tensor) -> Tensor:
        """The network's output for degraded images, float [B, C, h, w] in [0, 1]."""
        images = self.network_input(degraded)
        output: Tensor = self.network(images)
        if self.flip_tta and not self.training:
            output = (output + self.network(images.flip(-1)).flip(-1)) / 2
        return output

    def target(self, original: Tensor) -> Tensor:
        """What the network's output is compared with.

        Args:
            original: Float [B, 3, H, W] in [0, 1].

        Returns:
            The originals on the network's scale, or in the network's terms.
        """
        return original

    def images(self, batch: Batch) -> dict[str, Tensor]:
        """What there is to see of a batch: name to float [B, C, h, w] in [0, 1], in the order of display."""
        images = {"input": batch.degraded, "prediction": self(batch.degraded), "target": batch.original}
        if batch.degraded.shape[-2:] == batch.original.shape[-2:]:
            return images
        simple = {name: baseline(batch.degraded) for name, baseline in fitting_baselines(batch).items()}
        order = ("input", "target", "prediction", "bilinear", "bicubic")
        return {name: {**images, **simple}[name] for name in order}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch, and metrics where the task measures training too."""
        output = self.run_network(batch.degraded)
        loss = self._checked_loss("train", output, batch.original)
        self.train_loss.update(loss.detach(), len(output))
        if self.measures_training:
            with torch.no_grad():
                self._measure(self.train_metrics, output, batch.original)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Log the training figures, if the epoch ends here."""
        trainer = self.trainer
        # Once an epoch: Lightning's bookkeeping for each logged value and step costs as much as a small network.
        if trainer.is_last_batch or trainer.should_stop or trainer.global_step == trainer.max_steps:
            self.log("train/loss", self.train_loss, on_epoch=True, on_step=False, prog_bar=True)
            if self.measures_training:
                self.log_dict(self.train_metrics, on_epoch=True, on_step=False)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and metrics of one batch."""
        self.evaluate("val", self.run_network(batch.degraded), batch.original)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and metrics of one batch."""
        self.evaluate("test", self.run_network(batch.degraded), batch.original)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Colour images of one batch: float [B, 3, H, W] in [0, 1]."""
        images: Tensor = self(batch.degraded)
        return images

    def evaluate(self, split: Literal["val", "test"], output: Tensor, original: Tensor) -> None:
        """Log loss and metrics of one batch.

        Args:
            split: Whose names they are logged under.
            output: What the network gave.
            original: Float [B, 3, H, W] in [0, 1].

        Raises:
            DivergedError: If the loss is not finite.
        """
        loss = self._checked_loss(split, output, original)
        # A float: of whole numbers Lightning rounds the mean over processes down.
        count: Any = float(len(output))
        self.log(f"{split}/loss", loss, prog_bar=True, batch_size=count, sync_dist=True)
        metrics = self.val_metrics if split == "val" else self.test_metrics
        self._measure(metrics, output, original)
        self.log_dict(metrics)

    def _measure(self, metrics: MetricCollection, output: Tensor, original: Tensor) -> None:
        # torchmetrics' mean squared error takes no other strides, which convolutions give, and adds up in the
        # images' own precision.
        metrics.update(self.to_rgb(output).float().contiguous(), original.float().contiguous())

    def _checked_loss(self, split: str, output: Tensor, original: Tensor) -> Tensor:
        """The loss, if it is finite: what follows would only write broken weights and figures."""
        if output.shape[-2:] != original.shape[-2:]:
            raise ImgcolorError(
                f"network: expected an output of the original's height and width {list(original.shape[-2:])}, "
                f"found {list(output.shape[-2:])}; where the data's scale_factor is not 1, the network's must "
                "be the same number"
            )
        loss = self.loss(output, original)
        if not loss.isfinite():
            raise DivergedError(self._divergence(split, loss))
        self._last_finite_loss = loss.detach()
        return loss

    def _divergence(self, split: str, loss: Tensor) -> str:
        last = self._last_finite_loss
        found = "none was finite before" if last is None else f"the last finite one was {last.item():.4g}"
        if self.trainer.state.fn != "fit":
            return f"the {split} loss is {loss.item()}: the weights or the images hold values that are not finite"
        rates = ", ".join(f"{g['lr']:g}" for o in self.trainer.optimizers for g in o.param_groups)
        lower = f" (now {rates})" if rates else ""
        return (
            f"training diverged: the {split} loss is {loss.item()} in epoch {self.current_epoch}, step "
            f"{self.global_step} ({found}); lower the learning rate{lower}, or clip gradients with "
            "--trainer.gradient_clip_val"
        )

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer and, where there is one, the scheduler."""
        optimizer = self._make_optimizer(self.parameters())
        hasten(optimizer)
        if self._make_lr_scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self._schedule(self._make_lr_scheduler, optimizer)}

    def _schedule(self, make: LRSchedulerCallable, optimizer: Optimizer) -> LRSchedulerConfigType:
        # The command line hands a class over as an argument of a partial function.
        made_of = (make, getattr(make, "func", None), *getattr(make, "args", ()))
        if OneCycleLR not in made_of:
            return {"scheduler": make(optimizer), "monitor": "val/loss"}
        given: dict[str, Any] = getattr(make, "keywords", {})
        length = {}
        if given.get("total_steps") is None and given.get("epochs") is None:
            steps = self.trainer.estimated_stepping_batches
            if math.isinf(steps):
                raise ImgcolorError(
                    "OneCycleLR: expected a training of known length, found none; give --trainer.max_epochs, or "
                    "the scheduler's total_steps"
                )
            if self._resumed_steps not in (None, steps):
                raise ImgcolorError(
                    f"OneCycleLR: the checkpoint's cycle has {self._resumed_steps} steps, but this run would have "
                    f"{steps:.0f}; a cycle cannot become longer or shorter: give the --trainer.max_epochs of the "
                    "checkpoint's run"
                )
            length["total_steps"] = int(steps)
        return {"scheduler": partial(make, **length)(optimizer), "interval": "step"}

    def setup(self, stage: str) -> None:
        """Take the degradation over from the datamodule."""
        datamodule = getattr(self.trainer, "datamodule", None)
        self.degradation = getattr(datamodule, "degradation", self.degradation)
        if stage == "fit" and isinstance(datamodule, ImageDataModule):
            self.image_size = datamodule.images("train").pixels.shape[-2]
        if stage == "fit" and get_config(self.network) is None:
            rank_zero_warn(
                f"{class_path(type(self.network))} does not keep every constructor argument as an attribute of "
                "the same name, so checkpoints hold its weights but not how to build it; to load one, hand the "
                "network over: load_task(path, network=...)"
            )
        if stage == "fit" and self.fit(datamodule if isinstance(datamodule, ImageDataModule) else None):
            for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # the trainer has them
                # It has copied the task before the task had learned.
                if isinstance(callback, WeightAveraging):
                    callback.setup(self.trainer, self, stage)

    def fit(self, datamodule: ImageDataModule | None) -> bool:
        """Learn what the training images have to teach before the first step: the tables in the network.

        Args:
            datamodule: Has the training images.

        Returns:
            Whether there was something to learn.

        Raises:
            ImgcolorError: If there is something to learn and no datamodule of imgcolor, or if it does not fit.
        """
        tables = [m for m in self.network.modules() if isinstance(m, GreyLookup) and not m.is_fitted]
        for table in tables:
            if datamodule is None:
                raise ImgcolorError(
                    "GreyLookup: a table is learned from a datamodule's training images, and this fit has plain "
                    "data loaders; hand a learned one over: table.learn(...)"
                )
            try:
                table.fit(self.pairs(datamodule.images("train").pixels, datamodule), self._greys(table))
            except ValueError as error:
                raise ImgcolorError(f"the network's table does not fit the task: {error}") from error
        return bool(tables)

    def _greys(self, table: GreyLookup) -> Tensor | None:
        """What the network is to give for grey pixels of each level, for levels that no image has."""
        ramp = self.target(torch.linspace(0, 1, table.levels, device=self.device).expand(1, 3, 1, -1))
        return ramp[0, :, 0].mT if ramp.is_floating_point() else None

    def pairs(self, pixels: Tensor, datamodule: ImageDataModule) -> Iterator[tuple[Tensor, Tensor]]:
        """Images in batches, as the network meets them, without augmentation.

        Args:
            pixels: uint8 [N, 3, H, W].
            datamodule: What degrades them.

        Yields:
            The network's input and what its output is compared with.
        """
        for chunk in torch.split(pixels, 250):
            batch = datamodule.batch(chunk.to(self.device))
            yield self.network_input(batch.degraded), self.target(batch.original)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the config that makes the file stand alone."""
        checkpoint[KEY] = {
            "version": imgcolor.__version__,
            "task": self.config(),
            "degradation": None if self.degradation is None else get_config(self.degradation),
            "image_size": self.image_size,
        }

    def config(self) -> dict[str, Any]:
        """How this task was built, with None for a network that cannot be described."""
        network = get_config(self.network)
        return {"class_path": class_path(type(self)), "init_args": {"network": network, **self.config_args()}}

    @abstractmethod
    def config_args(self) -> dict[str, Any]:
        """The subclass's own constructor arguments, as plain data."""

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another task or network before its weights are tried."""
        self.refuse_another(checkpoint, "the checkpoint")
        schedules = checkpoint.get("lr_schedulers", [])
        self._resumed_steps = schedules[0].get("total_steps") if schedules else None

    def refuse_another(self, checkpoint: dict[str, Any], name: str) -> None:
        """Compare a checkpoint with this task.

        Args:
            checkpoint: What the file holds.
            name: The file, for the message.

        Raises:
            ImgcolorError: If it holds another kind of task or network, or one of another shape.
        """
        if KEY not in checkpoint:
            raise ImgcolorError(f"{name}: expected a checkpoint of imgcolor, found another program's")
        found, expected = checkpoint[KEY]["task"], self.config()
        hint = "give the configuration of the checkpoint's own run: the config.yaml in its folder"
        if _classes(found) != _classes(expected):
            raise ImgcolorError(
                f"{name} holds {_classes(found)}, but the configuration builds {_classes(expected)}; {hint}"
            )
        shapes = [_shape(config["init_args"]) for config in (found, expected)]
        for key in sorted(shapes[0].keys() | shapes[1].keys()):
            values = [shape.get(key) for shape in shapes]
            if values[0] != values[1]:
                raise ImgcolorError(
                    f"{name} holds {key} {values[0]}, but the configuration builds {key} {values[1]}; {hint}"
                )

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]  # fewer options: configs replace hparams files
        cls, checkpoint_path: Path | str, map_location: Any = "cpu", **kwargs: Any
    ) -> Self:
        """Bring a trained task back: :func:`imgcolor.checkpoints.load_task` for this class, which it may name.

        Raises:
            ImgcolorError: If the checkpoint is of another class.
        """
        allowed = kwargs.pop("allow_import", ())
        allowed = [class_path(cls), *([allowed] if isinstance(allowed, str) else allowed)]
        task = load_task(checkpoint_path, map_location=map_location, allow_import=allowed, **kwargs)
        if not isinstance(task, cls):
            raise ImgcolorError(
                f"{checkpoint_path}: expected a checkpoint of {cls.__name__}, found {type(task).__name__}; "
                f"load it with {type(task).__name__}.load_from_checkpoint or with imgcolor.checkpoints.load_task"
            )
        return task


def _classes(config: dict[str, Any]) -> str:
    def name(config: dict[str, Any] | None) -> str:
        return "a network" if config is None else config["class_path"].rpartition(".")[2]

    return f"{name(config)}({name(config['init_args']['network'])})"


def _shape(init_args: dict[str, Any]) -> dict[str, Any]:
    """What decides the weights' shapes: the network's arguments and the number of colours."""
    network = (init_args["network"] or {}).get("init_args", {})
    shape = {f"network.{name}": _by_name(value) for name, value in network.items()}
    return shape | {"palette": init_args.get("palette")}


def _by_name(value: Any) -> Any:
    """A config with its classes by name alone: one class can be imported from several places."""
    if not isinstance(value, dict) or "class_path" not in value:
        return value
    arguments = {name: _by_name(inner) for name, inner in value.get("init_args", {}).items()}
    return {"class": value["class_path"].rpartition(".")[2], **arguments}

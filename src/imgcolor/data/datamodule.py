"""The base class of all DataModules."""

import os
from pathlib import Path

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.trainer.states import TrainerStatus
from torch import Tensor, nn
from torch.utils.data import DataLoader

from imgcolor.data.batch import Batch
from imgcolor.data.holdout import split_holdout
from imgcolor.data.loaders import TrainingLoader, evaluation_loader
from imgcolor.data.samplers import EvaluationSampler, InMemoryImages, TrainingSampler
from imgcolor.data.sources.base import ImageSet, ImageSource, Split
from imgcolor.data.sources.stream import StreamSource
from imgcolor.utils.errors import ImgcolorError

_GPU_MEMORY_FRACTION = 0.25
"""Largest fraction of the free GPU memory that the images of a split may take."""

_SPLITS_OF_STAGE: dict[str, tuple[Split, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
    "predict": ("test",),
}


class ImageDataModule(LightningDataModule):
    """Batches of images, degraded on the device of the model.

    The images of a split are read once and stay in memory as uint8. On an NVIDIA GPU they are copied to its
    memory if a split takes at most a quarter of what is free there; otherwise each batch is copied.

    Args:
        source: Where the images come from: an object with ``load(split) -> ImageSet``, or a name that
            :meth:`make_source` accepts.
        degradation: A module from float [B, 3, H, W] in [0, 1] to the input of the network, float [B, C, h,
            w] in [0, 1].
        root: Folder of the images of a named source; for ``stream`` also a URL, such as ``s3://BUCKET/FOLDER``.
        size: Height and width of the images of a named source, in pixels; other images are resized and
            centre-cropped.
        train_images: Number of drawn training images of the source ``synthetic``.
        val_images: Number of drawn validation images of the source ``synthetic``.
        memory_limit: GiB of memory that the images of one split of a folder may take. A larger split is
            decoded once into a file in the cache folder (``XDG_CACHE_HOME``) and read from there. Half of the
            free memory by default.
        batch_size: Number of images in a training batch.
        eval_batch_size: Number of images in a batch of validation, test and prediction. It changes no result.
        seed: Seed for the order of the training images. None takes the seed of the run (``seed_everything``),
            or 0 if there is none.
        shuffle: Whether the training images have a new order in each epoch. A fixed order makes the loss fall
            smoothly, which ``EpsilonPatience`` needs.
        augmentation: A module that changes training images, from uint8 [B, 3, H, W] to the same, such as
            :class:`~imgcolor.data.FlipAndShift`.
        variations: Modules that change the degraded training images at random, one after the other, from float [B, C,
            h, w] in [0, 1] to the same, such as :class:`~imgcolor.data.PhotoVariation`. The original stays, so a
            network learns to undo them.
        workers: Number of processes that read a stream; other sources need none.
        holdout: Fraction of the training images, in [0, 1), that a fit does not train on, and uses in place of
            the validation images, the same in every run. Choose settings with it; the validation images stay unused.

    Raises:
        ImgcolorError: If an argument is out of range, or the name of the source is unknown.
    """

    def __init__(
        self,
        source: ImageSource | str,
        degradation: nn.Module,
        *,
        root: str | Path = Path("data"),  # in this order, because Path would change the slashes of a URL
        size: int = 32,
        train_images: int = 2000,
        val_images: int = 500,
        memory_limit: float | None = None,
        batch_size: int = 100,
        eval_batch_size: int = 250,
        seed: int | None = None,
        shuffle: bool = True,
        augmentation: nn.Module | None = None,
        variations: list[nn.Module] | None = None,
        workers: int = 1,
        holdout: float = 0.0,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("batch_size", batch_size, 1), ("eval_batch_size", eval_batch_size, 1), ("workers", workers, 0)
        ):  # fmt: skip
            if value < least:
                raise ImgcolorError(
                    f"data.{name}: expected a whole number of at least {least}, found {value}"
                )
        if not 0 <= holdout < 1:
            raise ImgcolorError(f"data.holdout: expected a fraction in [0, 1), found {holdout}")
        self.degradation = degradation
        self.root = root
        self.size = size
        self.train_images = train_images
        self.val_images = val_images
        self.memory_limit = memory_limit
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.augmentation = augmentation
        self.variations = variations or []
        self.workers = workers
        self.holdout = holdout
        if source == "stream":
            self.source: ImageSource = StreamSource(self.root, self.size)
        else:
            self.source = self.make_source(source) if isinstance(source, str) else source
        if holdout and isinstance(self.source, StreamSource):
            raise ImgcolorError(f"data.holdout: expected 0 with a stream, found {holdout}; use its val/")
        self._loaded: dict[Split, ImageSet] = {}
        self._holdout_split: tuple[ImageSet, ImageSet] | None = None
        self._fitting = False
        self._copied_to_gpu: list[tuple[InMemoryImages, Tensor]] = []
        self._training_sampler: TrainingSampler | None = None

    def make_source(self, name: str) -> ImageSource:
        """Return the source that a name stands for; subclasses define the names, except ``stream``.

        Args:
            name: The argument ``source``.

        Raises:
            ImgcolorError: If the name is unknown.
        """
        raise ImgcolorError(f"data.source: expected an object with a method load(split), found {name!r}")

    def group_weights(self) -> list[float] | None:
        """Return how often each group of training images is used; None where all images are used equally often."""
        return None

    # Images and batches

    def images(self, split: Split) -> ImageSet:
        """Return the images of a split. They are read at the first call.

        Args:
            split: ``train``, ``val`` or ``test``; prediction uses ``test``. With a holdout, ``train`` leaves
                out the held-out images, and during a fit ``val`` has these.

        Returns:
            uint8 pixels [N, 3, H, W] and a name for each image.

        Raises:
            ImgcolorError: If the images cannot be read, or the holdout leaves nothing to train or to validate
                on.
        """
        if self.holdout and split == "train":
            return self._with_holdout()[0]
        if self.holdout and split == "val" and self._fitting:
            return self._with_holdout()[1]
        if split not in self._loaded:
            self._loaded[split] = self._read(split)
        return self._loaded[split]

    def _with_holdout(self) -> tuple[ImageSet, ImageSet]:
        if self._holdout_split is None:
            self._holdout_split = split_holdout(self._read("train"), self.holdout)
        return self._holdout_split

    def _read(self, split: Split) -> ImageSet:
        # Validation runs in inference mode. Tensors made there cannot be filled from other threads.
        with torch.inference_mode(mode=False):
            return self.source.load(split)

    def batch(self, pixels: Tensor) -> Batch:
        """Degrade a batch of images, on the device that they are on.

        Args:
            pixels: uint8 [B, 3, H, W].

        Returns:
            The degraded images and the originals, float in [0, 1].
        """
        original = pixels.float() / 255
        return Batch(self.degradation(original), original)

    # Hooks of Lightning

    def prepare_data(self) -> None:
        """Download missing images, in one process per machine."""
        prepare = getattr(self.source, "prepare", None)
        if prepare is not None:
            prepare()

    def setup(self, stage: str) -> None:
        """Read the images of a stage, so that errors in them come before training."""
        self._fitting = stage == "fit"
        for split in _SPLITS_OF_STAGE[stage]:
            self.images(split)

    def teardown(self, stage: str) -> None:
        """Free the GPU memory of the images; after a fit, ``val`` is the validation images again."""
        self._fitting = False
        for images, pixels in self._copied_to_gpu:
            images.pixels = pixels  # the trainer keeps the loaders
        if self._copied_to_gpu and self._training_sampler is not None:
            self._training_sampler.device = self._copied_to_gpu[0][1].device
        self._copied_to_gpu.clear()

    def on_after_batch_transfer(self, batch: Tensor | Batch, dataloader_idx: int) -> Batch:
        """Degrade a batch that has arrived on the device of the model; in training, augment and vary it too."""
        if isinstance(batch, Batch):
            return batch
        if self.trainer is None or not self.trainer.training:
            return self.batch(batch)
        degraded, original = self.batch(self.augmentation(batch) if self.augmentation else batch)
        for variation in self.variations:
            degraded = variation(degraded)
        return Batch(degraded, original)

    def train_dataloader(self) -> DataLoader[Tensor]:
        """Batches of the training images."""
        seed = int(os.environ.get("PL_GLOBAL_SEED", 0)) if self.seed is None else self.seed
        if isinstance(self.source, StreamSource):
            return self._training_stream(self.source, seed)
        images = self._on_device_of_model("train")
        weights = self.group_weights()
        self._training_sampler = TrainingSampler(
            len(images),
            self.batch_size,
            # With overfit_batches, each epoch has the same batches.
            shuffle=self.shuffle and not getattr(self.trainer, "overfit_batches", 0),
            seed=seed,
            device=images.pixels.device,
            groups=None if weights is None else self.images("train").groups,
            weights=weights,
            **self._replicas(),
        )
        return TrainingLoader(images, self._training_sampler)

    def _training_stream(self, source: StreamSource, seed: int) -> DataLoader[Tensor]:
        if getattr(self.trainer, "overfit_batches", 0):
            raise ImgcolorError(
                "--trainer.overfit_batches: expected another source than stream; use a small folder"
            )
        epoch = lambda: self.trainer.current_epoch if self.trainer else 0  # noqa: E731
        return source.training_loader(self.batch_size, self.shuffle, seed, self.workers, epoch)

    def val_dataloader(self) -> DataLoader[Tensor]:
        """Batches of the validation images, in order."""
        return self._evaluation_dataloader("val")

    def test_dataloader(self) -> DataLoader[Tensor]:
        """Batches of the test images, in order."""
        return self._evaluation_dataloader("test")

    def predict_dataloader(self) -> DataLoader[Tensor]:
        """Batches of the test images, in order."""
        return self._evaluation_dataloader("test")

    def whole(self, split: Split, limit: int | None = None) -> DataLoader[Tensor]:
        """Batches of all images of a split, in order, on every rank.

        Args:
            split: ``train``, ``val`` or ``test``.
            limit: Leave out the images that are not in the first so many batches of any rank, as the trainer's
                ``limit_val_batches`` does.
        """
        images = InMemoryImages(self.images(split).pixels)
        sampler = EvaluationSampler(len(images), self.eval_batch_size)
        if limit is not None:
            ranks = self._replicas().get("num_replicas", 1)
            samplers = [
                EvaluationSampler(len(images), self.eval_batch_size, num_replicas=ranks, rank=rank)
                for rank in range(ranks)
            ]
            sampler.batches = [batch for each in samplers for batch in each.batches[:limit]]
        return evaluation_loader(images, sampler)

    def _evaluation_dataloader(self, split: Split) -> DataLoader[Tensor]:
        images = self._on_device_of_model(split)
        return evaluation_loader(
            images, EvaluationSampler(len(images), self.eval_batch_size, **self._replicas())
        )

    def _on_device_of_model(self, split: Split) -> InMemoryImages:
        """Return the images of a split, copied to the GPU of a running trainer if they are small enough."""
        images = InMemoryImages(self.images(split).pixels)
        if self.trainer is None or self.trainer.state.status != TrainerStatus.RUNNING:
            return images
        device = self.trainer.strategy.root_device
        if device.type != "cuda":
            return images
        if images.pixels.nbytes <= _GPU_MEMORY_FRACTION * torch.cuda.mem_get_info(device)[0]:
            self._copied_to_gpu.append((images, images.pixels))
            images.pixels = images.pixels.to(device)
        return images

    def _replicas(self) -> dict[str, int]:
        if self.trainer is None:
            return {}
        return {"num_replicas": self.trainer.world_size, "rank": self.trainer.global_rank}

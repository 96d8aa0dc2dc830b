"""The base of all DataModules: a source of images and what is taken from them."""

import os

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.trainer.states import TrainerStatus
from torch import Tensor, nn
from torch.utils.data import DataLoader

from imgcolor.data import disk_cache
from imgcolor.data.batch import Batch
from imgcolor.data.samplers import EvaluationSampler, InMemoryImages, TrainingSampler
from imgcolor.data.sources import (
    ImageSet,
    ImageSource,
    Split,
)
from imgcolor.utils.errors import ImgcolorError

_SHARE_OF_GPU = 0.25
"""How much of a GPU's free memory the images of a split may take; the rest is for the network's steps."""


class ImageDataModule(LightningDataModule):
    """Images held in memory as uint8, dealt out in batches, degraded where the model is.

    On an NVIDIA GPU the images that a run needs lie in its memory, if a split takes a quarter of what is free
    there or less; otherwise every batch is copied there.

    Args:
        source: Where the images come from: anything with ``load(split) -> ImageSet``.
        degradation: A module from float [B, 3, H, W] in [0, 1] to float [B, C, h, w] in [0, 1].
        batch_size: Images a training batch.
        eval_batch_size: Images a batch of validation, test and prediction; no result depends on it.
        seed: Decides the order of training images, epoch by epoch. None takes the run's own seed
            (``seed_everything``), or 0 where there is none.
        shuffle: Whether training images come in a new order every epoch. A fixed order makes the loss fall
            smoothly from epoch to epoch, which a rule that compares epochs needs (``EpsilonPatience``).
        augmentation: A module from uint8 [B, 3, H, W] to the same that changes training images, such as
            :class:`~imgcolor.data.FlipAndShift`.
        holdout: Share of the training images, in [0, 1), that a fit validates on in place of the validation
            images and does not train on. The same images in every run; choose settings by them, and the
            validation images stay untouched.

    Raises:
        ImgcolorError: If a batch size is below 1.
    """

    def __init__(
        self,
        source: ImageSource,
        degradation: nn.Module,
        batch_size: int = 100,
        eval_batch_size: int = 250,
        seed: int | None = None,
        shuffle: bool = True,
        augmentation: nn.Module | None = None,
        holdout: float = 0.0,
    ) -> None:
        super().__init__()
        for name, value in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if value < 1:
                raise ImgcolorError(f"data.{name}: expected a whole number of at least 1, found {value}")
        if not 0 <= holdout < 1:
            raise ImgcolorError(f"data.holdout: expected a share in [0, 1), found {holdout}")
        self.source = source
        self.degradation = degradation
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.augmentation = augmentation
        self.holdout = holdout
        self._sets: dict[Split, ImageSet] = {}
        self._split: tuple[ImageSet, ImageSet] | None = None
        self._fitting = False
        self._on_gpu: list[tuple[InMemoryImages, Tensor]] = []
        self._sampler: TrainingSampler | None = None

    def images(self, split: Split) -> ImageSet:
        """The images of a split, read once and kept.

        Args:
            split: ``train``, ``val`` or ``test``; prediction takes ``test``. A fit with a holdout finds the
                held-out training images as ``val``, and the others as ``train``.

        Returns:
            The set: uint8 pixels [N, 3, H, W] and a name for each image.

        Raises:
            ImgcolorError: If the holdout leaves no image to train on, or none to validate on.
        """
        if split == "train" and self.holdout:
            return self._parts()[0]
        if split == "val" and self.holdout and self._fitting:
            return self._parts()[1]
        return self._loaded(split)

    def _loaded(self, split: Split) -> ImageSet:
        if split not in self._sets:
            self._sets[split] = self._read(split)
        return self._sets[split]

    def _read(self, split: Split) -> ImageSet:
        # A validation runs in inference mode, whose tensors a source could not fill from other threads.
        with torch.inference_mode(mode=False):
            return self.source.load(split)

    def _parts(self) -> tuple[ImageSet, ImageSet]:
        """The training images without the held-out ones, and the held-out ones."""
        if self._split is None:
            images = self._sets.pop("train", None) or self._read("train")
            held = round(self.holdout * len(images.pixels))
            if not 0 < held < len(images.pixels):
                raise ImgcolorError(
                    f"data.holdout: expected a share that leaves images on both sides, found {self.holdout} of "
                    f"{len(images.pixels)} training images"
                )
            if images.pixels.nbytes > disk_cache.free_memory():
                raise ImgcolorError(
                    f"data.holdout: expected memory for a copy of the training images, "
                    f"{images.pixels.nbytes / 2**30:.2f} GiB, found less free; lay the held-out images out as "
                    "another folder's val/, or use a smaller data.size"
                )
            order = np.random.default_rng(0).permutation(len(images.pixels))
            train, holdout = np.sort(order[held:]), np.sort(order[:held])
            self._split = _part(images, train), _part(images, holdout)
        return self._split

    def batch(self, pixels: Tensor) -> Batch:
        """Degrade a batch of images, on the device that they are on.

        Args:
            pixels: uint8 [B, 3, H, W].

        Returns:
            The degraded images and the originals, float in [0, 1].
        """
        original = pixels.float() / 255
        return Batch(self.degradation(original), original)

    def prepare_data(self) -> None:
        """Download what is missing, once a machine."""
        prepare = getattr(self.source, "prepare", None)
        if prepare is not None:
            prepare()

    def setup(self, stage: str) -> None:
        """Read the images that a stage needs, so that bad ones show before anything else happens."""
        splits: dict[str, tuple[Split, ...]] = {
            "fit": ("train", "val"),
            "validate": ("val",),
            "test": ("test",),
            "predict": ("test",),
        }
        self._fitting = stage == "fit"
        for split in splits[stage]:
            self.images(split)

    def teardown(self, stage: str) -> None:
        """After a fit the validation images are the validation images again, and a GPU has its memory back."""
        self._fitting = False
        for images, pixels in self._on_gpu:
            images.pixels = pixels  # the trainer keeps the loaders
            if self._sampler is not None:
                self._sampler.device = pixels.device
        self._on_gpu.clear()

    def on_after_batch_transfer(self, batch: Tensor | Batch, dataloader_idx: int) -> Batch:
        """Augment (in training) and degrade a batch when it has arrived at the model's device."""
        if isinstance(batch, Batch):
            return batch
        training = self.trainer is not None and self.trainer.training
        return self.batch(self.augmentation(batch) if self.augmentation and training else batch)

    def train_dataloader(self) -> DataLoader[Tensor]:
        """Batches of the training images, by default in an order of its own every epoch."""
        seed = int(os.environ.get("PL_GLOBAL_SEED", 0)) if self.seed is None else self.seed
        images = self._near_the_model("train")
        self._sampler = TrainingSampler(
            len(images),
            self.batch_size,
            shuffle=self.shuffle,
            seed=seed,
            device=images.pixels.device,
            **self._replicas(),
        )
        return _loader(images, self._sampler)

    def val_dataloader(self) -> DataLoader[Tensor]:
        """Batches of the validation images, in order."""
        return self._evaluation("val")

    def test_dataloader(self) -> DataLoader[Tensor]:
        """Batches of the test images, in order."""
        return self._evaluation("test")

    def predict_dataloader(self) -> DataLoader[Tensor]:
        """Batches of the test images, in order."""
        return self._evaluation("test")

    def whole(self, split: Split) -> DataLoader[Tensor]:
        """Batches of all images of a split, in order, also where several processes share them otherwise."""
        images = InMemoryImages(self.images(split).pixels)
        return _loader(images, EvaluationSampler(len(images), self.eval_batch_size))

    def _evaluation(self, split: Split) -> DataLoader[Tensor]:
        images = self._near_the_model(split)
        return _loader(images, EvaluationSampler(len(images), self.eval_batch_size, **self._replicas()))

    def _near_the_model(self, split: Split) -> InMemoryImages:
        """The images on the GPU of a trainer at work, so that no step copies any, if they leave room for it."""
        images = InMemoryImages(self.images(split).pixels)
        if self.trainer is None or self.trainer.state.status != TrainerStatus.RUNNING:
            return images
        device = self.trainer.strategy.root_device
        if (
            device.type == "cuda"
            and images.pixels.nbytes <= _SHARE_OF_GPU * torch.cuda.mem_get_info(device)[0]
        ):
            self._on_gpu.append((images, images.pixels))
            images.pixels = images.pixels.to(device)
        return images

    def _replicas(self) -> dict[str, int]:
        """How many processes there are, and which this one is."""
        if self.trainer is None:
            return {}
        return {"num_replicas": self.trainer.world_size, "rank": self.trainer.global_rank}


def _loader(images: InMemoryImages, sampler: TrainingSampler | EvaluationSampler) -> DataLoader[Tensor]:
    # batch_size=None: the sampler deals whole batches, and indexing makes them. A generator of its own: each
    # iteration draws a number, and torch's would then not be the same in an epoch that a resumed run begins with.
    return DataLoader(images, batch_size=None, sampler=sampler, generator=torch.Generator())


def _part(images: ImageSet, chosen: np.ndarray) -> ImageSet:
    return ImageSet(images.pixels[torch.from_numpy(chosen)], tuple(images.names[index] for index in chosen))

"""Write predicted images to files."""

import io
import itertools
import os
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from torch import Tensor

from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import atomic_write
from imgcolor.visualization.grids import save_image, to_image


class PredictionWriter(Callback):
    """Writes each predicted image as a PNG file with the name of its input, and all of them as one array.

    The array is ``estimations.npy``: uint8 [N, H, W, 3]. Its images are in the order of ``names.txt``, which
    has one name per line. ``imgcolor evaluate`` reads both.

    Args:
        folder: Output folder; ``predictions`` in the run folder by default. Existing files are replaced.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.written = 0
        """Number of images that the current or latest prediction has written."""
        self.size = (0, 0)
        """Height and width of these images."""
        self._names: tuple[str, ...] = ()
        self._files: list[str] = []
        self._images: list[NDArray[np.uint8]] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose the folder and the names of the files.

        Raises:
            ImgcolorError: If the name of an image contains a line break, or there are several ranks, of which
                none has all images.
        """
        if trainer.world_size > 1:
            raise ImgcolorError(
                f"predict: expected one rank, found {trainer.world_size}; use --trainer.devices 1"
            )
        if self.folder is None:
            self.folder = Path(trainer.log_dir or ".") / "predictions"
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.predict
        self._names = datamodule.images("test").names
        for name in self._names:
            if {"\n", "\r"} & set(name):
                raise ImgcolorError(
                    f"{name!r}: expected a name without line breaks, because names.txt has one name per line; "
                    "rename the file"
                )
        self._files = png_names(self._names)
        self._images = []
        self.written = 0

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Tensor,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the images of a batch."""
        assert self.folder is not None
        for image in outputs:
            predicted = to_image(image)
            save_image(predicted, self.folder / self._files[self.written])
            self._images.append(np.asarray(predicted))
            self.size = (predicted.height, predicted.width)
            self.written += 1

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the array and the names."""
        assert self.folder is not None
        buffer = io.BytesIO()
        np.save(buffer, np.stack(self._images), allow_pickle=False)
        atomic_write(self.folder / "estimations.npy", buffer.getvalue())
        names = "".join(f"{name}\n" for name in self._names[: self.written])
        # The bytes of the file system, which need not be UTF-8.
        atomic_write(self.folder / "names.txt", os.fsencode(names))


def png_names(names: tuple[str, ...]) -> list[str]:
    """Return a different name of a PNG file for each image: ``a.jpg`` becomes ``a.png``.

    If two images would get the same name (``a.jpg`` and ``a.webp``), both keep their extension before the new
    one (``a.jpg.png``). If that name is taken too, a number is added.
    """
    files: list[str] = []
    stems = [str(PurePosixPath(name).with_suffix("")) for name in names]
    count = Counter(stems)
    taken: set[str] = set()
    for name, stem in zip(names, stems, strict=True):
        base = stem if count[stem] == 1 else name
        numbered = (f"{base}-{number}" for number in itertools.count(2))
        free = next(choice for choice in itertools.chain([base], numbered) if f"{choice}.png" not in taken)
        files.append(f"{free}.png")
        taken.add(files[-1])
    return files

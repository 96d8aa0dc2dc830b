"""Predicted images as files."""

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
    """Writes every predicted image as a PNG named after its input, and all of them as one array.

    The array is ``estimations.npy``: uint8 [N, H, W, 3], in the order of ``names.txt`` beside it, a name a line:
    what ``imgcolor evaluate`` scores.

    Args:
        folder: Where to; ``predictions`` in the run's folder by default. Files of the same names are replaced.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.written = 0
        """Number of images written by the prediction that runs or ran last."""
        self._names: tuple[str, ...] = ()
        self._files: list[str] = []
        self._images: list[NDArray[np.uint8]] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find where to write, and the files' names.

        Raises:
            ImgcolorError: If an image's name has several lines, which the names file could not hold, or several
                processes share the images: which one would write the array?
        """
        if trainer.world_size > 1:
            raise ImgcolorError(
                f"predict: expected one process, found {trainer.world_size}; give --trainer.devices 1"
            )
        if self.folder is None:
            self.folder = Path(trainer.log_dir or ".") / "predictions"
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.predict
        self._names = datamodule.images("test").names
        for name in self._names:
            if {"\n", "\r"} & set(name):
                raise ImgcolorError(
                    f"{name!r}: expected a name of one line, since names.txt has a name a line; rename the file"
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
        """Write a batch."""
        assert self.folder is not None
        for image in outputs:
            predicted = to_image(image)
            save_image(predicted, self.folder / self._files[self.written])
            self._images.append(np.asarray(predicted))
            self.written += 1

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the array and the names."""
        assert self.folder is not None
        buffer = io.BytesIO()
        np.save(buffer, np.stack(self._images), allow_pickle=False)
        atomic_write(self.folder / "estimations.npy", buffer.getvalue())
        names = "".join(f"{name}\n" for name in self._names[: self.written])
        # Byte by byte as the system has them, also where that is no UTF-8.
        atomic_write(self.folder / "names.txt", os.fsencode(names))


def png_names(names: tuple[str, ...]) -> list[str]:
    """Names of PNG files for images, each of its own: ``a.jpg`` becomes ``a.png``.

    Where two would become the same (``a.jpg`` and ``a.png``), both keep their ending before the new one, and what
    is taken even then gets a number.
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

"""Predicted images as files."""

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from imgcolor.pictures import save_picture, to_picture


class PredictionWriter(Callback):
    """Writes every predicted image as a PNG named after its input.

    Args:
        folder: Where to; ``predictions`` in the run's folder by default. Files of the same names are replaced.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.written = 0
        """Number of images written by the prediction that runs or ran last."""
        self._names: list[str] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find where to write, and the files' names."""
        if self.folder is None:
            self.folder = Path(trainer.log_dir or ".") / "predictions"
        self.written = 0
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.predict
        self._names = png_names(datamodule.images("test").names)

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
            save_picture(to_picture(image), self.folder / self._names[self.written])
            self.written += 1


def png_names(names: tuple[str, ...]) -> list[str]:
    """Names of PNG files for images, each of its own: ``a.jpg`` becomes ``a.png``.

    Where two would become the same (``a.jpg`` and ``a.png``), both keep their ending before the new one.
    """
    stems = [str(PurePosixPath(name).with_suffix("")) for name in names]
    count = Counter(stems)
    return [f"{stem if count[stem] == 1 else name}.png" for name, stem in zip(names, stems, strict=True)]

"""Checkpoints of a run; a resumed run takes over those of the earlier run."""

import io
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only

from imgcolor.baselines.comparison import HIGHER_IS_BETTER
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import atomic_write


class _Checkpoint(ModelCheckpoint):
    """Lightning's checkpoints, with a cached ``state_key``, which Lightning reads at each hook of each step."""

    @cached_property
    def state_key(self) -> str:
        """The key of the callback's state in a checkpoint."""
        return super().state_key


class BestCheckpoint(_Checkpoint):
    """Checkpoints of the best epochs; a resumed run copies those of the earlier run into its own folder.

    Lightning's class discards the best score if the folder changes. ``best.ckpt`` of a resumed run would then
    be the best epoch since the interruption.

    Args:
        dirpath: The folder; by default ``checkpoints/`` in the run folder.
        filename: The name without ``.ckpt``. It may hold ``{epoch}``, ``{step}`` and metrics.
        monitor: The logged metric that chooses the best epoch.
        mode: Whether the lowest (``min``) or the highest value (``max``) is the best. By default it follows from the
            metric: ``max`` for ``val/psnr``, ``val/ssim``, ``val/accuracy`` and ``val/margin12``, ``min`` for
            ``val/loss``, ``val/mse``, ``val/delta_e`` and ``val/lpips``. Metrics of your own need it.
        save_top_k: Number of the best epochs to keep. More than one need a ``filename`` such as ``best-{epoch}``.
        save_on_train_epoch_end: Whether to save after the metrics of the epoch are written.
        enable_version_counter: Whether an existing file is kept and the new one gets a number.
        **kwargs: Further arguments of Lightning's ``ModelCheckpoint``.

    Raises:
        ImgcolorError: If ``mode`` is not the direction of the metric or is missing, or if several files would have
            the same name.
    """

    def __init__(
        self,
        dirpath: str | Path | None = None,
        filename: str = "best",
        monitor: str = "val/loss",
        mode: Literal["min", "max"] | None = None,
        save_top_k: int = 1,
        save_on_train_epoch_end: bool | None = True,
        enable_version_counter: bool = False,
        **kwargs: Any,
    ) -> None:
        if save_top_k not in (0, 1) and not enable_version_counter and "{" not in filename:
            raise ImgcolorError(
                f"BestCheckpoint: save_top_k: expected 0 or 1 with the file name {filename}, which all files would "
                f"have, found {save_top_k}; give a name with the epoch, such as --checkpoint.filename "
                f"'{filename}-{{epoch}}'"
            )
        check_mode("BestCheckpoint", monitor, mode)
        super().__init__(
            dirpath=dirpath,
            filename=filename,
            monitor=monitor,
            mode=mode or best_mode(monitor) or "",
            save_top_k=save_top_k,
            save_on_train_epoch_end=save_on_train_epoch_end,
            enable_version_counter=enable_version_counter,
            **kwargs,
        )

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Copy the best checkpoints of the resumed run, and restore their scores."""
        state = checkpoint["callbacks"].get(self.state_key)
        if not _is_resumed(trainer) or state is None or not self._is_best(state):
            return
        folder = Path(str(self.dirpath))
        for path in state["best_k_models"]:
            _copy(Path(path), folder / Path(path).name)

        def moved(path: str) -> str:
            return str(folder / Path(path).name) if path else path

        checkpoint["callbacks"][self.state_key] = {
            **state,
            "dirpath": self.dirpath,
            "best_k_models": {moved(path): score for path, score in state["best_k_models"].items()},
            **{
                name: moved(state[name])
                for name in ("best_model_path", "kth_best_model_path", "last_model_path")
            },
        }

    def _is_best(self, state: dict[str, Any]) -> bool:
        """Return whether the files exist, and the best one was not replaced after the checkpoint was written."""
        if not state["best_k_models"] or not all(Path(path).is_file() for path in state["best_k_models"]):
            return False
        best = torch.load(state["best_model_path"], map_location="cpu", weights_only=True)
        own = best.get("callbacks", {}).get(self.state_key, {})
        return bool(own.get("best_model_score") == state["best_model_score"])


def best_mode(monitor: str) -> Literal["min", "max"] | None:
    """Return whether the lowest or the highest value of a logged metric is the best; None for unknown metrics.

    Args:
        monitor: Such as ``val/psnr``.

    Examples:
        >>> best_mode("val/psnr")
        'max'
    """
    higher = HIGHER_IS_BETTER.get(monitor.rpartition("/")[2])
    return None if higher is None else "max" if higher else "min"


def check_mode(callback: str, monitor: str, mode: str | None) -> None:
    """Refuse a mode that would take the worst value of a metric for the best.

    Args:
        callback: The name of the callback.
        monitor: The logged metric.
        mode: ``min``, ``max``, or None if it is not given.

    Raises:
        ImgcolorError: If it is not the direction of the metric, or missing for a metric of unknown direction.
    """
    best = best_mode(monitor)
    if mode is None and best is None:
        raise ImgcolorError(
            f"{callback}: mode: expected min or max for {monitor}, whose direction is not known, found none; give one"
        )
    if mode is not None and best not in (None, mode):
        raise ImgcolorError(
            f"{callback}: mode: expected {best}, because the {'highest' if best == 'max' else 'lowest'} {monitor} is "
            f"the best, found {mode}; set mode to {best}"
        )


class LastCheckpoint(_Checkpoint):
    """``last.ckpt``: the checkpoint of the last complete epoch.

    A resumed run starts with a copy of the checkpoint that it resumes, so it can be interrupted at any time.
    This is a separate callback, because ``save_last`` of :class:`BestCheckpoint` writes only if there is a
    new best epoch.
    """

    def __init__(self) -> None:
        super().__init__(filename="last", save_on_train_epoch_end=True, enable_version_counter=False)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Copy the checkpoint that is resumed."""
        if _is_resumed(trainer):
            self.best_model_path = str(Path(str(self.dirpath)) / "last.ckpt")
            _copy(Path(str(trainer.ckpt_path)), Path(self.best_model_path))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing: the state has the path of the earlier run."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint to a temporary file in the same folder, and renames it when it is complete.

    Lightning writes to the system's folder for temporary files. If that is on another disk, the file is
    copied, and an interruption or a full disk leaves half a checkpoint in place of the old one.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: Content of the checkpoint.
            path: The file. Paths that are not local (``s3://``) are written by Lightning.
            storage_options: See Lightning.

        Raises:
            ImgcolorError: If the file cannot be written. An existing file is then unchanged.
        """
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        atomic_write(Path(path), buffer.getbuffer(), durable=True)


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint in a folder, of all but ``best.ckpt``; None if there is none.

    It is ``last.ckpt``, unless another ``ModelCheckpoint`` writes one in the middle of an epoch.
    """
    found = [path for path in folder.glob("*.ckpt") if not path.name.startswith("best")]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def _is_resumed(trainer: Trainer) -> bool:
    """Return whether a fit resumes a checkpoint file, and writes checkpoints."""
    trial = getattr(trainer, "fast_dev_run", False)  # mypy does not see the attribute
    path = Path(str(trainer.ckpt_path))
    # Lightning's searches load temporary checkpoints with names such as .lr_find_....ckpt.
    return trainer.state.fn == "fit" and not trial and path.is_file() and not path.name.startswith(".")


@rank_zero_only
def _copy(source: Path, target: Path) -> None:
    if source.absolute() != target.absolute():
        atomic_write(target, source.read_bytes(), durable=True)

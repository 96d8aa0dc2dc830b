"""Checkpoints of a run; a resumed run takes over those of the earlier run."""

import io
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only

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
    """

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

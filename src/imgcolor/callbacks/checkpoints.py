"""The checkpoints of a run, and of one that goes on from another's."""

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
    """Lightning's, whose name among the callbacks is made once: it is asked for at every hook of every step."""

    @cached_property
    def state_key(self) -> str:
        """As Lightning's."""
        return super().state_key


class BestCheckpoint(_Checkpoint):
    """Lightning's checkpoints of the best epochs, which a run that goes on takes along into its own folder.

    Lightning's own forget in another folder what the best was, and ``best.ckpt`` of a resumed run would be the
    best since the break.
    """

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Copy the best files of the run that is resumed, and go on from what they reached."""
        state = checkpoint["callbacks"].get(self.state_key)
        if not _goes_on(trainer) or state is None or not self._is_best(state):
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
        """Whether the files are there, and the best was not replaced after the checkpoint was written."""
        if not state["best_k_models"] or not all(Path(path).is_file() for path in state["best_k_models"]):
            return False
        best = torch.load(state["best_model_path"], map_location="cpu", weights_only=True)
        own = best.get("callbacks", {}).get(self.state_key, {})
        return bool(own.get("best_model_score") == state["best_model_score"])


class LastCheckpoint(_Checkpoint):
    """``last.ckpt``: the last whole epoch's, or, in a run that goes on, at first what it goes on from.

    A callback of its own: ``save_last`` of the best one's writes only when there is a new best. A run that goes
    on has its ``last.ckpt`` from the start, so it can be killed again at any time.
    """

    def __init__(self) -> None:
        super().__init__(filename="last", save_on_train_epoch_end=True, enable_version_counter=False)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Copy the checkpoint that is resumed."""
        if _goes_on(trainer):
            self.best_model_path = str(Path(str(self.dirpath)) / "last.ckpt")
            _copy(Path(str(trainer.ckpt_path)), Path(self.best_model_path))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing: the state speaks of another run's file."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there when the disk has it.

    Lightning's own writes into the system's folder for temporary files. Where that is another disk, moving is
    copying, and a kill or a full disk in the middle leaves half a checkpoint where a whole one was.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: What to write.
            path: The file; other than local ones (``s3://``) are left to Lightning.
            storage_options: As Lightning's, which has none.

        Raises:
            ImgcolorError: If it cannot be written. A file of that name is then as it was.
        """
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        atomic_write(Path(path), buffer.getbuffer(), durable=True)


def _goes_on(trainer: Trainer) -> bool:
    """Whether a fit goes on from a checkpoint file, and writes its own."""
    trial = getattr(trainer, "fast_dev_run", False)  # set where mypy does not see it
    return trainer.state.fn == "fit" and not trial and Path(str(trainer.ckpt_path)).is_file()


@rank_zero_only
def _copy(source: Path, target: Path) -> None:
    if source.absolute() != target.absolute():
        atomic_write(target, source.read_bytes(), durable=True)

"""The same random numbers in the same epoch, whether the run was interrupted before it or not."""

import os
import random

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class EpochSeed(Callback):
    """Seeds torch, NumPy and Python anew before every training epoch, from the run's seed, epoch and process.

    Dropout and augmentation then depend on nothing that happened before, so a run that was killed and resumed goes
    on bit for bit as if it had not been.
    """

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed the epoch."""
        seed = int(os.environ.get("PL_GLOBAL_SEED", 0))
        words = np.random.SeedSequence((seed, trainer.current_epoch, trainer.global_rank)).generate_state(3)
        torch.manual_seed(int(words[0]))
        np.random.seed(words[1])
        random.seed(int(words[2]))

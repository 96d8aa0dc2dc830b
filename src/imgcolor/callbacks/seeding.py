"""Make the random numbers of an epoch independent of earlier epochs."""

import os
import random

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class EpochSeed(Callback):
    """Seeds torch, NumPy and Python before each training epoch with the seed of the run, the epoch and the rank.

    Dropout and augmentation then do not depend on what happened before, so a resumed run gives bit for bit
    the result of an uninterrupted one.
    """

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the seeds."""
        seed = int(os.environ.get("PL_GLOBAL_SEED", 0))
        seeds = np.random.SeedSequence((seed, trainer.current_epoch, trainer.global_rank)).generate_state(3)
        torch.manual_seed(int(seeds[0]))
        np.random.seed(seeds[1])
        random.seed(int(seeds[2]))

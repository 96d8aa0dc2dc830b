"""Callbacks of the trainer: stopping, image grids, curves, checkpoints, files of the run folder."""

from imgcolor.callbacks.activations import ActivationLogger
from imgcolor.callbacks.baselines import BaselineMetrics
from imgcolor.callbacks.checkpoints import BestCheckpoint, LastCheckpoint
from imgcolor.callbacks.curves import CurvePlot
from imgcolor.callbacks.details import DetailedMetrics
from imgcolor.callbacks.epoch_state import EpochState
from imgcolor.callbacks.images import ImageLogger
from imgcolor.callbacks.metrics_files import MetricsFiles
from imgcolor.callbacks.network_summary import NetworkSummary
from imgcolor.callbacks.predictions import PredictionWriter
from imgcolor.callbacks.progress import EpochProgressBar
from imgcolor.callbacks.seeding import EpochSeed
from imgcolor.callbacks.stopping import EpsilonPatience

__all__ = [
    "ActivationLogger",
    "BaselineMetrics",
    "BestCheckpoint",
    "CurvePlot",
    "DetailedMetrics",
    "EpochProgressBar",
    "EpochSeed",
    "EpochState",
    "EpsilonPatience",
    "ImageLogger",
    "LastCheckpoint",
    "MetricsFiles",
    "NetworkSummary",
    "PredictionWriter",
]

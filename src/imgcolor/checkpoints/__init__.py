"""Checkpoints that stand alone: a module's config as plain data, reading files, checking files of strangers."""

from imgcolor.checkpoints.config import build, class_path, describe, remember
from imgcolor.checkpoints.files import KEY, load_task, read_checkpoint

__all__ = ["KEY", "build", "class_path", "describe", "load_task", "read_checkpoint", "remember"]

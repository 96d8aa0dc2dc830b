"""Checkpoints that stand alone: a module's config as plain data, reading files, checking files of strangers."""

from imgcolor.checkpoints.config import class_path, from_config, get_config, set_config
from imgcolor.checkpoints.files import KEY, load_task, read_checkpoint

__all__ = ["KEY", "class_path", "from_config", "get_config", "load_task", "read_checkpoint", "set_config"]

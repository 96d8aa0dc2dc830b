"""Read and write checkpoints, describe modules as plain data, and validate untrusted files."""

from imgcolor.checkpoints.config import class_path, from_config, get_config, set_config
from imgcolor.checkpoints.files import FORMAT, KEY, checkpoint_entry, read_checkpoint
from imgcolor.checkpoints.parts import ModelParts, load_parts

__all__ = [
    "FORMAT",
    "KEY",
    "ModelParts",
    "checkpoint_entry",
    "class_path",
    "from_config",
    "get_config",
    "load_parts",
    "read_checkpoint",
    "set_config",
]

"""Load a trained task from a checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from imgcolor.tasks.checkpointing import CheckpointedModule


def load_task(
    path: Path | str,
    *,
    network: nn.Module | None = None,
    map_location: Any = "cpu",
    allow_import: str | Sequence[str] = (),
    **arguments: Any,
) -> Any:
    """Load a trained task from a checkpoint, with its network, palette and degradation.

    Args:
        path: A ``.ckpt`` file that ``imgcolor fit`` wrote.
        network: A network to fill with the checkpoint's weights, for files without the network's config.
        map_location: Where the tensors go, as in ``torch.load``.
        allow_import: Modules, packages or classes that the file may name in addition to those of imgcolor and
            ``torch.nn``, such as ``["mine.networks"]``.
        **arguments: Constructor arguments of the task, which replace those of the file.

    Returns:
        The :class:`~imgcolor.tasks.ColourTask`, in evaluation mode.

    Raises:
        ImgcolorError: If the file is no such checkpoint or names a class that may not be imported, or if its
            weights do not fit the task.
    """
    return CheckpointedModule.load_from_checkpoint(
        path, map_location, network=network, allow_import=allow_import, **arguments
    )

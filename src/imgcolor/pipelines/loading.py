"""Load a model by its name or the path of a checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from imgcolor.pipelines.base import Model
from imgcolor.pretrained.registry import weights_of
from imgcolor.tasks import load_task


def load(model: str | Path, allow_import: str | Sequence[str] = ()) -> Model:
    """Load a model for images of any size.

    Args:
        model: The name of one that comes with the package (``imgcolor models`` lists them), or the path of a
            checkpoint that a fit wrote.
        allow_import: Modules, packages or classes of yours that a checkpoint may name, such as
            ``["mine.networks"]``; else only imgcolor's own classes and those of ``torch.nn`` are imported for it.

    Returns:
        The model, on the CPU; ``model.task.to(device)`` moves it.

    Raises:
        ImgcolorError: If there is no such model, or the file is no checkpoint, or names a class that may not be
            imported.
    """
    return Model(load_task(weights_of(model), allow_import=allow_import), str(model))

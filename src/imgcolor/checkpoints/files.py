"""Reading checkpoints, and loading tasks from them."""

import itertools
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from imgcolor.checkpoints.config import from_config
from imgcolor.checkpoints.validation import check_archive, find_fault, is_trusted
from imgcolor.utils.errors import ImgcolorError

KEY = "imgcolor"
"""Where a checkpoint holds what imgcolor adds: version, task config, degradation config, size of the images."""


def read_checkpoint(path: Path | str, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint's plain data and tensors; pickled code is refused, and nothing is imported or built.

    Args:
        path: A ``.ckpt`` file that a fit of imgcolor wrote.
        map_location: Where the tensors go, as in ``torch.load``.

    Returns:
        Lightning's dictionary, with imgcolor's own part under ``"imgcolor"``.

    Raises:
        ImgcolorError: If the file is missing, is no checkpoint, holds code, or is not imgcolor's.
    """
    path = Path(path)
    if not path.is_file():
        raise ImgcolorError(f"{path}: expected a checkpoint file, found {_found(path)}")
    try:
        check_archive(path)
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except ImgcolorError:
        raise
    except pickle.UnpicklingError as error:
        raise ImgcolorError(
            f"{path}: expected a checkpoint of plain data and tensors, found something else, which is not "
            "loaded because it could run code; give a .ckpt file that `imgcolor fit` wrote"
        ) from error
    except Exception as error:  # a damaged file makes torch raise nearly anything
        raise ImgcolorError(
            f"{path}: expected a checkpoint, found a file that torch cannot read (damaged or cut short?); "
            "give a .ckpt file that `imgcolor fit` wrote"
        ) from error
    if not isinstance(checkpoint, dict) or KEY not in checkpoint or "state_dict" not in checkpoint:
        raise ImgcolorError(
            f"{path}: expected a checkpoint of an imgcolor task, found another program's; "
            "give a .ckpt file that `imgcolor fit` wrote"
        )
    fault = find_fault(checkpoint[KEY], checkpoint["state_dict"])
    if fault:
        raise ImgcolorError(
            f"{path}: expected a checkpoint as a fit writes it, found {fault}; give a .ckpt file that "
            "`imgcolor fit` wrote"
        )
    return checkpoint


def load_task(
    path: Path | str,
    *,
    network: nn.Module | None = None,
    map_location: Any = "cpu",
    allow_import: str | Sequence[str] = (),
) -> Any:
    """Bring a trained task back from its checkpoint alone: network, palette and degradation with it.

    Args:
        path: A ``.ckpt`` file that a fit of imgcolor wrote.
        network: The network to fill with the checkpoint's weights, where the file does not say how the
            network was built.
        map_location: Where the tensors go, as in ``torch.load``.
        allow_import: Modules, packages or classes of yours that the file may name, such as ``["mine.networks"]``;
            else only imgcolor's own classes and those of ``torch.nn`` are imported for it.

    Returns:
        The task, a :class:`~imgcolor.tasks.ColourTask`, in evaluation mode.

    Raises:
        ImgcolorError: If the file is no such checkpoint or names a class that may not be imported, or if its
            weights do not fit the network.
    """
    from imgcolor.tasks import ColourTask  # here: tasks need this module

    checkpoint = read_checkpoint(path, map_location)
    config = checkpoint[KEY]["task"]
    replaced = {} if network is None else {"network": network}
    if config["init_args"]["network"] is None and network is None:
        raise ImgcolorError(
            f"{path}: the checkpoint does not say how its network was built, since the network keeps not "
            "every constructor argument as an attribute; hand over a network built alike: "
            "load_task(path, network=...)"
        )
    degradation = checkpoint[KEY]["degradation"]
    try:
        if network is None:
            _refuse_larger(config, checkpoint["state_dict"])
        task = from_config(config, allow_import, **replaced)
        degradation = None if degradation is None else from_config(degradation, allow_import)
    except ImgcolorError as error:
        raise ImgcolorError(f"{path}: {error}") from error
    if not isinstance(task, ColourTask):
        raise ImgcolorError(f"{path}: expected the config of a task, found one of {type(task).__name__}")
    task.degradation = degradation
    task.image_size = checkpoint[KEY].get("image_size")
    try:
        task.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        raise ImgcolorError(
            f"{path}: its weights do not fit {type(task.network).__name__}: {error}"
        ) from error
    return task.to(map_location).eval() if isinstance(map_location, str | torch.device) else task.eval()


def _refuse_larger(config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
    """Refuse a config of more than the file's weights, before memory is taken for it.

    The user vouches for other classes than trusted ones, and not all can be built without memory.
    """
    if not is_trusted(config):
        return
    most = 1000 + 10 * len(weights)
    built = itertools.count(1)

    def count(*_: Any) -> None:
        if next(built) > most:
            raise ImgcolorError(f"its config makes more than {most:,} modules for {len(weights):,} weights")

    hook = register_module_module_registration_hook(count)
    try:
        with torch.device("meta"):
            skeleton = from_config(config)
    finally:
        hook.remove()
    numbers, found = (
        sum(value.numel() for value in values.values()) for values in (skeleton.state_dict(), weights)
    )
    if numbers > found:
        raise ImgcolorError(
            f"its weights do not fit: its config makes {numbers:,} numbers, it holds {found:,}"
        )


def _found(path: Path) -> str:
    return "a folder" if path.is_dir() else "nothing"

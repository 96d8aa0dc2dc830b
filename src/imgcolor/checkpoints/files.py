"""Read checkpoint files, and define the layout of imgcolor's part in them."""

import pickle
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from imgcolor.checkpoints.validation import check_archive, find_fault
from imgcolor.utils.errors import ImgcolorError

KEY = "imgcolor"
"""The key under which a checkpoint holds imgcolor's part: what :func:`checkpoint_entry` returns."""

FORMAT = 2
"""The version of that part's layout."""


def checkpoint_entry(
    *,
    task: dict[str, Any] | None,
    network: dict[str, Any] | None,
    coding: dict[str, Any] | None,
    degradation: dict[str, Any] | None,
    image_size: int | None,
    flip_tta: bool,
) -> dict[str, Any]:
    """Return what a checkpoint holds under :data:`KEY`.

    The first four arguments are configs from :func:`~imgcolor.checkpoints.get_config`, None where there is none.

    Args:
        task: Config of the LightningModule, without its network.
        network: Config of the network, whose weights are ``network.*`` in the state dictionary.
        coding: Config of the output coding, whose weights are ``coding.*``.
        degradation: Config of what the network was trained to undo.
        image_size: Height of the training images.
        flip_tta: Whether the mirror image is used too.

    Returns:
        Plain data.
    """
    return {
        "format": FORMAT,
        "version": version("imgcolor"),
        "task": task,
        "network": network,
        "coding": coding,
        "degradation": degradation,
        "image_size": image_size,
        "flip_tta": flip_tta,
    }


def read_checkpoint(path: Path | str, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint's plain data and tensors; pickled code is refused, and no class is imported.

    Args:
        path: A ``.ckpt`` file that ``imgcolor fit`` wrote.
        map_location: Where the tensors go, as in ``torch.load``.

    Returns:
        Lightning's dictionary, with imgcolor's own part under ``"imgcolor"``.

    Raises:
        ImgcolorError: If the file is missing, is no checkpoint, holds code, is another program's or has another
            format.
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
    _check_format(path, checkpoint[KEY])
    fault = find_fault(checkpoint[KEY], checkpoint["state_dict"])
    if fault:
        raise ImgcolorError(
            f"{path}: expected a checkpoint as a fit writes it, found {fault}; give a .ckpt file that "
            "`imgcolor fit` wrote"
        )
    return checkpoint


def _check_format(path: Path, own: Any) -> None:
    found = own.get("format", 1) if isinstance(own, dict) else None
    if found != FORMAT:
        hint = "update imgcolor" if isinstance(found, int) and found > FORMAT else "train the network again"
        raise ImgcolorError(
            f"{path}: expected a checkpoint of format {FORMAT}, found format {str(found)[:40]}; {hint}"
        )


def _found(path: Path) -> str:
    return "a folder" if path.is_dir() else "nothing"

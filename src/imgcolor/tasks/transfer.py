"""Start training from the weights of another model."""

import sys
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from imgcolor.baselines import GreyLookup
from imgcolor.checkpoints import read_checkpoint
from imgcolor.checkpoints.parts import weights_under
from imgcolor.pretrained.registry import weights_path
from imgcolor.utils.errors import ImgcolorError, first_names

_print = rank_zero_only(print)


def init_network(network: nn.Module, model: str | Path) -> None:
    """Copy the weights of a trained network into another one, where names and shapes agree.

    Lookup tables are not copied: they are fitted to the new training images. What was copied, and what was not, is
    printed in a few lines on stderr.

    Args:
        network: The network to change.
        model: The name of a model that comes with the package, or the path of a checkpoint.

    Raises:
        ImgcolorError: If the model is unknown, the file cannot be read, or no weight fits.
    """
    weights = weights_under("network.", read_checkpoint(weights_path(model))["state_dict"])
    tables = tuple(
        f"{name}." if name else ""
        for name, module in network.named_modules()
        if isinstance(module, GreyLookup)
    )
    own = {name: value for name, value in network.state_dict().items() if not name.startswith(tables)}
    weights = {name: value for name, value in weights.items() if not name.startswith(tables)}
    copied = {
        name: value for name, value in weights.items() if name in own and value.shape == own[name].shape
    }
    if not copied:
        raise ImgcolorError(
            f"model.init_from: expected weights that fit {type(network).__name__}, found none in {model} with the "
            "same name and shape; give a model of the same network class (`imgcolor models` shows them)"
        )
    network.load_state_dict(copied, strict=False)
    _print(
        f"init_from {model}: {len(copied)} of the network's {len(own)} tensors are copied", file=sys.stderr
    )
    _report("not in it, so newly initialised", [name for name in own if name not in weights])
    _report("of another shape, so newly initialised", [n for n in own if n in weights and n not in copied])
    _report("left out, because the network has no such tensor", [name for name in weights if name not in own])


def _report(what: str, names: list[str]) -> None:
    if names:
        _print(f"  {what}: {first_names(names)}", file=sys.stderr)

"""Start training from the weights of another model."""

from pathlib import Path

from lightning.pytorch.utilities import rank_zero_info
from torch import nn

from imgcolor.checkpoints import read_checkpoint
from imgcolor.pretrained.registry import weights_path
from imgcolor.utils.errors import ImgcolorError

_PREFIX = "network."
_NAMES_SHOWN = 5


def init_network(network: nn.Module, model: str | Path) -> None:
    """Copy the weights of a trained network into another one, where names and shapes agree.

    What was copied, and what was not, is logged in one or two lines.

    Args:
        network: The network to change.
        model: The name of a model that comes with the package, or the path of a checkpoint.

    Raises:
        ImgcolorError: If the model is unknown, the file cannot be read, or no weight fits.
    """
    weights = {
        name.removeprefix(_PREFIX): value
        for name, value in read_checkpoint(weights_path(model))["state_dict"].items()
        if name.startswith(_PREFIX)
    }
    own = network.state_dict()
    taken = {name: value for name, value in weights.items() if name in own and value.shape == own[name].shape}
    if not taken:
        raise ImgcolorError(
            f"model.init_from: expected weights that fit {type(network).__name__}, found none in {model} with the "
            "same name and shape; give a model of the same network class (`imgcolor models` shows them)"
        )
    network.load_state_dict(taken, strict=False)
    rank_zero_info(f"init_from {model}: {len(taken)} of the network's {len(own)} tensors are taken from it")
    _report("not in it, so newly initialised", [name for name in own if name not in weights])
    _report("of another shape, so newly initialised", [n for n in own if n in weights and n not in taken])
    _report("left out, because the network has no such tensor", [name for name in weights if name not in own])


def _report(what: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        rank_zero_info(f"  {what}: {', '.join(names[:_NAMES_SHOWN])}{more}")

"""What needs no training: the baseline that a network's figures stand beside."""

from torch import nn

from imgcolor.baselines.grey_copy import GreyCopy
from imgcolor.baselines.grey_lookup import GreyLookup
from imgcolor.baselines.interpolation import Interpolation
from imgcolor.data.batch import Batch

__all__ = ["GreyCopy", "GreyLookup", "Interpolation", "fitting_baselines"]


def fitting_baselines(batch: Batch) -> dict[str, nn.Module]:
    """The baselines that undo what was done to a batch.

    Args:
        batch: Degraded images and their originals.

    Returns:
        Name to a module from degraded to float [B, 3, H, W] in [0, 1]: interpolations where the degraded images
        are smaller, the copy of the grey where they have no colour.
    """
    if batch.degraded.shape[-2:] != batch.original.shape[-2:]:
        scale_factor = round(batch.original.shape[-1] / batch.degraded.shape[-1])
        return {
            "nearest": Interpolation("nearest", scale_factor),
            "bilinear": Interpolation("bilinear", scale_factor),
            "bicubic": Interpolation("bicubic", scale_factor),
        }
    return {"grey_copy": GreyCopy()} if batch.degraded.shape[1] == 1 else {}

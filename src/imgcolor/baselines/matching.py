"""Choose the baselines for a degradation."""

from torch import Tensor, nn

from imgcolor.baselines.grey_copy import GreyCopy
from imgcolor.baselines.interpolation import Interpolation


def matching_baselines(degraded: Tensor, original: Tensor) -> dict[str, nn.Module]:
    """Return the baselines that undo the degradation of a batch.

    Args:
        degraded: Float [B, C, h, w] in [0, 1].
        original: Float [B, 3, H, W] in [0, 1].

    Returns:
        Name to a module from ``degraded`` to float [B, 3, H, W] in [0, 1]: interpolations where the degraded
        images are smaller, the copy of the grey where they have one channel.

    Examples:
        >>> import torch
        >>> list(matching_baselines(torch.rand(1, 1, 8, 8), torch.rand(1, 3, 8, 8)))
        ['grey_copy']
        >>> list(matching_baselines(torch.rand(1, 3, 2, 2), torch.rand(1, 3, 8, 8)))
        ['nearest', 'bilinear', 'bicubic']
    """
    if degraded.shape[-2:] != original.shape[-2:]:
        scale_factor = round(original.shape[-1] / degraded.shape[-1])
        return {
            "nearest": Interpolation("nearest", scale_factor),
            "bilinear": Interpolation("bilinear", scale_factor),
            "bicubic": Interpolation("bicubic", scale_factor),
        }
    return {"grey_copy": GreyCopy()} if degraded.shape[1] == 1 else {}

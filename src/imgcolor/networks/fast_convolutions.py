"""Two faster ways to compute a convolution in training on the CPU.

Both give the output and the gradients of ``torch.nn.functional.conv2d``, up to rounding.
``benchmarks/choices.py`` measures what each of them saves. Evaluation, exported networks, GPUs and
``torch.compile`` use plain convolutions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FEW_CHANNELS = 4


def is_training_on_cpu(module: nn.Module, maps: Tensor) -> bool:
    """Return whether a module trains on the CPU, where the functions below are faster than ``conv2d``."""
    if torch.compiler.is_compiling():
        return False
    return module.training and torch.is_grad_enabled() and maps.device.type == "cpu"


def conv2d(maps: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve with zero padding that keeps height and width.

    oneDNN computes several output channels at once, in one vector register. A convolution to the three
    channels of an image leaves most of each register empty. A transposed convolution with the kernels rotated
    by 180° gives the same result, and puts the many input channels where the output channels were.

    Args:
        maps: Float [B, C, H, W].
        weight: Float [out_channels, C, k, k] with an odd k.
        bias: Float [out_channels].

    Returns:
        Float [B, out_channels, H, W].
    """
    out_channels, in_channels, kernel_size, _ = weight.shape
    padding = kernel_size // 2
    if out_channels <= _FEW_CHANNELS < in_channels:
        return F.conv_transpose2d(maps, weight.flip(2, 3).transpose(0, 1), bias, padding=padding)
    return F.conv2d(maps, weight, bias, padding=padding)


def conv2d_upsampled(coarse: Tensor, fine: Tensor | None, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Upsample coarse maps, concatenate fine maps, and convolve with padding that keeps height and width.

    Nearest upsampling repeats each coarse pixel 2×2 times, so several weights of a kernel are multiplied by
    the same value. With those weights added up first, a transposed convolution of the coarse maps with a
    stride of 2 gives the same result with 4 products per pixel instead of 9 (for 3×3 kernels), and the
    upsampled maps are never stored. The fine maps have a convolution of their own, and the two outputs are
    added.

    Args:
        coarse: Float [B, C1, H, W].
        fine: Float [B, C2, 2H, 2W], or None.
        weight: Float [out_channels, C1 + C2, k, k] with an odd k.
        bias: Float [out_channels].

    Returns:
        Float [B, out_channels, 2H, 2W].
    """
    if fine is not None:
        weight, weight_fine = torch.split(weight, [coarse.shape[1], fine.shape[1]], dim=1)
    kernels = F.avg_pool2d(weight.flip(2, 3), 2, stride=1, padding=1, divisor_override=1).transpose(0, 1)
    output = F.conv_transpose2d(coarse, kernels, bias, stride=2, padding=weight.shape[-1] // 2)
    return output if fine is None else output + conv2d(fine, weight_fine)

"""What the networks are built from."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Channels of the output up to which oneDNN wastes most of a convolution's vectors.
_FEW = 4


def conv_block(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    dropout: float = 0.0,
    resample: nn.Module | None = None,
) -> nn.Sequential:
    """Convolution, batch norm, ReLU, then what is asked for of dropout and resampling.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: An odd number, so that the padding keeps height and width.
        dropout: Share of the channels that training sets to zero; 0 adds no layer.
        resample: A pooling or up-sampling layer for the end.

    Returns:
        A module from [B, in_channels, H, W] to [B, out_channels, H', W'].

    Raises:
        ValueError: If ``kernel_size`` is even or not positive.
    """
    layers = [same_conv(in_channels, out_channels, kernel_size), nn.BatchNorm2d(out_channels), nn.ReLU()]
    if dropout > 0:
        layers.append(nn.Dropout2d(dropout))
    if resample is not None:
        layers.append(resample)
    return nn.Sequential(*layers)


def same_conv(in_channels: int, out_channels: int, kernel_size: int, groups: int = 1) -> nn.Conv2d:
    """A convolution that keeps height and width.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: An odd number.
        groups: Groups of channels that do not see each other.

    Returns:
        A module from [B, in_channels, H, W] to [B, out_channels, H, W].

    Raises:
        ValueError: If ``kernel_size`` is even or not positive.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size: expected an odd number such as 3 or 5, found {kernel_size}")
    thin = groups == 1 and out_channels <= _FEW < in_channels
    kind = ThinConv2d if thin else nn.Conv2d
    return kind(in_channels, out_channels, kernel_size, padding=kernel_size // 2, groups=groups)


class ThinConv2d(nn.Conv2d):
    """A convolution to few channels, such as a picture's three, that keeps height and width.

    On the CPU it is trained as what it equals, a transposed convolution with the kernels turned around: oneDNN
    finds the gradients of that in four fifths of the time.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Float [B, in_channels, H, W] to [B, out_channels, H, W]; the padding keeps height and width."""
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        turned = self.weight.flip(2, 3).transpose(0, 1)
        return F.conv_transpose2d(input, turned, self.bias, padding=self.kernel_size[0] // 2)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until height and width are multiples of a number.

    Args:
        images: Float [B, C, H, W].
        multiple: What height and width become multiples of.

    Returns:
        Float [B, C, H', W'] with H' >= H and W' >= W; the images themselves where nothing is missing.
    """
    height, width = images.shape[-2:]
    missing = (0, -width % multiple, 0, -height % multiple)
    return F.pad(images, missing, mode="replicate") if any(missing) else images


def enlarge(images: Tensor, factor: int) -> Tensor:
    """Repeat every pixel: what a network for super-resolution does with its small input at its door.

    Args:
        images: Float [B, C, h, w].
        factor: How often along height and width; 1 changes nothing.

    Returns:
        Float [B, C, h * factor, w * factor].
    """
    return images if factor == 1 else F.interpolate(images, scale_factor=factor, mode="nearest")


def join(*maps: Tensor) -> Tensor:
    """Stack feature maps of one height and width along the channels: a skip connection."""
    return torch.cat(maps, dim=1)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a ReLU, added to the input.

    With batch norm behind both convolutions and a ReLU at the end it is the block of He et al. 2016; without,
    that of Lim et al. 2017 (EDSR), whose second convolution starts at zero here, so that any number of blocks
    trains.

    Args:
        channels: Of input and output.
        dropout: Share of the channels between the convolutions that training sets to zero; 0 adds no layer.
        batch_norm: Which of the two.
    """

    def __init__(self, channels: int, dropout: float = 0.0, batch_norm: bool = True) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1, bias=not batch_norm) for _ in range(2))
        layers: list[nn.Module] = [first]
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        layers.append(nn.ReLU())
        if dropout > 0:
            layers.append(nn.Dropout2d(dropout))
        layers.append(second)
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        else:
            nn.init.zeros_(second.weight)
        self.layers = nn.Sequential(*layers)
        self.close = nn.ReLU() if batch_norm else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """Correct feature maps: float [B, channels, H, W], in and out."""
        corrected: Tensor = self.close(maps + self.layers(maps))
        return corrected

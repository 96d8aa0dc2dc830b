"""What the networks are built from."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Channels of the output up to which oneDNN wastes most of a convolution's vectors.
_FEW = 4


class ConvBlock(nn.Sequential):
    """Layers one after the other, of which the first, such as a :class:`SameConv2d`, reads any number of maps."""

    def forward(self, *maps: Tensor) -> Tensor:
        """Float [B, C1, H, W], [B, C2, H, W] ... to what the last layer gives."""
        first, *others = self
        output = read(first, *maps)
        for layer in others:
            output = layer(output)
        return output


def conv_block(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    dropout: float = 0.0,
    pool: bool = False,
    upsample: bool = False,
) -> ConvBlock:
    """Convolution, batch norm and ReLU, with what is asked for of pooling, dropout and doubling.

    The maximum is taken before ReLU and dropout: the same as after them, of a quarter of the values.

    Args:
        in_channels: Channels of the input, or of all inputs together.
        out_channels: Channels of the output.
        kernel_size: An odd number, so that the padding keeps height and width.
        dropout: Share of the channels that training sets to zero; 0 adds no layer.
        pool: Whether of every two by two pixels the maximum is kept.
        upsample: Whether every pixel is repeated twice along height and width.

    Returns:
        A module from [B, in_channels, H, W] to [B, out_channels, H', W'].

    Raises:
        ValueError: If ``kernel_size`` is even or not positive.
    """
    layers = [SameConv2d(in_channels, out_channels, kernel_size), nn.BatchNorm2d(out_channels)]
    if pool:
        layers.append(nn.MaxPool2d(2))
    layers.append(nn.ReLU())
    if dropout > 0:
        layers.append(nn.Dropout2d(dropout))
    if upsample:
        layers.append(Upsample())
    return ConvBlock(*layers)


class Upsample(nn.Module):
    """Repeats every pixel twice along height and width."""

    def forward(self, maps: Tensor) -> Tensor:
        """Float [B, C, H, W] to [B, C, 2H, 2W]."""
        doubled = upsample(maps, 2)
        if _is_cheaper_as_equal(self, maps):
            doubled.undoubled = maps, maps._version  # type: ignore[attr-defined]  # for a SameConv2d
        return doubled


class SameConv2d(nn.Conv2d):
    """A convolution that keeps height and width, and reads one or more maps of that height and width side by side.

    On the CPU it is trained as what it equals and takes less time:

    - One over doubled maps is a transposed convolution of the maps before, with kernels of one more row and
      column: four products a pixel in the place of nine, where kernels are 3×3.
    - One over several maps is the sum of one over each, which need not be put side by side.
    - One to few channels, such as an image's three, is a transposed one with the kernels turned around, which
      fills oneDNN's vectors.

    Args:
        in_channels: Channels of all inputs together.
        out_channels: Channels of the output.
        kernel_size: An odd number.
        groups: Groups of channels that do not see each other.

    Raises:
        ValueError: If ``kernel_size`` is even or not positive.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, groups: int = 1) -> None:
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: expected an odd number such as 3 or 5, found {kernel_size}")
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2, groups=groups)

    def forward(self, *maps: Tensor) -> Tensor:
        """Float [B, C1, H, W], [B, C2, H, W] ..., in_channels in all, to [B, out_channels, H, W]."""
        plain = (
            self.groups > 1
            or self.padding_mode != "zeros"
            or sum(m.shape[-3] for m in maps) != self.in_channels
        )
        if plain or not _is_cheaper_as_equal(self, maps[0]):
            return super().forward(concatenate(*maps))
        weights = torch.split(self.weight, [m.shape[-3] for m in maps], dim=1)
        output = self._read(maps[0], weights[0], self.bias)
        for more, weight in zip(maps[1:], weights[1:], strict=True):
            output = output + self._read(more, weight)
        return output

    def _read(self, maps: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        padding = self.kernel_size[0] // 2
        undoubled = _undoubled(maps)
        if undoubled is not None:
            # A pixel becomes two by two, so the kernels of these add up.
            kernels = F.avg_pool2d(weight.flip(2, 3), 2, stride=1, padding=1, divisor_override=1)
            return F.conv_transpose2d(undoubled, kernels.transpose(0, 1), bias, stride=2, padding=padding)
        if weight.shape[0] <= _FEW < weight.shape[1]:
            return F.conv_transpose2d(maps, weight.flip(2, 3).transpose(0, 1), bias, padding=padding)
        return F.conv2d(maps, weight, bias, padding=padding)


def _is_cheaper_as_equal(module: nn.Module, maps: Tensor) -> bool:
    """Whether a module trains on the CPU; elsewhere the plain operations are as fast, and are what others read."""
    if torch.compiler.is_compiling():  # asked first: the compiler cannot follow all that comes after
        return False
    trains = module.training and torch.is_grad_enabled() and not maps.is_inference()
    return trains and maps.device.type == "cpu"


def _undoubled(maps: Tensor) -> Tensor | None:
    """What a Double made maps of, unless somebody has changed either or wants the gradient of the doubled ones."""
    if not hasattr(maps, "undoubled"):
        return None
    before, version = maps.undoubled
    changed = maps._version > 0 or before._version != version
    asked_for = maps.requires_grad != before.requires_grad or maps.retains_grad or maps._backward_hooks
    return None if changed or asked_for else before


def read(layer: nn.Module, *maps: Tensor) -> Tensor:
    """Give a layer maps side by side: joined, unless it is one that joins them itself."""
    output: Tensor = layer(*maps) if isinstance(layer, SameConv2d | ConvBlock) else layer(concatenate(*maps))
    return output


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


def upsample(images: Tensor, scale_factor: int) -> Tensor:
    """Repeat every pixel: what a network for super-resolution does with its small input at its door.

    Args:
        images: Float [B, C, h, w].
        scale_factor: How often along height and width; 1 changes nothing.

    Returns:
        Float [B, C, h * factor, w * factor].
    """
    return images if scale_factor == 1 else F.interpolate(images, scale_factor=scale_factor, mode="nearest")


def concatenate(*maps: Tensor) -> Tensor:
    """Stack feature maps of one height and width along the channels: a skip connection."""
    return maps[0] if len(maps) == 1 else torch.cat(maps, dim=1)


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

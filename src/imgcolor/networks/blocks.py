"""Building blocks that several networks share."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.networks import fast_convolutions


class SameConv2d(nn.Conv2d):
    """A convolution with zero padding that keeps height and width.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernels, an odd number.
        groups: Number of groups of channels that are convolved separately.
        stride: 1, or 2 to halve height and width.

    Raises:
        ValueError: If ``kernel_size`` is even or not positive.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, groups: int = 1, stride: int = 1
    ) -> None:
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: expected an odd number such as 3 or 5, found {kernel_size}")
        super().__init__(in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups)

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve float [B, in_channels, H, W] to [B, out_channels, H / stride, W / stride], rounded up."""
        if self.groups == 1 and self.stride == (1, 1) and fast_convolutions.is_training_on_cpu(self, maps):
            return fast_convolutions.conv2d(maps, self.weight, self.bias)
        return super().forward(maps)


class UpsampleConv2d(SameConv2d):
    """A convolution of coarse maps that are upsampled by 2 and, if there are fine maps, concatenated with them.

    Args:
        in_channels: Channels of the coarse and the fine maps together.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernels, an odd number.

    Raises:
        ValueError: If ``kernel_size`` is even or not positive.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size)

    def forward(self, coarse: Tensor, fine: Tensor | None = None) -> Tensor:
        """Upsample, concatenate and convolve.

        Args:
            coarse: Float [B, C1, H, W].
            fine: Float [B, C2, 2H, 2W], with C1 + C2 = ``in_channels``.

        Returns:
            Float [B, out_channels, 2H, 2W].
        """
        if fast_convolutions.is_training_on_cpu(self, coarse):
            return fast_convolutions.conv2d_upsampled(coarse, fine, self.weight, self.bias)
        maps = upsample(coarse, 2)
        return super().forward(maps if fine is None else torch.cat([maps, fine], dim=1))


def conv_block(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    dropout: float = 0.0,
    pool: bool = False,
    stride: int = 1,
) -> nn.Sequential:
    """Build a block of convolution, batch norm and ReLU, with optional pooling and dropout.

    Max pooling comes before ReLU: the result is the same as after it, and ReLU has a quarter of the work.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernels, an odd number.
        dropout: Fraction of the channels that training sets to zero; 0 adds no layer.
        pool: Whether 2×2 max pooling halves height and width.
        stride: Stride of the convolution; 2 halves height and width.

    Returns:
        A module from [B, in_channels, H, W] to [B, out_channels, H, W]; ``pool`` and a ``stride`` of 2 each halve
        height and width.

    Raises:
        ValueError: If ``kernel_size`` is even or not positive.
    """
    convolution = SameConv2d(in_channels, out_channels, kernel_size, stride=stride)
    layers = [convolution, nn.BatchNorm2d(out_channels)]
    if pool:
        layers.append(nn.MaxPool2d(2))
    layers.append(nn.ReLU())
    if dropout > 0:
        layers.append(nn.Dropout2d(dropout))
    return nn.Sequential(*layers)


class UpsampleBlock(nn.Sequential):
    """A block of :class:`UpsampleConv2d`, batch norm and ReLU, with optional dropout.

    Args:
        in_channels: Channels of the coarse and the fine maps together.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernels, an odd number.
        dropout: Fraction of the channels that training sets to zero; 0 adds no layer.

    Raises:
        ValueError: If ``kernel_size`` is even or not positive.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, dropout: float = 0.0) -> None:
        layers = [
            UpsampleConv2d(in_channels, out_channels, kernel_size),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        ]
        if dropout > 0:
            layers.append(nn.Dropout2d(dropout))
        super().__init__(*layers)

    def forward(self, coarse: Tensor, fine: Tensor | None = None) -> Tensor:
        """Combine coarse and fine maps.

        Args:
            coarse: Float [B, C1, H, W].
            fine: Float [B, C2, 2H, 2W], with C1 + C2 = ``in_channels``.

        Returns:
            Float [B, out_channels, 2H, 2W].
        """
        convolution, *others = self
        maps: Tensor = convolution(coarse, fine)
        for layer in others:
            maps = layer(maps)
        return maps


def _rename_old_weights(block: nn.Module, weights: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Rename the weights of checkpoints in which the dropout of a :class:`ResidualBlock` counted as a layer."""
    own = sorted(name for name in weights if name.startswith(f"{prefix}layers."))
    numbers = {name: int(name.removeprefix(f"{prefix}layers.").split(".")[0]) for name in own}
    layers = sum(name != "dropout" for name, _ in block.get_submodule("layers").named_children())
    if max(numbers.values(), default=0) < layers:
        return
    for name, number in numbers.items():
        if number > layers // 2:
            end = name.removeprefix(f"{prefix}layers.{number}")
            weights[f"{prefix}layers.{number - 1}{end}"] = weights.pop(name)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with a ReLU between them, added to the input.

    With batch norm after both convolutions and a ReLU after the addition, this is the block of He et al.
    2016. Without batch norm it is the block of Lim et al. 2017 (EDSR); its second convolution starts at zero,
    so that a network of many blocks trains.

    Args:
        channels: Channels of input and output.
        dropout: Fraction of the channels between the convolutions that training sets to zero; 0 adds no
            layer.
        batch_norm: Which of the two blocks it is.
    """

    def __init__(self, channels: int, dropout: float = 0.0, batch_norm: bool = True) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1, bias=not batch_norm) for _ in range(2))
        layers: list[nn.Module] = [first]
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        layers += [nn.ReLU(), second]
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        else:
            nn.init.zeros_(second.weight)
        named = [(str(number), layer) for number, layer in enumerate(layers)]
        if dropout > 0:
            # With a name of its own, so that the names of the weights do not depend on the dropout.
            named.insert(layers.index(second), ("dropout", nn.Dropout2d(dropout)))
        self.layers = nn.Sequential(OrderedDict(named))
        self.activation = nn.ReLU() if batch_norm else nn.Identity()
        self.register_load_state_dict_pre_hook(_rename_old_weights)  # type: ignore[no-untyped-call]  # torch's

    def forward(self, maps: Tensor) -> Tensor:
        """Map float [B, channels, H, W] to the same shape."""
        output: Tensor = self.activation(maps + self.layers(maps))
        return output


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until height and width are multiples of a number.

    Args:
        images: Float [B, C, H, W].
        multiple: The number.

    Returns:
        Float [B, C, H', W'] with H' >= H and W' >= W; ``images`` itself if no padding is needed.
    """
    height, width = images.shape[-2:]
    missing = (0, -width % multiple, 0, -height % multiple)
    return F.pad(images, missing, mode="replicate") if any(missing) else images


def upsample(images: Tensor, scale_factor: int) -> Tensor:
    """Repeat every pixel along height and width (nearest-neighbour upsampling).

    Args:
        images: Float [B, C, H, W].
        scale_factor: How often each pixel is repeated; 1 returns ``images`` itself.

    Returns:
        Float [B, C, H * scale_factor, W * scale_factor].
    """
    return images if scale_factor == 1 else F.interpolate(images, scale_factor=scale_factor, mode="nearest")

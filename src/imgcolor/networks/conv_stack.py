"""The face homework's network: a few convolutions at full size (CENG 483, take-home exam 3)."""

from torch import Tensor, nn

from imgcolor.networks.blocks import SameConv2d


class ConvStack(nn.Module):
    """Convolutions one after the other, with ReLU between them and three channels at the end.

    There is no pooling, so images of any height and width keep it.

    Args:
        layers: Number of convolutions, at least 1.
        hidden_channels: Channels of every convolution but the last, which has 3.
        kernel_size: Height and width of every kernel, an odd number.
        batch_norm: Whether a batch norm follows every convolution, the last one too.
        tanh: Whether tanh closes the network, for targets in [-1, 1].
        separable: Whether every convolution is split in two: one kernel a channel, then a 1×1 convolution across
            channels.
        groups: Groups of the convolutions between the first and the last, which cannot be grouped: their inputs
            and outputs are 1 and 3 channels.
        in_channels: Channels of the input.

    Raises:
        ValueError: If an argument is out of range, or ``hidden_channels`` is no multiple of ``groups``.
    """

    def __init__(
        self,
        layers: int = 2,
        hidden_channels: int = 16,
        kernel_size: int = 5,
        batch_norm: bool = False,
        tanh: bool = False,
        separable: bool = False,
        groups: int = 1,
        in_channels: int = 1,
    ) -> None:
        super().__init__()
        for name, value in (("layers", layers), ("hidden_channels", hidden_channels), ("groups", groups)):
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, found {value}")
        if hidden_channels % groups:
            raise ValueError(f"groups: expected a divisor of the {hidden_channels} kernels, found {groups}")
        if separable and groups > 1:
            raise ValueError(f"groups: expected 1 where convolutions are separable, found {groups}")
        self.layers = layers
        self.hidden_channels = hidden_channels
        self.kernel_size = kernel_size
        self.batch_norm = batch_norm
        self.tanh = tanh
        self.separable = separable
        self.groups = groups
        self.in_channels = in_channels
        channels = [in_channels, *[hidden_channels] * (layers - 1), 3]
        for number in range(1, layers + 1):
            last = number == layers
            block = self._block(
                channels[number - 1], channels[number], 1 if number == 1 or last else groups, last
            )
            self.add_module(f"conv{number}", block)

    def _block(self, inputs: int, outputs: int, groups: int, last: bool) -> nn.Sequential:
        block: list[nn.Module]
        if self.separable:
            depthwise = SameConv2d(inputs, inputs, self.kernel_size, groups=inputs)
            block = [depthwise, nn.Conv2d(inputs, outputs, 1)]
        else:
            block = [SameConv2d(inputs, outputs, self.kernel_size, groups=groups)]
        if self.batch_norm:
            block.append(nn.BatchNorm2d(outputs))
        if not last:
            block.append(nn.ReLU())
        elif self.tanh:
            block.append(nn.Tanh())
        return nn.Sequential(*block)

    def forward(self, images: Tensor) -> Tensor:
        """Colour images.

        Args:
            images: Float [B, in_channels, H, W].

        Returns:
            Float [B, 3, H, W]: in [-1, 1] with ``tanh``, unbounded without.
        """
        for block in self.children():
            images = block(images)
        return images

"""The homework's network for faces: a few convolutions at full resolution (CENG 483, take-home exam 3)."""

from torch import Tensor, nn

from imgcolor.networks.blocks import SameConv2d


class ConvStack(nn.Module):
    """A sequence of convolutions with ReLU between them and three output channels.

    It has no pooling: the output has the height and width of the input.

    Args:
        layers: Number of convolutions, at least 1.
        hidden_channels: Output channels of each convolution but the last, which has 3.
        kernel_size: Height and width of all kernels, an odd number.
        batch_norm: Whether batch norm follows each convolution, including the last one.
        tanh: Whether tanh follows the last convolution, for targets in [-1, 1].
        separable: Whether each convolution is split into a depthwise convolution and a 1×1 convolution.
        groups: Groups of the convolutions between the first and the last one. Those two have no groups,
            because they have 1 input and 3 output channels.
        in_channels: Channels of the input.

    Raises:
        ValueError: If an argument is out of range, or ``hidden_channels`` is not a multiple of ``groups``.
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
            raise ValueError(
                f"groups: expected a divisor of hidden_channels = {hidden_channels}, found {groups}"
            )
        if separable and groups > 1:
            raise ValueError(f"groups: expected 1 with separable convolutions, found {groups}")
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
        """Predict colour images.

        Args:
            images: Float [B, in_channels, H, W].

        Returns:
            Float [B, 3, H, W]: in [-1, 1] with ``tanh``, otherwise unbounded.
        """
        for block in self.children():
            images = block(images)
        return images

"""The course's network with skip connections (CSC2516, problem C)."""

from torch import Tensor, nn

from imgcolor.networks.blocks import SameConv2d, conv_block, pad_to_multiple, read, upsample


class ColourUNet(nn.Module):
    """The ColourCNN whose way up also reads what the way down saw at the same height, and the input itself.

    ``upconv1`` reads ``rfconv`` and ``downconv2``, ``upconv2`` reads ``upconv1`` and ``downconv1``, the last
    convolution reads ``upconv2`` and the input. Heights and widths that are no multiples of 4 are padded
    inside and cropped again.

    Args:
        out_channels: Channels of the output: the number of palette colours, or 3 for regression.
        base_channels: Channels of the first block; the blocks at the bottom have twice as many.
        kernel_size: Height and width of every kernel, an odd number.
        dropout: Share of the channels that training sets to zero after each block but the last.
        in_channels: Channels of the input.
        scale_factor: How often every pixel of the input is repeated along height and width before anything else:
            4 for super-resolution from 8×8 to 32×32.
    """

    def __init__(
        self,
        out_channels: int = 24,
        base_channels: int = 32,
        kernel_size: int = 3,
        dropout: float = 0.0,
        in_channels: int = 1,
        scale_factor: int = 1,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.base_channels = base_channels
        self.kernel_size = kernel_size
        self.dropout = dropout
        self.in_channels = in_channels
        self.scale_factor = scale_factor
        k, p = kernel_size, dropout
        self.downconv1 = conv_block(in_channels, base_channels, k, p, pool=True)
        self.downconv2 = conv_block(base_channels, 2 * base_channels, k, p, pool=True)
        self.rfconv = conv_block(2 * base_channels, 2 * base_channels, k, p)
        self.upconv1 = conv_block(4 * base_channels, base_channels, k, p, upsample=True)
        self.upconv2 = conv_block(2 * base_channels, out_channels, k, upsample=True)
        self.finalconv = SameConv2d(out_channels + in_channels, out_channels, k)

    def forward(self, images: Tensor) -> Tensor:
        """Score every colour at every pixel.

        Args:
            images: Float [B, in_channels, h, w] in [0, 1].

        Returns:
            Float [B, colours, h * upscale, w * upscale], unbounded.
        """
        images = upsample(images, self.scale_factor)
        height, width = images.shape[-2:]
        images = pad_to_multiple(images, 4)
        half = self.downconv1(images)
        quarter = self.downconv2(half)
        maps = read(self.upconv1, self.rfconv(quarter), quarter)
        maps = read(self.upconv2, maps, half)
        logits = read(self.finalconv, maps, images)
        return logits[..., :height, :width]

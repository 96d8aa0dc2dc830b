"""The course's encoder-decoder without skip connections (CSC2516, problem B)."""

from torch import Tensor, nn

from imgcolor.networks.blocks import UpsampleBlock, UpsampleConv2d, conv_block, pad_to_multiple, upsample


class ColourCNN(nn.Module):
    """An encoder-decoder that gives one logit per colour and pixel.

    ``downconv1`` and ``downconv2`` halve height and width, ``rfconv`` and ``upconv1`` work at a quarter of
    the height and width. ``upconv2`` and ``finalconv`` upsample their input by 2 before they convolve it. If
    height or width is not a multiple of 4, the input is padded and the output is cropped.

    Args:
        out_channels: Channels of the output: the number of palette colours.
        base_channels: Channels of the first block; the blocks at the lowest resolution have twice as many.
        kernel_size: Height and width of all kernels, an odd number.
        dropout: Fraction of the channels that training sets to zero after each block but the last.
        in_channels: Channels of the input.
        scale_factor: Factor by which the input is upsampled first (nearest neighbour), such as 4 for
            super-resolution from 8×8 to 32×32.
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
        self.upconv1 = conv_block(2 * base_channels, base_channels, k, p)
        self.upconv2 = UpsampleBlock(base_channels, out_channels, k)
        self.finalconv = UpsampleConv2d(out_channels, out_channels, k)

    def forward(self, images: Tensor) -> Tensor:
        """Compute one logit per colour and pixel.

        Args:
            images: Float [B, in_channels, h, w] in [0, 1].

        Returns:
            Float [B, out_channels, h * scale_factor, w * scale_factor], unbounded.
        """
        images = upsample(images, self.scale_factor)
        height, width = images.shape[-2:]
        maps = self.downconv2(self.downconv1(pad_to_multiple(images, 4)))
        maps = self.upconv2(self.upconv1(self.rfconv(maps)))
        logits: Tensor = self.finalconv(maps)
        return logits[..., :height, :width]

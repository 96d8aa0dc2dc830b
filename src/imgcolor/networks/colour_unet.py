"""The course's network with skip connections (CSC2516, problem C)."""

import torch
from torch import Tensor, nn

from imgcolor.networks.blocks import UpsampleBlock, UpsampleConv2d, conv_block, pad_to_multiple, upsample


class ColourUNet(nn.Module):
    """:class:`~imgcolor.networks.ColourCNN` with skip connections.

    ``upconv1`` reads the outputs of ``rfconv`` and ``downconv2``, ``upconv2`` those of ``upconv1`` and
    ``downconv1``, ``finalconv`` that of ``upconv2`` and the input. ``upconv2`` and ``finalconv`` upsample the
    first of the two by 2 before they convolve. If height or width is not a multiple of 4, the input is padded
    and the output is cropped.

    Args:
        out_channels: Channels of the output: the number of palette colours, or 3 for regression.
        base_channels: Channels of the first block; the blocks at the lowest resolution have twice as many.
        kernel_size: Height and width of all kernels, an odd number.
        dropout: Fraction of the channels that training sets to zero after each block but the last.
        in_channels: Channels of the input.
        scale_factor: Factor by which the input is upsampled first (nearest neighbour), such as 4 for
            super-resolution from 8×8 to 32×32.
        stride: Stride of ``downconv1`` and ``downconv2``. With 1, 2×2 max pooling halves height and width; with
            2, the convolution itself does, and there is no pooling.

    Raises:
        ValueError: If ``stride`` is neither 1 nor 2, or ``kernel_size`` is even or not positive.
    """

    def __init__(
        self,
        out_channels: int = 24,
        base_channels: int = 32,
        kernel_size: int = 3,
        dropout: float = 0.0,
        in_channels: int = 1,
        scale_factor: int = 1,
        stride: int = 1,
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride: expected 1 or 2, found {stride}")
        self.out_channels = out_channels
        self.base_channels = base_channels
        self.kernel_size = kernel_size
        self.dropout = dropout
        self.in_channels = in_channels
        self.scale_factor = scale_factor
        self.stride = stride
        k, p = kernel_size, dropout
        pool = stride == 1
        self.downconv1 = conv_block(in_channels, base_channels, k, p, pool, stride)
        self.downconv2 = conv_block(base_channels, 2 * base_channels, k, p, pool, stride)
        self.rfconv = conv_block(2 * base_channels, 2 * base_channels, k, p)
        self.upconv1 = conv_block(4 * base_channels, base_channels, k, p)
        self.upconv2 = UpsampleBlock(2 * base_channels, out_channels, k)
        self.finalconv = UpsampleConv2d(out_channels + in_channels, out_channels, k)

    def forward(self, images: Tensor) -> Tensor:
        """Compute one value per output channel and pixel.

        Args:
            images: Float [B, in_channels, h, w] in [0, 1].

        Returns:
            Float [B, out_channels, h * scale_factor, w * scale_factor], unbounded.
        """
        images = upsample(images, self.scale_factor)
        height, width = images.shape[-2:]
        images = pad_to_multiple(images, 4)
        half = self.downconv1(images)
        quarter = self.downconv2(half)
        maps = self.upconv1(torch.cat([self.rfconv(quarter), quarter], dim=1))
        maps = self.upconv2(maps, half)
        output: Tensor = self.finalconv(maps, images)
        return output[..., :height, :width]

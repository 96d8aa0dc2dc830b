"""A network for super-resolution that adds a correction to bicubic upsampling."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.networks.blocks import ResidualBlock, SameConv2d, upsample


class ResidualUpscaler(nn.Module):
    """Residual blocks at the low resolution, pixel shuffle, and residual blocks at the high resolution.

    Layers: ``stem`` (3×3 convolution), ``body`` (residual blocks at the low resolution), ``shuffle`` (a 1×1
    convolution and pixel shuffle, Shi et al. 2016), ``join`` (a 3×3 convolution of these maps and the bicubic
    upsampling of the input), ``fine`` (residual blocks at the high resolution) and ``head`` (a 3×3
    convolution that starts at zero). If the output has as many channels as the input, it is added to the
    bicubic upsampling.

    With ``keep_mean``, the mean of each block of the output equals the input pixel, before the image is
    clamped to [0, 1]. This holds for the true image too if the input was made by averaging blocks.

    Args:
        out_channels: Channels of the output: 3 for RGB, or the number of palette colours.
        hidden_channels: Channels at the low resolution.
        blocks: Residual blocks at the low resolution.
        fine_channels: Channels at the high resolution.
        fine_blocks: Residual blocks at the high resolution.
        scale_factor: Factor between the two resolutions, the same as the DataModule's ``scale_factor``.
        dropout: Fraction of the channels that training sets to zero inside each residual block.
        in_channels: Channels of the input.
        keep_mean: Whether the means of blocks are kept, as described above; only for RGB output.
        batch_norm: Whether ``stem`` and residual blocks have batch norm.

    Raises:
        ValueError: If ``scale_factor`` is below 2, or ``keep_mean`` is set and the numbers of input and
            output channels differ.
    """

    def __init__(
        self,
        out_channels: int = 3,
        hidden_channels: int = 96,
        blocks: int = 4,
        fine_channels: int = 32,
        fine_blocks: int = 1,
        scale_factor: int = 4,
        dropout: float = 0.0,
        in_channels: int = 3,
        keep_mean: bool = True,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        if scale_factor < 2:
            raise ValueError(f"scale_factor: expected at least 2, found {scale_factor}")
        if keep_mean and out_channels != in_channels:
            raise ValueError(
                f"keep_mean: expected as many output channels as input channels, found {out_channels} and "
                f"{in_channels}; set it to false for palette colours"
            )
        self.out_channels = out_channels
        self.hidden_channels = hidden_channels
        self.blocks = blocks
        self.fine_channels = fine_channels
        self.fine_blocks = fine_blocks
        self.scale_factor = scale_factor
        self.dropout = dropout
        self.in_channels = in_channels
        self.keep_mean = keep_mean
        self.batch_norm = batch_norm
        norm = [nn.BatchNorm2d(hidden_channels)] if batch_norm else []
        self.stem = nn.Sequential(nn.Conv2d(in_channels, hidden_channels, 3, padding=1), *norm, nn.ReLU())
        self.body = nn.Sequential(
            *(ResidualBlock(hidden_channels, dropout, batch_norm) for _ in range(blocks))
        )
        self.shuffle = nn.Sequential(
            nn.Conv2d(hidden_channels, fine_channels * scale_factor**2, 1),
            nn.PixelShuffle(scale_factor),
            nn.ReLU(),
        )
        self.join = nn.Conv2d(fine_channels + in_channels, fine_channels, 3, padding=1)
        self.fine = nn.Sequential(
            *(ResidualBlock(fine_channels, dropout, batch_norm) for _ in range(fine_blocks))
        )
        self.head = SameConv2d(fine_channels, out_channels, 3)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # there is one

    def forward(self, images: Tensor) -> Tensor:
        """Increase the resolution of images.

        Args:
            images: Float [B, in_channels, h, w] in [0, 1]; any height and width.

        Returns:
            Float [B, out_channels, h * scale_factor, w * scale_factor], unbounded.
        """
        # The weights are in this memory format too; torch.cat is slow if the formats differ.
        images = images.contiguous(memory_format=torch.channels_last)
        bicubic = F.interpolate(images, scale_factor=self.scale_factor, mode="bicubic", align_corners=False)
        maps = self.shuffle(self.body(self.stem(images)))
        maps = self.fine(F.relu(self.join(torch.cat([maps, bicubic], dim=1))))
        output: Tensor = self.head(maps).float()
        if self.out_channels == self.in_channels:
            output = output + bicubic
        if self.keep_mean:
            error = F.avg_pool2d(output, self.scale_factor) - images
            output = output - upsample(error, self.scale_factor)
        return output

"""Super-resolution that works at the small size and invents nothing that the input contradicts."""

import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.networks.blocks import ResidualBlock, SameConv2d, read


class ResidualUpscaler(nn.Module):
    """Residual blocks at the input's size, then pixel shuffle, some more at the output's, and a correction.

    Layers: ``stem`` (3×3), ``body`` (residual blocks at the small size), ``shuffle`` (a 1×1 convolution to
    ``fine_filters`` maps for each pixel of a block, which pixel shuffle puts in their places: Shi et al. 2016),
    ``join`` (3×3, of those and the bicubic enlargement), ``fine`` (residual blocks at the full size) and
    ``head`` (3×3, starting at zero), which corrects the bicubic enlargement where the output is RGB.

    With ``keep_mean``, the mean of every block of the output, before it is clamped to [0, 1] for a picture, is
    exactly the pixel that it came from: a box filter takes away only what does not change a block's mean, so
    the correction's own mean is taken off.

    Args:
        colours: Channels of the output: 3 for RGB, or the number of palette colours.
        filters: Maps at the small size.
        blocks: Residual blocks at the small size.
        fine_filters: Maps at the full size.
        fine_blocks: Residual blocks at the full size.
        upscale: Height and width of a block, the datamodule's ``factor``.
        dropout: Share of the channels that training sets to zero inside each residual block.
        in_channels: Channels of the input.
        keep_mean: For RGB: see above.
        batch_norm: Whether stem and residual blocks have batch norm.

    Raises:
        ValueError: If ``upscale`` is below 2, or ``keep_mean`` is asked for without as many channels out
            as in.
    """

    def __init__(
        self,
        colours: int = 3,
        filters: int = 96,
        blocks: int = 4,
        fine_filters: int = 32,
        fine_blocks: int = 1,
        upscale: int = 4,
        dropout: float = 0.0,
        in_channels: int = 3,
        keep_mean: bool = True,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        if upscale < 2:
            raise ValueError(f"upscale: expected at least 2, found {upscale}")
        if keep_mean and colours != in_channels:
            raise ValueError(
                f"keep_mean: expected as many channels out as in, found {colours} and {in_channels}; "
                "set it to false for palette colours"
            )
        self.colours = colours
        self.filters = filters
        self.blocks = blocks
        self.fine_filters = fine_filters
        self.fine_blocks = fine_blocks
        self.upscale = upscale
        self.dropout = dropout
        self.in_channels = in_channels
        self.keep_mean = keep_mean
        self.batch_norm = batch_norm
        norm = [nn.BatchNorm2d(filters)] if batch_norm else []
        self.stem = nn.Sequential(nn.Conv2d(in_channels, filters, 3, padding=1), *norm, nn.ReLU())
        self.body = nn.Sequential(*(ResidualBlock(filters, dropout, batch_norm) for _ in range(blocks)))
        self.shuffle = nn.Sequential(
            nn.Conv2d(filters, fine_filters * upscale**2, 1), nn.PixelShuffle(upscale), nn.ReLU()
        )
        self.join = SameConv2d(fine_filters + in_channels, fine_filters, 3)
        self.fine = nn.Sequential(
            *(ResidualBlock(fine_filters, dropout, batch_norm) for _ in range(fine_blocks))
        )
        self.head = SameConv2d(fine_filters, colours, 3)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # there is one

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images.

        Args:
            images: Float [B, in_channels, h, w] in [0, 1]; any height and width.

        Returns:
            Float [B, colours, h * upscale, w * upscale], unbounded.
        """
        bicubic = F.interpolate(images, scale_factor=self.upscale, mode="bicubic", align_corners=False)
        maps = self.shuffle(self.body(self.stem(images)))
        maps = self.fine(F.relu(read(self.join, maps, bicubic)))
        output: Tensor = self.head(maps).float()
        if self.colours == self.in_channels:
            output = output + bicubic
        if self.keep_mean:
            wrong = F.avg_pool2d(output, self.upscale) - images
            output = output - F.interpolate(wrong, scale_factor=self.upscale, mode="nearest")
        return output

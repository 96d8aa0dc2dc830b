"""Super-resolution that works at the small size and invents nothing that the input contradicts."""

import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.networks.blocks import ResidualBlock, SameConv2d, read


class ResidualUpscaler(nn.Module):
    """Residual blocks at the input's size, then pixel shuffle, some more at the output's, and a correction.

    Layers: ``stem`` (3×3), ``body`` (residual blocks at the small size), ``shuffle`` (a 1×1 convolution to
    ``fine_channels`` maps for each pixel of a block, which pixel shuffle puts in their places: Shi et al. 2016),
    ``join`` (3×3, of those and the bicubic enlargement), ``fine`` (residual blocks at the full size) and
    ``head`` (3×3, starting at zero), which corrects the bicubic enlargement where the output is RGB.

    With ``keep_mean``, the mean of every block of the output, before it is clamped to [0, 1] for an image, is
    exactly the pixel that it came from: a box filter takes away only what does not change a block's mean, so
    the correction's own mean is taken off.

    Args:
        out_channels: Channels of the output: 3 for RGB, or the number of palette colours.
        hidden_channels: Maps at the small size.
        blocks: Residual blocks at the small size.
        fine_channels: Maps at the full size.
        fine_blocks: Residual blocks at the full size.
        scale_factor: Height and width of a block, the datamodule's ``scale_factor``.
        dropout: Share of the channels that training sets to zero inside each residual block.
        in_channels: Channels of the input.
        keep_mean: For RGB: see above.
        batch_norm: Whether stem and residual blocks have batch norm.

    Raises:
        ValueError: If ``scale_factor`` is below 2, or ``keep_mean`` is asked for without as many channels out
            as in.
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
                f"keep_mean: expected as many channels out as in, found {out_channels} and {in_channels}; "
                "set it to false for palette colours"
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
        self.join = SameConv2d(fine_channels + in_channels, fine_channels, 3)
        self.fine = nn.Sequential(
            *(ResidualBlock(fine_channels, dropout, batch_norm) for _ in range(fine_blocks))
        )
        self.head = SameConv2d(fine_channels, out_channels, 3)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # there is one

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images.

        Args:
            images: Float [B, in_channels, h, w] in [0, 1]; any height and width.

        Returns:
            Float [B, colours, h * upscale, w * upscale], unbounded.
        """
        bicubic = F.interpolate(images, scale_factor=self.scale_factor, mode="bicubic", align_corners=False)
        maps = self.shuffle(self.body(self.stem(images)))
        maps = self.fine(F.relu(read(self.join, maps, bicubic)))
        output: Tensor = self.head(maps).float()
        if self.out_channels == self.in_channels:
            output = output + bicubic
        if self.keep_mean:
            wrong = F.avg_pool2d(output, self.scale_factor) - images
            output = output - F.interpolate(wrong, scale_factor=self.scale_factor, mode="nearest")
        return output

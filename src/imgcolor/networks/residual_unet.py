"""A U-Net of residual blocks that adds a correction to a base prediction."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from imgcolor.networks.blocks import ResidualBlock, SameConv2d, pad_to_multiple, upsample

_GREY_WEIGHTS = {"mean": (1 / 3, 1 / 3, 1 / 3), "luma": (0.299, 0.587, 0.114)}


class ResidualUNet(nn.Module):
    """A U-Net of residual blocks that adds a correction to the output of a simpler module, the base.

    The encoder halves height and width between levels with 2×2 convolutions of stride 2. The decoder
    upsamples by 2 and adds the encoder's maps of the same level. Level 0 has the full resolution. The last
    convolution starts at zero, so before training the network gives the output of its base.

    Layers, from level 0 (full resolution) to level n: ``stem`` (3×3 convolution); ``down1`` to ``downn``,
    each a 2×2 convolution and ``blocks`` residual blocks; ``enter(n-1)`` and ``up(n-1)`` to ``enter0`` and
    ``up0``, a 1×1 convolution, upsampling, addition and ``blocks`` residual blocks; ``head`` (3×3
    convolution). Level 0 has no residual blocks in the encoder, because its maps are the largest. See He et
    al. 2016 for residual blocks and Ronneberger et al. 2015 for the U-Net, which concatenates where this
    network adds.

    Args:
        out_channels: Channels of the output: the number of palette colours, or 3 for regression.
        hidden_channels: Channels of each level, from level 0 on.
        blocks: Residual blocks per level of encoder and decoder.
        dropout: Fraction of the channels that training sets to zero inside each residual block.
        in_channels: Channels of the input.
        base: A module with the same input and output shape, such as :class:`imgcolor.baselines.GreyLookup`,
            whose output is added; None adds nothing.
        luminance: Which grey of the output equals the input: ``mean``, the plain mean of red, green and blue, or
            ``luma``, their sum with the weights of ITU-R BT.601. The same amount is added to all three channels
            for that, before the image is clamped to [0, 1]. Both values need 1 input and 3 output channels. None
            leaves the output unchanged.

    Raises:
        ValueError: If an argument is out of range, or ``luminance`` does not match the channels.
    """

    def __init__(
        self,
        out_channels: int = 3,
        hidden_channels: Sequence[int] = (32, 64, 128),
        blocks: int = 1,
        dropout: float = 0.0,
        in_channels: int = 1,
        base: nn.Module | None = None,
        luminance: Literal["mean", "luma"] | None = None,
    ) -> None:
        super().__init__()
        if not hidden_channels or min(hidden_channels) < 1:
            raise ValueError(
                f"hidden_channels: expected a number of at least 1 for each level, found {list(hidden_channels)}"
            )
        if blocks < 1:
            raise ValueError(f"blocks: expected at least 1, found {blocks}")
        if luminance is not None and luminance not in _GREY_WEIGHTS:
            raise ValueError(f"luminance: expected mean, luma or null, found {luminance!r}")
        if luminance is not None and (in_channels, out_channels) != (1, 3):
            raise ValueError(
                f"luminance: expected 1 input and 3 output channels, found {in_channels} and {out_channels}"
            )
        self.out_channels = out_channels
        self.hidden_channels = list(hidden_channels)
        self.blocks = blocks
        self.dropout = dropout
        self.in_channels = in_channels
        self.base = base
        self.luminance = luminance
        bottom = len(hidden_channels) - 1
        # The additional input channel is the row's position: sky is at the top of most photos.
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels + 1, hidden_channels[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden_channels[0]),
            nn.ReLU(),
        )
        for level in range(1, bottom + 1):
            downsample = nn.Conv2d(hidden_channels[level - 1], hidden_channels[level], 2, stride=2)
            self.add_module(
                f"down{level}", nn.Sequential(downsample, *self._residual(hidden_channels[level]))
            )
        for level in range(bottom - 1, -1, -1):
            self.add_module(f"enter{level}", nn.Conv2d(hidden_channels[level + 1], hidden_channels[level], 1))
            self.add_module(f"up{level}", nn.Sequential(*self._residual(hidden_channels[level])))
        self.head = SameConv2d(hidden_channels[0], out_channels, 3)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # there is one

    def _residual(self, channels: int) -> list[nn.Module]:
        return [ResidualBlock(channels, self.dropout) for _ in range(self.blocks)]

    def forward(self, images: Tensor) -> Tensor:
        """Compute one value per output channel and pixel.

        Args:
            images: Float [B, in_channels, H, W] in [0, 1]; any height and width.

        Returns:
            Float [B, out_channels, H, W], unbounded.

        Raises:
            ValueError: If the output of the base has another shape.
        """
        height, width = images.shape[-2:]
        bottom = len(self.hidden_channels) - 1
        padded = pad_to_multiple(images, 2**bottom)
        rows = _row_positions(images)
        rows = pad_to_multiple(rows[:, None].expand(images.shape[0], 1, height, width), 2**bottom)
        maps = [self.stem(torch.cat([padded, rows], dim=1))]
        for level in range(1, bottom + 1):
            maps.append(self.get_submodule(f"down{level}")(maps[-1]))
        up = maps[bottom]
        for level in range(bottom - 1, -1, -1):
            # A 1×1 convolution before upsampling gives the same result as after it, for a quarter of the
            # work.
            up = upsample(self.get_submodule(f"enter{level}")(up), 2)
            up = self.get_submodule(f"up{level}")(up + maps[level])
        output: Tensor = self.head(up)[..., :height, :width].float()
        if self.base is not None:
            base = self.base(images)
            if base.shape != output.shape:
                raise ValueError(
                    f"base: expected an output of shape {list(output.shape)}, like the network's own, "
                    f"found {list(base.shape)}"
                )
            output = output + base
        if self.luminance is not None:
            # Not a matrix product or convolution: autocast would round those to bfloat16.
            weights = torch.tensor(_GREY_WEIGHTS[self.luminance], device=images.device).view(3, 1, 1)
            output = output + images - (weights * output).sum(dim=1, keepdim=True)
        return output


def _row_positions(images: Tensor) -> Tensor:
    """Return the position of each row of images, from -1 (top) to 1 (bottom); -1 for a single row: float [H].

    Not by torch.linspace, which is NaN in ONNX files for one row.
    """
    dtype = torch.promote_types(images.dtype, torch.float32)  # half precision cannot count all rows
    rows = torch.arange(images.shape[-2], device=images.device, dtype=dtype)
    return (rows * (2 / rows[-1:].clamp(min=1)) - 1).to(images.dtype)

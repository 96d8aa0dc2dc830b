"""A U-Net that corrects a simple guess and keeps the image's full resolution throughout."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.networks.blocks import ResidualBlock, SameConv2d, pad_to_multiple

_LUMINANCE = {"mean": (1 / 3, 1 / 3, 1 / 3), "luma": (0.299, 0.587, 0.114)}


class ResidualUNet(nn.Module):
    """Adds what a U-Net of residual blocks finds to what a simple base says.

    The way down halves height and width between levels by 2×2 convolutions with a stride of 2; the way up
    doubles them and adds what the way down had there. The full resolution has a path of its own, so no detail
    of the grey passes through a bottleneck. The last convolution starts at zero: before training, the network
    is its base.

    Layers, from the top level (0) to the bottom one (n): ``stem`` (3×3); ``down1`` .. ``downn``, each halving
    and then ``blocks`` residual blocks (none on level 0, whose maps are the largest); ``up(n-1)`` .. ``up0``,
    each a 1×1 convolution, doubling, addition and ``blocks`` residual blocks; ``head`` (3×3). A residual block
    is 3×3 - batch norm - ReLU - dropout - 3×3 - batch norm, added to its input, then ReLU (He et al. 2016); the
    U is that of Ronneberger et al. 2015, with additions in place of joins.

    Args:
        out_channels: Channels of the output: the number of palette colours, or 3 for regression.
        hidden_channels: Channels of each level, from the full resolution down.
        blocks: Residual blocks of each level of each way.
        dropout: Share of the channels that training sets to zero inside each residual block.
        in_channels: Channels of the input.
        base: A module of the same input and output that the network corrects, such as
            :class:`imgcolor.baselines.GreyLookup`; None starts from nothing.
        luminance: Makes the grey of the output that of the input, by adding the same to red, green and blue:
            ``mean`` for grey as the plain mean of the three, ``luma`` for ITU-R BT.601's weights, both for 1
            input and 3 output channels; None leaves the output as it is. Exact before an image is clamped to
            [0, 1].

    Raises:
        ValueError: If an argument is out of range, or ``luminance`` does not fit the channels.
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
                f"hidden_channels: expected numbers of at least 1, one a level, found {list(hidden_channels)}"
            )
        if blocks < 1:
            raise ValueError(f"blocks: expected at least 1, found {blocks}")
        if luminance is not None and luminance not in _LUMINANCE:
            raise ValueError(f"luminance: expected mean, luma or nothing, found {luminance!r}")
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
        # The second input is the row: a sky is rarely below a horse.
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels + 1, hidden_channels[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden_channels[0]),
            nn.ReLU(),
        )
        for level in range(1, bottom + 1):
            halve = nn.Conv2d(hidden_channels[level - 1], hidden_channels[level], 2, stride=2)
            self.add_module(f"down{level}", nn.Sequential(halve, *self._residual(hidden_channels[level])))
        for level in range(bottom - 1, -1, -1):
            self.add_module(f"enter{level}", nn.Conv2d(hidden_channels[level + 1], hidden_channels[level], 1))
            self.add_module(f"up{level}", nn.Sequential(*self._residual(hidden_channels[level])))
        self.head = SameConv2d(hidden_channels[0], out_channels, 3)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # there is one

    def _residual(self, channels: int) -> list[nn.Module]:
        return [ResidualBlock(channels, self.dropout) for _ in range(self.blocks)]

    def forward(self, images: Tensor) -> Tensor:
        """Colour images, or score colours.

        Args:
            images: Float [B, in_channels, H, W] in [0, 1]; any height and width.

        Returns:
            Float [B, colours, H, W], unbounded.

        Raises:
            ValueError: If the base gives another shape.
        """
        height, width = images.shape[-2:]
        bottom = len(self.hidden_channels) - 1
        padded = pad_to_multiple(images, 2**bottom)
        rows = torch.linspace(-1, 1, height, device=images.device, dtype=images.dtype)
        rows = pad_to_multiple(rows[:, None].expand(images.shape[0], 1, height, width), 2**bottom)
        maps = [self.stem(torch.cat([padded, rows], dim=1))]
        for level in range(1, bottom + 1):
            maps.append(self.get_submodule(f"down{level}")(maps[-1]))
        up = maps[bottom]
        for level in range(bottom - 1, -1, -1):
            # The 1×1 convolution before the doubling: the same result for a quarter of the work.
            up = F.interpolate(self.get_submodule(f"enter{level}")(up), scale_factor=2, mode="nearest")
            up = self.get_submodule(f"up{level}")(up + maps[level])
        output: Tensor = self.head(up)[..., :height, :width].float()
        if self.base is not None:
            base = self.base(images)
            if base.shape != output.shape:
                raise ValueError(
                    f"base: expected {list(output.shape)} like the network's own output, found {list(base.shape)}"
                )
            output = output + base
        if self.luminance is not None:
            # A sum, which autocast leaves in full precision; it would round a product of tensors to bfloat16.
            weights = torch.tensor(_LUMINANCE[self.luminance], device=images.device).view(3, 1, 1)
            output = output + images - (weights * output).sum(dim=1, keepdim=True)
        return output

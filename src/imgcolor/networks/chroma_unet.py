"""A U-Net of ConvNeXt blocks with self-attention that predicts chroma from luma and optional colour hints."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChromaUNet(nn.Module):
    """Predict chroma at a quarter of the resolution from luma and optional colour hints.

    The luma is rearranged to a quarter of the height and width (pixel unshuffle). An encoder of ConvNeXt blocks goes
    down to 1/16 of the resolution, where self-attention relates all parts of the image; a decoder with skip
    connections returns to 1/4 (Ronneberger et al. 2015). One channel gives each pixel its relative height in the image,
    since the sky is usually at the top. Colour hints follow Zhang et al. 2017, "Real-Time User-Guided Image
    Colorization".

    Args:
        channels: Channels at 1/4, 1/8 and 1/16 of the resolution.
        encoder_blocks: Number of ConvNeXt blocks in the encoder at each of these resolutions.
        decoder_blocks: Number of ConvNeXt blocks in the decoder at 1/8 and at 1/4 of the resolution.
        attention_blocks: Number of attention blocks at 1/16, each before one of the ConvNeXt blocks there.
        heads: Heads of the attention; a divisor of the last of ``channels``.
        out_channels: Channels of the output: 2 for Cb and Cr.
        drop_path: Largest probability of stochastic depth, used at 1/16; half of it at 1/8, none at 1/4.

    Raises:
        ValueError: If there are more attention blocks than ConvNeXt blocks at 1/16.
    """

    size_multiple = 16
    """Height and width of the input are multiples of this number."""

    def __init__(
        self,
        channels: tuple[int, int, int] = (96, 192, 320),
        encoder_blocks: tuple[int, int, int] = (2, 3, 3),
        decoder_blocks: tuple[int, int] = (2, 2),
        attention_blocks: int = 2,
        heads: int = 5,
        out_channels: int = 2,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= attention_blocks <= encoder_blocks[2]:
            raise ValueError(
                f"attention_blocks: expected 0 to {encoder_blocks[2]}, the number of ConvNeXt blocks at 1/16, found "
                f"{attention_blocks}"
            )
        self.channels = channels
        self.encoder_blocks = encoder_blocks
        self.decoder_blocks = decoder_blocks
        self.attention_blocks = attention_blocks
        self.heads = heads
        self.out_channels = out_channels
        self.drop_path = drop_path
        fine, middle, coarse = channels
        self.stem = nn.Conv2d(16 + 3 + 1, fine, 3, padding=1)  # 4×4 pixels of luma, hints, relative height
        self.encoder1 = _blocks(encoder_blocks[0], fine, 0.0)
        self.down1 = nn.Conv2d(fine, middle, 2, stride=2)
        self.encoder2 = _blocks(encoder_blocks[1], middle, drop_path / 2)
        self.down2 = nn.Conv2d(middle, coarse, 2, stride=2)
        bottleneck: list[nn.Module] = []
        for index in range(encoder_blocks[2]):
            if index < attention_blocks:
                bottleneck.append(SelfAttention(coarse, heads, drop_path))
            bottleneck.append(ConvNeXtBlock(coarse, drop_path))
        self.bottleneck = nn.Sequential(*bottleneck)
        self.up2 = nn.Conv2d(coarse, middle, 1)
        self.merge2 = nn.Conv2d(2 * middle, middle, 1)
        self.decoder2 = _blocks(decoder_blocks[0], middle, drop_path / 2)
        self.up1 = nn.Conv2d(middle, fine, 1)
        self.merge1 = nn.Conv2d(2 * fine, fine, 1)
        self.decoder1 = _blocks(decoder_blocks[1], fine, 0.0)
        self.head = nn.Conv2d(fine, out_channels, 3, padding=1)
        with torch.no_grad():  # start near grey
            self.head.weight.mul_(0.1)
            if self.head.bias is not None:
                self.head.bias.zero_()

    def forward(self, luma: Tensor, hints: Tensor | None = None) -> Tensor:
        """Predict chroma.

        Args:
            luma: Float [B, 1, H, W] in [0, 1]; H and W are multiples of 16.
            hints: Float [B, 3, H/4, W/4]: Cb and Cr in [-0.5, 0.5] where they are known, and a mask that is 1 there;
                0 elsewhere. None for no hints.

        Returns:
            Float [B, out_channels, H/4, W/4]: Cb and Cr in about [-0.5, 0.5].
        """
        batch, _, height, width = luma.shape
        if hints is None:
            hints = luma.new_zeros(batch, 3, height // 4, width // 4)
        rows = _relative_height(height // 4, luma).expand(batch, 1, -1, width // 4)
        fine = torch.cat([F.pixel_unshuffle(luma, 4) * 2 - 1, hints, rows], dim=1)
        fine = self.encoder1(self.stem(fine))
        middle = self.encoder2(self.down1(fine))
        coarse = self.bottleneck(self.down2(middle))
        features = F.interpolate(self.up2(coarse), scale_factor=2.0, mode="nearest")
        features = self.decoder2(self.merge2(torch.cat([features, middle], dim=1)))
        features = F.interpolate(self.up1(features), scale_factor=2.0, mode="nearest")
        features = self.decoder1(self.merge1(torch.cat([features, fine], dim=1)))
        chroma: Tensor = self.head(features)
        return chroma


class ConvNeXtBlock(nn.Module):
    """The residual block of ConvNeXt (Liu et al. 2022).

    Depthwise convolution, layer norm, two linear layers with GELU between them, layer scale.

    Args:
        channels: Channels of input and output.
        drop_path: Probability that training skips the block for an image (stochastic depth, Huang et al. 2016).
    """

    def __init__(self, channels: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.channels = channels
        self.drop_path = drop_path
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, 4 * channels)
        self.project = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, features: Tensor) -> Tensor:
        """Float [B, channels, H, W], in and out."""
        branch = self.depthwise(features).permute(0, 2, 3, 1)
        branch = self.project(F.gelu(self.expand(self.norm(branch)))) * self.scale
        return features + _drop_path(branch.permute(0, 3, 1, 2), self.drop_path, self.training)


class SelfAttention(nn.Module):
    """Multi-head self-attention between all pixels of a feature map (Vaswani et al. 2017), added to its input.

    Args:
        channels: Channels of input and output.
        heads: Number of heads; a divisor of ``channels``.
        drop_path: As in :class:`ConvNeXtBlock`.
    """

    def __init__(self, channels: int, heads: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.channels = channels
        self.heads = heads
        self.drop_path = drop_path
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, features: Tensor) -> Tensor:
        """Float [B, channels, H, W], in and out."""
        batch, channels, height, width = features.shape
        tokens = self.norm(features.flatten(2).transpose(1, 2))
        qkv = self.qkv(tokens).reshape(batch, height * width, 3, self.heads, channels // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        mixed = mixed.transpose(1, 2).reshape(batch, height * width, channels)
        branch = (self.project(mixed) * self.scale).transpose(1, 2).reshape(batch, channels, height, width)
        return features + _drop_path(branch, self.drop_path, self.training)


def _blocks(count: int, channels: int, drop_path: float) -> nn.Sequential:
    return nn.Sequential(*(ConvNeXtBlock(channels, drop_path) for _ in range(count)))


def _drop_path(branch: Tensor, probability: float, training: bool) -> Tensor:
    """Set a residual branch to zero for randomly chosen images."""
    if not training or probability == 0:
        return branch
    kept = torch.rand(branch.shape[0], 1, 1, 1, device=branch.device) >= probability
    return branch * (kept / (1 - probability)).to(branch.dtype)


def _relative_height(rows: int, like: Tensor) -> Tensor:
    """Return the centre of each row, from -1 (top) to 1 (bottom): float [1, 1, rows, 1]."""
    return ((torch.arange(rows, device=like.device, dtype=like.dtype) + 0.5) / rows * 2 - 1)[
        None, None, :, None
    ]

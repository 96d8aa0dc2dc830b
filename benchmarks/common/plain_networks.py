"""The courses' networks written with torch's own layers; their weights have the names of imgcolor's."""

import torch
from torch import Tensor, nn


def _block(in_channels: int, out_channels: int, *resample: nn.Module) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU(), *resample)


class PlainCNN(nn.Module):
    """RegressionCNN or ColourCNN.

    Args:
        out_channels: Channels of the output.
    """

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.downconv1 = _block(1, 32, nn.MaxPool2d(2))
        self.downconv2 = _block(32, 64, nn.MaxPool2d(2))
        self.rfconv = _block(64, 64)
        self.upconv1 = _block(64, 32, nn.Upsample(scale_factor=2))
        self.upconv2 = _block(32, out_channels, nn.Upsample(scale_factor=2))
        self.finalconv = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Map float [B, 1, H, W] to [B, out_channels, H, W]."""
        maps = self.rfconv(self.downconv2(self.downconv1(images)))
        output: Tensor = self.finalconv(self.upconv2(self.upconv1(maps)))
        return output


class PlainUNet(nn.Module):
    """ColourUNet with 24 colours."""

    def __init__(self) -> None:
        super().__init__()
        self.downconv1 = _block(1, 32, nn.MaxPool2d(2))
        self.downconv2 = _block(32, 64, nn.MaxPool2d(2))
        self.rfconv = _block(64, 64)
        self.upconv1 = _block(128, 32, nn.Upsample(scale_factor=2))
        self.upconv2 = _block(64, 24, nn.Upsample(scale_factor=2))
        self.finalconv = nn.Conv2d(25, 24, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Map float [B, 1, H, W] to [B, 24, H, W]."""
        half = self.downconv1(images)
        quarter = self.downconv2(half)
        maps = self.upconv1(torch.cat([self.rfconv(quarter), quarter], 1))
        maps = self.upconv2(torch.cat([maps, half], 1))
        logits: Tensor = self.finalconv(torch.cat([maps, images], 1))
        return logits


class PlainStack(nn.Module):
    """ConvStack with two 5×5 convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv2d(16, 3, 5, padding=2), nn.Tanh())

    def forward(self, images: Tensor) -> Tensor:
        """Map float [B, 1, H, W] to [B, 3, H, W]."""
        output: Tensor = self.conv2(self.conv1(images))
        return output

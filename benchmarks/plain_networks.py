"""The courses' networks of torch's layers alone, as one writes them; the weights have the names of imgcolor's."""

import torch
from torch import Tensor, nn


def _block(inputs: int, outputs: int, *resample: nn.Module) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(), *resample)


class PlainCNN(nn.Module):
    """RegressionCNN and ColourCNN.

    Args:
        colours: Channels of the output.
    """

    def __init__(self, colours: int) -> None:
        super().__init__()
        self.downconv1 = _block(1, 32, nn.MaxPool2d(2))
        self.downconv2 = _block(32, 64, nn.MaxPool2d(2))
        self.rfconv = _block(64, 64)
        self.upconv1 = _block(64, 32, nn.Upsample(scale_factor=2))
        self.upconv2 = _block(32, colours, nn.Upsample(scale_factor=2))
        self.finalconv = nn.Conv2d(colours, colours, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Float [B, 1, H, W] to [B, colours, H, W]."""
        maps = self.rfconv(self.downconv2(self.downconv1(images)))
        logits: Tensor = self.finalconv(self.upconv2(self.upconv1(maps)))
        return logits


class PlainUNet(nn.Module):
    """ColourUNet in 24 colours."""

    def __init__(self) -> None:
        super().__init__()
        self.downconv1 = _block(1, 32, nn.MaxPool2d(2))
        self.downconv2 = _block(32, 64, nn.MaxPool2d(2))
        self.rfconv = _block(64, 64)
        self.upconv1 = _block(128, 32, nn.Upsample(scale_factor=2))
        self.upconv2 = _block(64, 24, nn.Upsample(scale_factor=2))
        self.finalconv = nn.Conv2d(25, 24, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Float [B, 1, H, W] to [B, 24, H, W]."""
        half = self.downconv1(images)
        quarter = self.downconv2(half)
        maps = self.upconv1(torch.cat([self.rfconv(quarter), quarter], 1))
        maps = self.upconv2(torch.cat([maps, half], 1))
        logits: Tensor = self.finalconv(torch.cat([maps, images], 1))
        return logits


class PlainStack(nn.Module):
    """ConvStack of two layers of 5×5."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv2d(16, 3, 5, padding=2), nn.Tanh())

    def forward(self, images: Tensor) -> Tensor:
        """Float [B, 1, H, W] to [B, 3, H, W]."""
        output: Tensor = self.conv2(self.conv1(images))
        return output

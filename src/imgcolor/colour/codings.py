"""Output codings: how a network's output represents colours.

A coding has three functions. ``network_input`` scales degraded images for the network, ``target`` gives the values
that the loss compares the output with, and ``to_rgb`` turns the output into RGB images. Tasks and pipelines share
it. :class:`~imgcolor.colour.ChromaCoding` is in ``chroma.py``.
"""

from abc import ABC, abstractmethod
from typing import Literal

from torch import Tensor, nn

from imgcolor.colour.palette import Decoding, Palette
from imgcolor.colour.ranges import from_signed, to_signed
from imgcolor.colour.spaces import lab_to_rgb, rgb_to_lab

ValueRange = Literal["unit", "signed"]
Space = Literal["rgb", "lab"]


class OutputCoding(nn.Module, ABC):
    """Base class of output codings."""

    def network_input(self, degraded: Tensor) -> Tensor:
        """Scale degraded images to the range that the network expects.

        Args:
            degraded: Float [B, C, h, w] in [0, 1].

        Returns:
            Float [B, C, h, w]; here the images unchanged.
        """
        return degraded

    @abstractmethod
    def target(self, original: Tensor) -> Tensor:
        """Return the values that the network should give for original images.

        Args:
            original: Float [B, 3, H, W] in [0, 1].

        Returns:
            What the loss compares the network's output with.
        """

    @abstractmethod
    def to_rgb(self, output: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Turn the network's output into images.

        Args:
            output: Float [B, channels, H, W].
            degraded: The degraded images, float [B, C, h, w] in [0, 1]; only codings that keep a part of them use it.

        Returns:
            Float [B, 3, H, W] in [0, 1].
        """


class RGBCoding(OutputCoding):
    """Three numbers per pixel: RGB or CIE Lab.

    Args:
        value_range: ``unit`` for a network whose input and output are in [0, 1], ``signed`` for one of [-1, 1].
        space: ``rgb``, or ``lab`` for a network that gives L*, a* and b*, each divided by 100. The network's input
            is grey or RGB in both cases.

    Raises:
        ValueError: If an argument has another value, or ``lab`` is combined with ``signed``.

    Examples:
        >>> import torch
        >>> coding = RGBCoding(value_range="signed")
        >>> coding.target(torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1)).flatten().tolist()
        [-1.0, 0.0, 1.0]
        >>> coding.to_rgb(torch.tensor([-1.0, 0.0, 1.5]).view(1, 3, 1, 1)).flatten().tolist()
        [0.0, 0.5, 1.0]
    """

    def __init__(self, value_range: ValueRange = "unit", space: Space = "rgb") -> None:
        super().__init__()
        if value_range not in ("unit", "signed"):
            raise ValueError(f"value_range: expected unit or signed, found {value_range!r}")
        if space not in ("rgb", "lab"):
            raise ValueError(f"space: expected rgb or lab, found {space!r}")
        if space == "lab" and value_range == "signed":
            raise ValueError(
                "space: expected rgb with the value_range signed, found lab, which has its own range"
            )
        self.value_range = value_range
        self.space = space

    def network_input(self, degraded: Tensor) -> Tensor:
        """Scale degraded images, float [B, C, h, w] in [0, 1], to the value range."""
        return degraded if self.value_range == "unit" else to_signed(degraded)

    def target(self, original: Tensor) -> Tensor:
        """Convert original images, float [B, 3, H, W] in [0, 1], to the value range and colour space."""
        if self.space == "lab":
            return rgb_to_lab(original) / 100
        return original if self.value_range == "unit" else to_signed(original)

    def to_rgb(self, output: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Convert the output, float [B, 3, H, W], to RGB and clamp it to [0, 1]."""
        if self.space == "lab":
            return lab_to_rgb(output * 100)
        return (output if self.value_range == "unit" else from_signed(output)).clamp(0, 1)


class PaletteCoding(OutputCoding):
    """Logits over the colours of a palette, for each pixel.

    Args:
        palette: The k colours.
        decoding: How logits become a colour; see :meth:`~imgcolor.colour.Palette.decode`.
        temperature: For the decoding ``annealed``.

    Raises:
        ValueError: If ``palette`` is not a :class:`~imgcolor.colour.Palette`.

    Examples:
        >>> import torch
        >>> palette = Palette.from_colours(torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
        >>> coding = PaletteCoding(palette, decoding="argmax")
        >>> coding.target(torch.full((1, 3, 1, 1), 0.8)).tolist()
        [[[1]]]
        >>> coding.to_rgb(torch.tensor([0.3, 0.1]).view(1, 2, 1, 1)).flatten().tolist()
        [0.0, 0.0, 0.0]
    """

    def __init__(self, palette: Palette, decoding: Decoding = "annealed", temperature: float = 0.38) -> None:
        super().__init__()
        if not isinstance(palette, Palette):
            raise ValueError(f"palette: expected a Palette, found {palette!r}")
        self.palette = palette
        self.decoding = decoding
        self.temperature = temperature

    def target(self, original: Tensor) -> Tensor:
        """Return the index of the palette colour nearest to each pixel: int64 [B, H, W]."""
        return self.palette.encode(original)

    def to_rgb(self, output: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Decode logits [B, k, H, W] to float [B, 3, H, W] in [0, 1]."""
        return self.palette.decode(output, self.decoding, self.temperature)

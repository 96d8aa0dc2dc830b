"""The course's network for regression (CSC2516, problem A)."""

from imgcolor.networks.colour_cnn import ColourCNN


class RegressionCNN(ColourCNN):
    """The ColourCNN with three channels at the end: red, green and blue.

    Args:
        base_channels: Channels of the first block; the blocks at the bottom have twice as many.
        kernel_size: Height and width of every kernel, an odd number.
        dropout: Share of the channels that training sets to zero after each block but the last.
        in_channels: Channels of the input.
        scale_factor: How often every pixel of the input is repeated along height and width before anything else:
            4 for super-resolution from 8×8 to 32×32.
    """

    def __init__(
        self,
        base_channels: int = 32,
        kernel_size: int = 3,
        dropout: float = 0.0,
        in_channels: int = 1,
        scale_factor: int = 1,
    ) -> None:
        super().__init__(3, base_channels, kernel_size, dropout, in_channels, scale_factor)

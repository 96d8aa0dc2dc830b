"""The course's network for regression (CSC2516, problem A)."""

from imgcolor.networks.colour_cnn import ColourCNN


class RegressionCNN(ColourCNN):
    """:class:`~imgcolor.networks.ColourCNN` with three output channels: red, green and blue.

    Args:
        base_channels: Channels of the first block; the blocks at the lowest resolution have twice as many.
        kernel_size: Height and width of all kernels, an odd number.
        dropout: Fraction of the channels that training sets to zero after each block but the last.
        in_channels: Channels of the input.
        scale_factor: Factor by which the input is upsampled first (nearest neighbour), such as 4 for
            super-resolution from 8×8 to 32×32.
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

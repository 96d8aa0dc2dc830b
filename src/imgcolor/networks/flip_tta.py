"""Test-time augmentation by mirror images."""

from torch import Tensor, nn


def run_network(network: nn.Module, *inputs: Tensor, flip_tta: bool = False) -> Tensor:
    """Run a network, with ``flip_tta`` also on the mirror images.

    Args:
        network: A module from the inputs to [B, channels, H, W].
        *inputs: Float [B, C, h, w] each: the images and, for some networks, colour hints.
        flip_tta: Whether to return the mean of the output and of the mirrored output for the mirrored images; it
            takes twice the time.

    Returns:
        Float [B, channels, H, W].
    """
    output: Tensor = network(*inputs)
    if flip_tta:
        mirrored = network(*(images.flip(-1) for images in inputs))
        output = (output + mirrored.flip(-1)) / 2
    return output

"""Test-time augmentation by mirror images."""

from torch import Tensor, nn


def run_network(network: nn.Module, images: Tensor, flip_tta: bool = False) -> Tensor:
    """Run a network, with ``flip_tta`` also on the mirror images.

    Args:
        network: A module from [B, C, h, w] to [B, channels, H, W].
        images: Float [B, C, h, w].
        flip_tta: Whether to return the mean of the output and of the mirrored output for the mirrored images; it
            takes twice the time.

    Returns:
        Float [B, channels, H, W].
    """
    output: Tensor = network(images)
    if flip_tta:
        output = (output + network(images.flip(-1)).flip(-1)) / 2
    return output

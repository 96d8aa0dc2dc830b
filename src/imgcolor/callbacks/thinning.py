"""Limit the number of images in TensorBoard, which reads its files completely."""

_ALL = 10
"""The number of images of one name that TensorBoard shows."""


def is_kept(epoch: int, every_n_epochs: int) -> bool:
    """Return whether the images of an epoch go to TensorBoard.

    The first 19 images do, then 10 each time the length of the run doubles.

    Args:
        epoch: The epoch, from 0.
        every_n_epochs: Number of epochs between two images; 0 draws none.
    """
    if not every_n_epochs or (epoch + 1) % every_n_epochs:
        return False
    number = (epoch + 1) // every_n_epochs
    step: int = 2 ** max(0, (number // _ALL).bit_length() - 1)
    return number % step == 0

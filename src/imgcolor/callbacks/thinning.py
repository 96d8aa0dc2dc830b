"""How a long run's images stay few in TensorBoard, whose files are read whole."""

_ALL = 10
"""As many images of a name as TensorBoard shows at once."""


def is_kept(epoch: int, every_n_epochs: int) -> bool:
    """Whether the images of an epoch go to TensorBoard: the first 19, then 10 in the time that the run doubles.

    Args:
        epoch: The epoch, from 0.
        every_n_epochs: Images are drawn after every so many epochs; 0 draws none.
    """
    if not every_n_epochs or (epoch + 1) % every_n_epochs:
        return False
    number = (epoch + 1) // every_n_epochs
    step: int = 2 ** max(0, (number // _ALL).bit_length() - 1)
    return number % step == 0

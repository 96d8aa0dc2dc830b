"""Build a trained network, its output coding and its degradation from a checkpoint, without Lightning."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook

from imgcolor.checkpoints.config import from_config
from imgcolor.checkpoints.files import KEY, read_checkpoint
from imgcolor.checkpoints.validation import is_trusted, refuse_class
from imgcolor.colour import OutputCoding
from imgcolor.utils.errors import ImgcolorError


class ModelParts(NamedTuple):
    """The parts of a checkpoint that are used without training.

    Attributes:
        network: The network with its trained weights.
        coding: Turns the network's output into images.
        degradation: What the network was trained to undo, or None if the file does not state it.
        image_size: Height of the training images, or None if the file does not state it.
        flip_tta: Whether the mean of the outputs for the image and for its mirror image is used.
    """

    network: nn.Module
    coding: OutputCoding
    degradation: nn.Module | None
    image_size: int | None
    flip_tta: bool


def load_parts(
    path: Path | str,
    *,
    network: nn.Module | None = None,
    map_location: Any = "cpu",
    allow_import: str | Sequence[str] = (),
) -> ModelParts:
    """Load a trained network with its output coding and degradation.

    Args:
        path: A ``.ckpt`` file that ``imgcolor fit`` wrote.
        network: A network to fill with the checkpoint's weights, for files without the network's config.
        map_location: Where the tensors go, as in ``torch.load``.
        allow_import: Modules, packages or classes that the file may name in addition to those of imgcolor and
            ``torch.nn``, such as ``["mine.networks"]``.

    Returns:
        The parts, all in evaluation mode.

    Raises:
        ImgcolorError: If the file is no such checkpoint or names a class that may not be imported, or if its
            weights do not fit the network.
    """
    return build_parts(path, read_checkpoint(path, map_location), network, map_location, allow_import)


def build_parts(
    path: Path | str,
    checkpoint: Mapping[str, Any],
    network: nn.Module | None = None,
    map_location: Any = "cpu",
    allow_import: str | Sequence[str] = (),
) -> ModelParts:
    """Do what :func:`load_parts` does, for a file that has been read.

    Args:
        path: The file's name, for error messages.
        checkpoint: What :func:`~imgcolor.checkpoints.read_checkpoint` returned.
        network: See :func:`load_parts`.
        map_location: See :func:`load_parts`.
        allow_import: See :func:`load_parts`.

    Returns:
        The parts, all in evaluation mode.

    Raises:
        ImgcolorError: See :func:`load_parts`.
    """
    own, weights = checkpoint[KEY], checkpoint["state_dict"]
    if own["network"] is None and network is None:
        raise ImgcolorError(
            f"{path}: the checkpoint has no config of its network, because the network does not keep "
            "every constructor argument as an attribute; pass a network built with the same arguments: "
            "load_task(path, network=...)"
        )
    if own["coding"] is None:
        raise ImgcolorError(
            f"{path}: the checkpoint has no config of its output coding, because the coding does not "
            "keep every constructor argument as an attribute"
        )
    try:
        if own["task"] is not None:
            refuse_class(own["task"]["class_path"], allow_import)
        if network is None:
            network = from_untrusted_config(own["network"], weights_under("network.", weights), allow_import)
        coding = from_untrusted_config(own["coding"], weights_under("coding.", weights), allow_import)
        degradation = None if own["degradation"] is None else from_config(own["degradation"], allow_import)
        if not isinstance(coding, OutputCoding):
            raise ImgcolorError(
                f"expected the config of an output coding, found one of {type(coding).__name__}"
            )
        load_weights(network, weights_under("network.", weights))
        load_weights(coding, weights_under("coding.", weights))
    except ImgcolorError as error:
        raise ImgcolorError(f"{path}: {error}") from error
    for part in (network, coding, degradation):
        if part is not None:
            part.eval()
            if isinstance(map_location, str | torch.device):
                part.to(map_location)
    # Convolutions on the CPU take half the time with weights in the memory format channels_last.
    network.to(memory_format=torch.channels_last)
    return ModelParts(network, coding, degradation, own.get("image_size"), own.get("flip_tta", False))


def from_untrusted_config(
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    allow_import: str | Sequence[str] = (),
    **replaced: Any,
) -> Any:
    """Build the module of a config, but only if it is no larger than the file's weights for it.

    The size is measured on torch's ``meta`` device, before any memory is allocated. Classes that the user allows
    are not measured, because not all can be built there.

    Args:
        config: From a file that has passed :func:`~imgcolor.checkpoints.read_checkpoint`.
        weights: The file's weights for this module.
        allow_import: See :func:`load_parts`.
        **replaced: Constructor arguments that replace the config's.

    Returns:
        The module, untrained.

    Raises:
        ImgcolorError: If the module is larger than its weights, or a class may not be imported.
    """
    if not is_trusted(config):
        return from_config(config, allow_import, **replaced)
    # Some modules have no weights, such as activations. A file can ask for any number of these.
    most = 1000 + 10 * len(weights)
    built = itertools.count(1)

    def count(*_: Any) -> None:
        if next(built) > most:
            raise ImgcolorError(f"its config makes more than {most:,} modules for {len(weights):,} weights")

    hook = register_module_module_registration_hook(count)
    try:
        with torch.device("meta"):
            skeleton = from_config(config, **replaced)
    finally:
        hook.remove()
    numbers, found = (
        sum(value.numel() for value in values.values()) for values in (skeleton.state_dict(), weights)
    )
    # Weights that would not fit are refused before memory is allocated for them.
    if numbers > found:
        raise ImgcolorError(
            f"its weights do not fit: the module of its config has {numbers:,} values, the file {found:,}"
        )
    return from_config(config, **replaced)


def load_weights(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load a state dictionary into a module.

    Raises:
        ImgcolorError: If the names or shapes do not fit.
    """
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ImgcolorError(f"its weights do not fit {type(module).__name__}: {error}") from error


def weights_under(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights whose names start with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}

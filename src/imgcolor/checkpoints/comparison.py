"""Compare a checkpoint with the model that is to take its weights."""

from collections.abc import Mapping
from typing import Any

from imgcolor.checkpoints.validation import is_config
from imgcolor.utils.errors import ImgcolorError


def check_same_model(name: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of another task or network, or of other shapes.

    Args:
        name: What error messages call the checkpoint.
        found: The checkpoint's part under :data:`~imgcolor.checkpoints.KEY`.
        expected: The same part of a checkpoint that the model at hand would write.

    Raises:
        ImgcolorError: If they differ.
    """
    hint = "give the configuration of the checkpoint's own run: the config.yaml in its folder"
    if _classes(found) != _classes(expected):
        raise ImgcolorError(
            f"{name} holds {_classes(found)}, but the configuration builds {_classes(expected)}; {hint}"
        )
    shapes = [_shape(entry) for entry in (found, expected)]
    for key in sorted(shapes[0].keys() | shapes[1].keys()):
        values = [shape.get(key) for shape in shapes]
        if values[0] != values[1]:
            raise ImgcolorError(
                f"{name} holds {key} {values[0]}, but the configuration builds {key} {values[1]}; {hint}"
            )


def _classes(entry: Mapping[str, Any]) -> str:
    """Return the class names of task and network, such as ``ColourRegression(ColourUNet)``."""
    task, network = (
        f"a {part}" if entry[part] is None else entry[part]["class_path"].rpartition(".")[2]
        for part in ("task", "network")
    )
    return f"{task}({network})"


def _shape(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the shapes of the weights: the network's arguments and the number of colours."""
    network, coding = ((entry[part] or {}).get("init_args", {}) for part in ("network", "coding"))
    shape = {f"network.{name}": _with_class_names(value) for name, value in network.items()}
    palette = coding.get("palette")
    return shape | {"palette": palette["init_args"].get("size") if is_config(palette) else palette}


def _with_class_names(value: Any) -> Any:
    """Shorten class paths to class names, because one class can be imported from several places."""
    if not is_config(value):
        return value
    arguments = {name: _with_class_names(inner) for name, inner in value.get("init_args", {}).items()}
    return {"class": value["class_path"].rpartition(".")[2], **arguments}

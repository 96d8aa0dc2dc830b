"""The models that come with the package."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from imgcolor.errors import ImgcolorError
from imgcolor.models.model import Model

_FOLDER = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Card:
    """What a model is, where it comes from, and how good it is.

    Attributes:
        name: What :func:`load` takes.
        does: In a few words.
        data: What it was trained on.
        metric: Its figures on the validation images.
        floor: The same figures of what needs no network.
        command: The command that trained it.
        commit: What the command ran at.
        hardware: What it ran on.
        note: What to know of it.
    """

    name: str
    does: str
    data: str
    metric: str
    floor: str
    command: str
    commit: str
    hardware: str
    note: str

    @property
    def path(self) -> Path:
        """The file of the weights."""
        return _FOLDER / f"{self.name}.ckpt"


def cards() -> dict[str, Card]:
    """The models that come with the package: name to card."""
    content = yaml.safe_load((_FOLDER / "cards.yaml").read_text(encoding="utf-8"))
    return {name: Card(name=name, **fields) for name, fields in content.items()}


def load(model: str | Path) -> Model:
    """Load a model for pictures of any size.

    Args:
        model: The name of one that comes with the package (``imgcolor models`` lists them), or the path of a
            checkpoint that a fit wrote.

    Returns:
        The model, on the CPU; ``model.task.to(device)`` moves it.

    Raises:
        ImgcolorError: If there is no such model, or the file is no checkpoint.
    """
    shipped = cards()
    if str(model) in shipped:
        found = Model.open(shipped[str(model)].path)
        found.name = str(model)
        return found
    if Path(model).suffix != ".ckpt" and not Path(model).exists():
        raise ImgcolorError(
            f"model: expected one of {', '.join(shipped)}, or a checkpoint of a fit, found {str(model)!r}"
        )
    return Model.open(model)

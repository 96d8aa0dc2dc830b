"""What is known of the models that come with the package. Light to import: no torch."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from imgcolor.utils.errors import ImgcolorError

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Card:
    """What a model is, where it comes from, and how good it is.

    Attributes:
        name: What :func:`imgcolor.load` takes.
        does: In a few words.
        data: What it was trained on.
        metric: Its figures on the validation images.
        baseline: The same figures of what needs no network.
        command: The command that trained it.
        commit: What the command ran at.
        hardware: What it ran on.
        note: What to know of it.
    """

    name: str
    does: str
    data: str
    metric: str
    baseline: str
    command: str
    commit: str
    hardware: str
    note: str

    @property
    def path(self) -> Path:
        """The file of the weights."""
        return _FOLDER / "weights" / f"{self.name}.ckpt"


def cards() -> dict[str, Card]:
    """The models that come with the package: name to card."""
    content = yaml.safe_load((_FOLDER / "cards.yaml").read_text(encoding="utf-8"))
    return {name: Card(name=name, **fields) for name, fields in content.items()}


def weights_of(model: str | Path) -> Path:
    """The checkpoint that a name or a path means.

    Args:
        model: The name of a model that comes with the package, or the path of a checkpoint that a fit wrote.

    Raises:
        ImgcolorError: If it is neither.
    """
    shipped = cards()
    if str(model) in shipped:
        return shipped[str(model)].path
    if Path(model).suffix != ".ckpt" and not Path(model).exists():
        raise ImgcolorError(
            f"model: expected one of {', '.join(shipped)}, or a checkpoint of a fit, found {str(model)!r}"
        )
    return Path(model)

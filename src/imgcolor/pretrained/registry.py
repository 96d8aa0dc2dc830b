"""The list of trained models that come with the package. Importing it does not import torch."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from imgcolor.utils.errors import ImgcolorError

DEFAULT_COLOURIZER, DEFAULT_UPSCALER = "photos", "photo_x4"
"""Names of the models that colourize and enlarge photos unless another one is chosen."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Card:
    """A model card: what a model does, how it was trained, and how good it is.

    Attributes:
        name: The name for :func:`imgcolor.load`.
        title: What a user does with it, for menus.
        does: What it does, in a few words.
        data: What it was trained on.
        metric: Its metrics on the validation images.
        baseline: The same metrics of the best baseline.
        command: The command that trained it.
        commit: The commit at which the command ran.
        hardware: The hardware, the time and the seed of the training.
        note: Further metrics, and limits of the model.
    """

    name: str
    title: str
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
        """The file with the weights."""
        return _FOLDER / "weights" / f"{self.name}.ckpt"


def cards() -> dict[str, Card]:
    """Return the models that come with the package: name to model card."""
    content = yaml.safe_load((_FOLDER / "cards.yaml").read_text(encoding="utf-8"))
    return {name: Card(name=name, **fields) for name, fields in content.items()}


def weights_path(model: str | Path) -> Path:
    """Return the checkpoint file for the name of a model, or for a path.

    Args:
        model: The name of a model that comes with the package, or the path of a checkpoint that ``imgcolor fit``
            wrote.

    Raises:
        ImgcolorError: If it is neither.
    """
    shipped = cards()
    if str(model) in shipped:
        return shipped[str(model)].path
    if Path(model).suffix != ".ckpt" and not Path(model).exists():
        raise ImgcolorError(
            f"model: expected one of {', '.join(shipped)}, or a checkpoint that `imgcolor fit` wrote, found "
            f"{str(model)!r}"
        )
    return Path(model)

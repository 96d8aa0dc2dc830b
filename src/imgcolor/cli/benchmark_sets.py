"""Find the images of the sets for `imgcolor benchmark`. It imports neither NumPy nor torch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imgcolor.cli.image_pairs import image_pairs, images_by_name
from imgcolor.utils.errors import ImgcolorError

_ORIGINALS = {"LR": "HR", "grey": "truth"}
"""Folder of degraded images to the folder of their originals."""


@dataclass(frozen=True)
class Entry:
    """One image of a set.

    Attributes:
        name: Path inside the folder, without the extension.
        original: The file of the original.
        degraded: The file of the degraded image; None if the model's degradation makes it.
    """

    name: str
    original: Path
    degraded: Path | None


@dataclass(frozen=True)
class BenchmarkSet:
    """A set of images.

    Attributes:
        name: The nearest folder name that is not a scale factor, such as ``Set5`` for ``Set5/x4``.
        folder: The folder.
        task: ``upscale`` or ``colourize``, as the names of its folders show.
        entries: The images.
    """

    name: str
    folder: Path
    task: Literal["upscale", "colourize"]
    entries: list[Entry]

    @property
    def has_own_files(self) -> bool:
        """Whether the degraded images are files of the set."""
        return self.entries[0].degraded is not None


def find_sets(folders: Sequence[Path]) -> list[BenchmarkSet]:
    """Find the images of several sets.

    Args:
        folders: A folder for each set: with ``HR/`` and perhaps ``LR/`` in it, with ``grey/`` and ``truth/``, or with
            colour photos.

    Raises:
        ImgcolorError: If a folder is missing or has none of these forms, or two sets have one name.
    """
    sets: dict[str, BenchmarkSet] = {}
    for folder in folders:
        found = _find_set(folder)
        if found.name in sets:
            raise ImgcolorError(
                f"{folder}: expected sets of different names, found {found.name} for {sets[found.name].folder} too; "
                "run the command once for each"
            )
        sets[found.name] = found
    return list(sets.values())


def _find_set(folder: Path) -> BenchmarkSet:
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise ImgcolorError(f"{folder}: expected the folder of a set of images, found {found}")
    for degraded, original in _ORIGINALS.items():
        if (folder / degraded).is_dir() and not (folder / original).is_dir():
            raise ImgcolorError(f"{folder}: expected {original}/ next to {degraded}/, found none")
    name = _set_name(folder)
    if (folder / "HR").is_dir():
        return BenchmarkSet(name, folder, "upscale", _entries(folder / "HR", folder / "LR"))
    nested = sorted(str(path.parent) for path in folder.glob("*/HR"))
    if nested:
        raise ImgcolorError(
            f"{folder}: expected HR/ in the folder itself, found it in {', '.join(nested)}; pass one of them"
        )
    if (folder / "truth").is_dir() and (folder / "grey").is_dir():
        return BenchmarkSet(name, folder, "colourize", _entries(folder / "truth", folder / "grey"))
    return BenchmarkSet(name, folder, "colourize", _entries(folder, None))


def _entries(originals: Path, degraded: Path | None) -> list[Entry]:
    if degraded is not None and degraded.is_dir():
        return [Entry(*files) for files in image_pairs(originals, degraded)]
    return [Entry(name, file, None) for name, file in images_by_name(originals).items()]


def _set_name(folder: Path) -> str:
    path = folder.resolve()
    if re.fullmatch(r"x\d+", path.name, re.IGNORECASE):
        path = path.parent
    return path.name or "images"

"""Find images that belong together by their names. It imports neither NumPy nor torch."""

from pathlib import Path

from imgcolor.data.image_files import image_files
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.text import count_of

_NAMES_SHOWN = 5


def image_pairs(originals: Path, results: Path) -> list[tuple[str, Path, Path]]:
    """Return the images of two folders whose paths within the folders are equal but for the extension.

    Images without a counterpart are named in a line of output.

    Args:
        originals: A folder.
        results: Another folder.

    Returns:
        Name, file in the first folder, file in the second folder, sorted by name; at least one.

    Raises:
        ImgcolorError: If a folder is missing or empty, or there are no such images.
    """
    found = {folder: images_by_name(folder) for folder in (originals, results)}
    common = sorted(found[originals].keys() & found[results].keys())
    if not common:
        raise ImgcolorError(
            f"{results}: expected images with the names of those in {originals}, found none in common; such as "
            f"{next(iter(found[originals]))} and {next(iter(found[results]))}"
        )
    for folder, other in ((originals, results), (results, originals)):
        alone = sorted(found[folder].keys() - found[other].keys())
        if alone:
            more = ", ..." if len(alone) > _NAMES_SHOWN else ""
            print(f"left out: {count_of(len(alone), 'image')} of {folder} without a counterpart in {other}: "
                  f"{', '.join(alone[:_NAMES_SHOWN])}{more}")  # fmt: skip
    return [(name, found[originals][name], found[results][name]) for name in common]


def images_by_name(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by their paths inside it, without extensions.

    Raises:
        ImgcolorError: If the folder is missing or has no images, or two images have one name.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise ImgcolorError(f"{folder}: expected a folder of images, found {found}")
    files: dict[str, Path] = {}
    for file in image_files(folder):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in files:
            raise ImgcolorError(
                f"{file}: expected one image of this name, found {files[name].name} too; move one of them away"
            )
        files[name] = file
    return files

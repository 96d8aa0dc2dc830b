"""Find the photos that a command converts, and check the results' files. It imports neither NumPy nor torch."""

import contextlib
import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from imgcolor.data.image_files import WRITABLE_FORMATS, image_files
from imgcolor.utils.errors import ImgcolorError

Job = tuple[Path, Path]
"""A photo file, and the file for its result."""


def find_jobs(
    inputs: Sequence[str], output: Path, kind: str, overwrite: bool, comparison: Path | None = None
) -> list[Job]:
    """Find the photos, choose the files for the results, and check both before anything is read or written.

    Args:
        inputs: Image files, folders or patterns.
        output: The folder for the results. Photos of an input folder that lie in it are left out.
        kind: Extension of the results, such as ``png``, or ``same``.
        overwrite: Whether results may replace existing files.
        comparison: The file for the comparison of photos and results, if there will be one.

    Raises:
        ImgcolorError: If an input does not exist, results would replace each other, a photo or an existing file,
            or the output folder cannot be written.
    """
    if output.suffix.lower() in WRITABLE_FORMATS and not output.is_dir():
        raise ImgcolorError(f"--output {output}: expected a folder, found the name of an image file")
    jobs = [
        (photo, output / _with_extension(name, kind))
        for argument in inputs
        for photo, name in _find_photos(argument, output)
    ]
    if not jobs:
        raise ImgcolorError(f"{', '.join(inputs)}: expected photos, found none")
    source_of: dict[Path, Path] = {}
    for source, target in jobs:
        if source_of.setdefault(target, source) != source:
            raise ImgcolorError(
                f"{source} and {source_of[target]} would both become {target}; --format same keeps their "
                "extensions, a folder as INPUT keeps their folders; or convert them separately, into two folders"
            )
    if comparison in source_of:
        raise ImgcolorError(
            f"{source_of[comparison]}: its result {comparison} would have the name of the comparison; "
            "rename the photo"
        )
    targets = [*source_of, *([comparison] if comparison else [])]
    _check_existing(targets, source_of.values(), overwrite)
    _check_writable(output)
    return [(source, target) for target, source in source_of.items()]


def _find_photos(argument: str, output: Path) -> list[Job]:
    """Return the photos of an input, each with the relative path for its result."""
    path = Path(argument)
    if not path.exists():
        with contextlib.suppress(RuntimeError):  # ~name of an unknown user
            path = path.expanduser()
    if path.is_dir():
        # A second run must not convert the results of the first.
        return [
            (file, file.relative_to(path))
            for file in image_files(path)
            if not _real(file).is_relative_to(_real(output))
        ]
    if path.exists():
        return [(path, Path(path.name))]
    matches = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207  # absolute patterns too
    if not matches:
        raise ImgcolorError(f"{argument}: expected an image file, a folder or a pattern, found nothing")
    return [(match, Path(match.name)) for match in matches if not match.is_dir()]


def _with_extension(name: Path, kind: str) -> Path:
    if kind != "same":
        return name.with_suffix(f".{kind}")
    extension = name.suffix.lower()
    return name.with_suffix(extension if extension in WRITABLE_FORMATS else ".png")


def _check_existing(targets: Sequence[Path], sources: Iterable[Path], overwrite: bool) -> None:
    """Refuse to replace a photo, or, without ``--overwrite``, any file."""
    existing = [target for target in targets if target.exists()]
    photos = {_real(source) for source in sources}
    for target in existing:
        if _real(target) in photos:
            raise ImgcolorError(f"{target}: is one of the photos itself; choose another --output")
    if existing and not overwrite:
        raise ImgcolorError(
            f"{existing[0]}: exists already ({len(existing)} of {len(targets)} results); choose another --output, "
            "or --overwrite"
        )


def _check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written, before photos are converted."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        found = "one without write permission" if place.is_dir() else "a file"
        raise ImgcolorError(f"--output {folder}: expected a folder to write to, found {found} ({place})")


def _real(path: Path) -> Path:
    """Return the path without links. Unlike Path.resolve, it accepts links in circles, which reading reports."""
    return Path(os.path.realpath(path))

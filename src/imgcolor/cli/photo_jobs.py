"""Find the photos, and choose and check the files for the results. NumPy and torch are not imported."""

import contextlib
import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgcolor.data.image_files import WRITABLE_FORMATS, image_files, page_count
from imgcolor.pipelines.jobs import PhotoJob
from imgcolor.utils.errors import ImgcolorError

_WITH_PAGES = (".tif", ".tiff")


@dataclass
class FoundPhotos:
    """What :func:`find_photos` found.

    Attributes:
        jobs: The photos to convert.
        missing: A message for each input that was not found or cannot be used.
        existing: Number of photos whose results exist already and that are left out.
    """

    jobs: list[PhotoJob]
    missing: list[str]
    existing: int = 0


def find_photos(
    inputs: Sequence[str],
    output: Path,
    kind: str,
    *,
    overwrite: bool = False,
    skip_existing: bool = False,
    strict: bool = False,
    comparison: Path | None = None,
) -> FoundPhotos:
    """Find the photos, choose the files for the results, and check both before anything is read or written.

    Args:
        inputs: Image files, folders or patterns.
        output: The folder for the results. Photos inside this folder are left out when an input folder contains it.
        kind: Extension of the results, such as ``png``, or ``same``.
        overwrite: Whether results may replace existing files.
        skip_existing: Whether photos whose results exist are left out.
        strict: Whether one missing input is an error even if other inputs exist.
        comparison: The file for the comparison of photos and results, if there will be one.

    Returns:
        The photos to convert with the files for their results, and the inputs and photos that are left out.

    Raises:
        ImgcolorError: If no input is found, results would replace each other, a photo or an existing file, or the
            output folder cannot be written.
    """
    if output.suffix.lower() in WRITABLE_FORMATS and not output.is_dir():
        raise ImgcolorError(f"--output {output}: expected a folder, found the name of an image file")
    jobs: list[PhotoJob] = []
    missing: list[str] = []
    for argument in inputs:
        try:
            found = _find_photos(argument, output)
        except ImgcolorError as error:
            if strict or len(inputs) == 1:
                raise
            missing.append(str(error))
            continue
        jobs += [job for photo, name in found for job in _pages(photo, output / _with_extension(name, kind))]
    if not jobs:
        raise ImgcolorError(
            f"{', '.join(inputs)}: expected photos, found none (photos inside --output {output} are left out)"
            f"{''.join(f'; {text}' for text in missing)}"
        )
    source_of: dict[Path, PhotoJob] = {}
    for job in jobs:
        first = source_of.setdefault(job.target, job)
        if (first.source, first.page) != (job.source, job.page):
            raise ImgcolorError(
                f"{first.name} and {job.name} would both become {job.target}; use --format same to "
                "keep the extensions, pass one folder as INPUT to keep subfolders, or use two output folders"
            )
    if comparison in source_of:
        raise ImgcolorError(
            f"{source_of[comparison].name}: its result {comparison} would have the name of the comparison; "
            "rename the photo"
        )
    existing = {target for target in source_of if skip_existing and target.exists()}
    left = [job for target, job in source_of.items() if target not in existing]
    targets = [job.target for job in left]
    if comparison is not None and not skip_existing:
        targets.append(comparison)
    _check_existing(targets, [job.source for job in source_of.values()], overwrite)
    check_writable(output)
    return FoundPhotos(left, missing, len(existing))


def _pages(photo: Path, target: Path) -> list[PhotoJob]:
    """Return the jobs of a file: one for each page of a TIFF file, ``NAME_page2.png``; one for other files."""
    try:
        pages = page_count(photo) if photo.suffix.lower() in _WITH_PAGES else 1
    except ImgcolorError:  # reported when the file is read
        pages = 1
    if pages == 1:
        return [PhotoJob(photo, target)]
    digits = len(str(pages))
    return [
        PhotoJob(photo, target.with_stem(f"{target.stem}_page{page + 1:0{digits}}"), page)
        for page in range(pages)
    ]


def _find_photos(argument: str, output: Path) -> list[tuple[Path, Path]]:
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
            "--overwrite, or --skip-existing to continue where an earlier run stopped"
        )


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written, before photos are converted."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        found = "one without write permission" if place.is_dir() else "a file"
        raise ImgcolorError(f"--output {folder}: expected a folder to write to, found {found} ({place})")


def _real(path: Path) -> Path:
    """Return the path without links. Unlike Path.resolve, it accepts circular links; reading reports them."""
    return Path(os.path.realpath(path))

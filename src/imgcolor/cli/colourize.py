"""imgcolor colourize and imgcolor upscale: anyone's photos, one or thousands."""

import contextlib
import glob
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from PIL import Image
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from imgcolor.cli.options import add_allow_import, import_from_here, parse_files
from imgcolor.cli.runtime import keep_freed_memory
from imgcolor.data.image_files import MAX_PIXELS, image_files, image_size, quiet_pillow
from imgcolor.pipelines import Model, load
from imgcolor.pipelines.photo import FORMATS, Photo
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import atomic_write
from imgcolor.visualization.grids import comparison_sheet

_CHUNK = 8_000_000
"""Pixels of the results that are in memory at once; a larger photo is alone."""

_ENCODING: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 3},  # twice as fast as Pillow's own for a few per cent more bytes
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_lzw"},
}

_SHEET = 24
"""Photos that a comparison shows."""


@dataclass
class Job:
    """A photo to read and where its result goes."""

    source: Path
    target: Path


def run(arguments: list[str]) -> None:
    """Run ``colourize``, or its other spelling, or ``upscale``.

    Args:
        arguments: The command's name and its options.
    """
    keep_freed_memory()
    upscale = arguments[0] == "upscale"
    parser = ArgumentParser(
        prog=f"imgcolor {arguments[0]}",
        description="Enlarge photos."
        if upscale
        else "Give grey photos colour; of coloured ones the grey is taken.",
        exit_on_error=False,
    )
    parser.add_argument(
        "inputs", type=str, nargs="+", metavar="INPUT", help="image files, folders or patterns"
    )
    default = "superres" if upscale else "faces"
    parser.add_argument(
        "--model",
        type=str,
        default=default,
        help="a name that `imgcolor models` lists, or a .ckpt file of a fit",
    )
    folder = "enlarged" if upscale else "coloured"
    parser.add_argument("--output", type=str, default=folder, help="the folder for the results")
    kinds = ["same", *dict.fromkeys(extension.removeprefix(".") for extension in FORMATS)]
    parser.add_argument(
        "--format",
        default="png",
        choices=kinds,
        help="kind of files to write; same: that of the input, PNG where that is only read",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there already")
    parser.add_argument(
        "--compare",
        action="store_true",
        help=f"also write comparison.png: photos beside their results, the first {_SHEET} of them",
    )
    if not upscale:
        parser.add_argument(
            "--scale",
            default="own",
            choices=["own", "native"],
            help="own: the network sees photos at the size of its training images, and its colour joins the full "
            "size's luminance; native: the network runs at full size",
        )
    add_allow_import(parser)
    example = f"imgcolor {arguments[0]} photo.jpg"
    found = parse_files(parser, arguments[1:], "photos or folders", example)
    output = Path(found.output)
    if output.suffix.lower() in FORMATS and not output.is_dir():
        raise ImgcolorError(f"--output {output}: expected a folder, found the name of an image file")
    sheet_path = output / "comparison.png" if found.compare else None
    jobs = _jobs(found.inputs, output, found.format, found.overwrite, sheet_path)
    if found.allow_import:
        import_from_here()
    model = load(found.model, found.allow_import)
    if upscale != bool(model.scale_factor):
        other = "colourize" if upscale else "upscale"
        raise ImgcolorError(f"--model {found.model}: expected one for {arguments[0]}, found one for {other}")
    if upscale:
        convert: Callable[[Tensor], Tensor] = model.enlarged
    else:
        convert = _colourizer(model, found.scale)
    sheet, failures = _convert(jobs, model, convert, _SHEET if found.compare else 0)
    if sheet_path and sheet:
        _save(comparison_sheet(sheet), sheet_path)
    done = len(jobs) - len(failures)
    print(f"{done} of {len(jobs)} photos in {output}" + (f", {sheet_path}" if sheet else ""))
    if failures:
        for failure in failures[:20]:
            print(f"  {failure}", file=sys.stderr)
        more = f" (the first 20 of {len(failures)} above)" if len(failures) > 20 else ""
        raise ImgcolorError(f"{len(failures)} of {len(jobs)} photos could not be done{more}")


def _colourizer(model: Model, scale: Any) -> Callable[[Tensor], Tensor]:
    return lambda pixels: model.colours(model.grey(pixels), scale)


def _jobs(inputs: Sequence[str], output: Path, kind: str, overwrite: bool, sheet: Path | None) -> list[Job]:
    """Every photo and its place, checked before anything is read."""
    jobs: list[Job] = []
    for word in inputs:
        path = Path(word)
        if not path.exists():
            with contextlib.suppress(RuntimeError):  # no such user
                path = path.expanduser()
        matches = [path] if path.exists() else sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207  # absolute patterns too
        if not matches:
            raise ImgcolorError(f"{word}: expected an image file, a folder or a pattern, found nothing")
        for match in matches:
            if match.is_dir() and not path.exists():
                continue  # a pattern means files
            files = image_files(match) if match.is_dir() else [match]
            if match.is_dir():  # earlier results are no photos
                files = [file for file in files if not _real(file).is_relative_to(_real(output))]
            for file in files:
                place = file.relative_to(match) if match.is_dir() else Path(file.name)
                extension = f".{kind}"
                if kind == "same":
                    extension = place.suffix.lower() if place.suffix.lower() in FORMATS else ".png"
                jobs.append(Job(file, output / place.with_suffix(extension)))
    seen: dict[Path, Path] = {}
    for job in jobs:
        if job.target in seen and seen[job.target] != job.source:
            raise ImgcolorError(
                f"{job.source} and {seen[job.target]} would both become {job.target}; --format same keeps their "
                "endings, a folder as INPUT its folders; or convert them one after the other, into two folders"
            )
        seen[job.target] = job.source
    sources = {_real(job.source) for job in jobs}
    if sheet in seen:
        raise ImgcolorError(
            f"{seen[sheet]}: would become {sheet}, where the comparison goes; rename the photo"
        )
    targets = [job.target for job in jobs] + ([sheet] if sheet else [])
    there = [target for target in targets if target.exists()]
    own = [target for target in there if _real(target) in sources]
    if own:
        raise ImgcolorError(f"{own[0]}: is one of the photos itself; choose another --output")
    if there and not overwrite:
        raise ImgcolorError(
            f"{there[0]}: is there already ({len(there)} of {len(targets)} results); choose another --output, or "
            "--overwrite"
        )
    if not jobs:
        raise ImgcolorError(f"{', '.join(inputs)}: expected photos, found none")
    _check_writable(output)
    return [Job(source, target) for target, source in seen.items()]


def _check_writable(folder: Path) -> None:
    """Say before an hour of work what would fail behind it."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        found = "one where nothing may be written" if place.is_dir() else "a file"
        raise ImgcolorError(f"--output {folder}: expected a folder to write to, found {found} ({place})")


def _real(path: Path) -> Path:
    """The path without links; unlike Path.resolve it takes links in circles, which reading names later."""
    return Path(os.path.realpath(path))


def _convert(
    jobs: Sequence[Job], model: Model, convert: Callable[[Tensor], Tensor], shown: int
) -> tuple[dict[str, tuple[Image.Image, Image.Image]], list[str]]:
    """Read, convert and write all photos; gives thumbnails of the first ones by name, and what went wrong."""
    failures: list[str] = []
    sheet: dict[str, tuple[Image.Image, Image.Image]] = {}
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("Photos"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    # Quiet around the threads: none can change the warnings for itself alone.
    with bar, quiet_pillow(), ThreadPoolExecutor(os.cpu_count()) as pool:
        task = bar.add_task("", total=len(jobs))
        scale_factor = model.scale_factor or 1
        for chunk in _chunks(jobs, _CHUNK // scale_factor**2):
            read = list(pool.map(partial(_read, scale_factor=scale_factor), chunk))
            failed = [str(photo) for photo in read if isinstance(photo, Exception)]
            failures += failed
            bar.advance(task, len(failed))
            photos = [
                (job, photo) for job, photo in zip(chunk, read, strict=True) if isinstance(photo, Photo)
            ]
            results = _in_batches([photo for _, photo in photos], convert, partial(bar.advance, task))
            written = list(
                pool.map(lambda pair: _write(*pair), zip((j for j, _ in photos), results, strict=True))
            )
            failures += [message for message in written if message]
            for (job, photo), result in list(zip(photos, results, strict=True))[: shown - len(sheet)]:
                before = (
                    photo.with_pixels(model.grey(photo.pixels[None])[0]) if not model.scale_factor else photo
                )
                sheet[str(job.source)] = (_thumbnail(before), _thumbnail(result))
    return sheet, failures


def _chunks(jobs: Sequence[Job], most: int) -> Iterator[list[Job]]:
    chunk: list[Job] = []
    pixels = 0
    for job in jobs:
        size = _pixels(job.source)
        if chunk and (pixels + size > most or len(chunk) == 256):
            yield chunk
            chunk, pixels = [], 0
        chunk.append(job)
        pixels += size
    if chunk:
        yield chunk


def _pixels(path: Path) -> int:
    try:
        width, height = image_size(path)
    except ImgcolorError:  # reading it says what is wrong
        return 0
    return width * height


def _read(job: Job, scale_factor: int) -> Photo | Exception:
    if scale_factor > 1 and (size := _pixels(job.source) * scale_factor**2) > MAX_PIXELS:
        return ImgcolorError(
            f"{job.source}: expected a photo that has at most {MAX_PIXELS:,} pixels when it is enlarged, found "
            f"{size:,}; make it smaller first"
        )
    try:
        return Photo.read(job.source)
    except ImgcolorError as error:
        return error


def _in_batches(
    photos: Sequence[Photo], convert: Callable[[Tensor], Tensor], advance: Callable[[int], None]
) -> list[Photo]:
    """Photos of one shape go through the network together; `advance` hears how many are through."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, photo in enumerate(photos):
        groups.setdefault(tuple(photo.pixels.shape), []).append(index)
    results: dict[int, Photo] = {}
    for indices in groups.values():
        for part in (indices[start : start + 64] for start in range(0, len(indices), 64)):
            pixels = convert(torch.stack([photos[index].pixels for index in part]))
            results |= {i: photos[i].with_pixels(p) for i, p in zip(part, pixels, strict=True)}
            advance(len(part))
    return [results[index] for index in range(len(photos))]


def _write(job: Job, photo: Photo) -> str | None:
    try:
        _save(photo.to_image(), job.target)
    except ImgcolorError as error:
        return str(error)
    except (OSError, ValueError) as error:  # what a format cannot hold, such as 65,536 columns in a JPEG
        return f"{job.target}: cannot be written ({error})"
    return None


def _save(image: Image.Image, path: Path) -> None:
    """Write a file; what is there was asked about before."""
    kind = FORMATS[path.suffix.lower()]
    if kind == "JPEG":  # it knows no transparency
        image = _over_white(image)
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **_ENCODING[kind])
    atomic_write(path, buffer.getvalue())


def _over_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return white


def _thumbnail(photo: Photo) -> Image.Image:
    image = _over_white(photo.to_image()).convert("RGB")
    image.thumbnail((320, 320))
    return image

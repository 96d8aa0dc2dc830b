"""Convert many photo files: read in parallel, run in batches, write in parallel."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from imgcolor.data.image_files import MAX_PIXELS, image_size, quiet_pillow
from imgcolor.pipelines.jobs import PhotoJob
from imgcolor.pipelines.metadata import Metadata
from imgcolor.pipelines.photo import Photo, save_photo
from imgcolor.pipelines.previews import Previews
from imgcolor.utils.errors import ImgcolorError

_MAX_CHUNK_PIXELS = 8_000_000
"""Pixels of the results in memory at once. A larger photo is processed alone."""

_MAX_CHUNK_PHOTOS = 256

_MAX_BATCH = 64


@dataclass
class Conversion:
    """The outcome of :func:`convert_photos`.

    Attributes:
        done: Number of photos whose results are written.
        failures: A message for each photo that could not be converted.
        previews: Path of a photo to small images of input and result, by their captions.
    """

    done: int = 0
    failures: list[str] = field(default_factory=list)
    previews: dict[str, Previews] = field(default_factory=dict)


def convert_photos(
    jobs: Sequence[PhotoJob],
    convert: Callable[[Tensor], Tensor],
    conversion: Conversion,
    *,
    scale_factor: int = 1,
    keep_metadata: bool = True,
    strict: bool = False,
    previews: int = 0,
    make_previews: Callable[[Photo, Photo], Previews] | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Convert photo files. A file that cannot be read or written does not stop the others, unless ``strict`` is set.

    Args:
        jobs: The photos and the files for the results, which are replaced if they exist.
        convert: From float [B, 1 or 3, H, W] in [0, 1] to the same with H and W times `scale_factor`.
        conversion: Filled with the outcome, photo by photo, so that it is known also after Ctrl-C.
        scale_factor: See `convert`.
        keep_metadata: Whether the results have the metadata of the photos.
        strict: Whether to stop after the first photos with a failure.
        previews: Number of photos for which previews are made.
        make_previews: From a photo and its result to their previews.
        advance: Called with the number of photos that were processed since the last call.
    """
    read_photo = partial(_read, scale_factor=scale_factor, keep_metadata=keep_metadata)
    # Outside the threads, because they share the filter for warnings.
    with quiet_pillow(), ThreadPoolExecutor(os.cpu_count()) as pool:
        for chunk in _chunks(jobs, _MAX_CHUNK_PIXELS // scale_factor**2):
            read = list(pool.map(read_photo, chunk))
            failed = [str(photo) for photo in read if isinstance(photo, ImgcolorError)]
            conversion.failures += failed
            advance(len(failed))
            pairs = [(job, photo) for job, photo in zip(chunk, read, strict=True) if isinstance(photo, Photo)]
            results = _run_in_batches([photo for _, photo in pairs], convert, advance)
            written = list(pool.map(_write, [job.target for job, _ in pairs], results))
            conversion.failures += [message for message in written if message]
            conversion.done += written.count(None)
            if make_previews is not None:
                missing = previews - len(conversion.previews)
                for (job, photo), result in list(zip(pairs, results, strict=True))[:missing]:
                    conversion.previews[job.name] = make_previews(photo, result)
            if strict and conversion.failures:
                return


def _chunks(jobs: Sequence[PhotoJob], max_pixels: int) -> Iterator[list[PhotoJob]]:
    """Yield jobs in lists whose photos fit in memory together."""
    chunk: list[PhotoJob] = []
    pixels = 0
    for job in jobs:
        size = _pixel_count(job.source)
        if chunk and (pixels + size > max_pixels or len(chunk) == _MAX_CHUNK_PHOTOS):
            yield chunk
            chunk, pixels = [], 0
        chunk.append(job)
        pixels += size
    if chunk:
        yield chunk


def _pixel_count(path: Path) -> int:
    try:
        width, height = image_size(path)
    except ImgcolorError:  # reported when the file is read
        return 0
    return width * height


def _read(job: PhotoJob, scale_factor: int, keep_metadata: bool) -> Photo | ImgcolorError:
    source = job.source
    if scale_factor > 1 and (size := _pixel_count(source) * scale_factor**2) > MAX_PIXELS:
        return ImgcolorError(
            f"{source}: expected a photo that has at most {MAX_PIXELS:,} pixels when it is enlarged, found "
            f"{size:,}; make it smaller first"
        )
    try:
        photo = Photo.read(source, page=job.page)
    except ImgcolorError as error:
        return error
    return photo if keep_metadata else replace(photo, metadata=Metadata())


def _run_in_batches(
    photos: Sequence[Photo], convert: Callable[[Tensor], Tensor], advance: Callable[[int], None]
) -> list[Photo]:
    """Convert photos, those of one shape in batches."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, photo in enumerate(photos):
        groups.setdefault(tuple(photo.pixels.shape), []).append(index)
    results: dict[int, Photo] = {}
    for indices in groups.values():
        for batch in (indices[start : start + _MAX_BATCH] for start in range(0, len(indices), _MAX_BATCH)):
            pixels = convert(torch.stack([photos[index].pixels for index in batch]))
            results |= {i: photos[i].with_pixels(p) for i, p in zip(batch, pixels, strict=True)}
            advance(len(batch))
    return [results[index] for index in range(len(photos))]


def _write(target: Path, photo: Photo) -> str | None:
    """Write a photo; return a message if that fails."""
    try:
        save_photo(photo, target)
    except ImgcolorError as error:
        return str(error)
    except (OSError, ValueError) as error:  # the format cannot hold the image
        return f"{target}: cannot be written ({error})"
    return None

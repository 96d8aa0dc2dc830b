"""Convert many photo files in parallel: each thread reads, converts and writes a batch of its own."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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

_MAX_PIXELS = 2**23
"""Pixels of the results in memory at once, over all threads. A larger photo is processed alone."""

_CHUNK_PIXELS = 2**20
"""Pixels of the results that a thread converts at once. Larger batches are not faster per photo."""

_CHUNK_PHOTOS = 64

_MAX_THREADS = 4
"""Each has its own batches; further cores are used inside the operations of the network."""


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
    threads = torch.get_num_threads()
    workers = max(1, min(_MAX_THREADS, threads, len(jobs)))
    max_pixels = _MAX_PIXELS // (workers * scale_factor**2)
    chunks = _chunks(
        jobs,
        min(_CHUNK_PIXELS // scale_factor**2, max_pixels),
        min(_CHUNK_PHOTOS, math.ceil(len(jobs) / workers)),
    )
    run = partial(
        _convert_chunk,
        convert=convert,
        scale_factor=scale_factor,
        keep_metadata=keep_metadata,
        make_previews=make_previews,
    )
    running: deque[Future[Conversion]] = deque()

    def collect(found: Conversion) -> None:
        conversion.done += found.done
        conversion.failures += found.failures
        for name in list(found.previews)[: previews - len(conversion.previews)]:
            conversion.previews[name] = found.previews[name]
        advance(found.done + len(found.failures))

    # The warnings are hidden outside the threads, because they share the filter. Threads inside each of the many small
    # operations of a network take longer than they save if there are batches for all of them.
    with (
        quiet_pillow(),
        ThreadPoolExecutor(
            workers, initializer=torch.set_num_threads, initargs=(threads // workers,)
        ) as pool,
    ):
        try:
            for chunk, pixels in chunks:
                is_large = pixels > max_pixels
                while running and (is_large or len(running) >= 2 * workers):
                    collect(running[0].result())
                    running.popleft()
                if strict and conversion.failures:
                    return
                missing = max(0, previews - len(conversion.previews))
                if is_large or workers == 1:
                    collect(run(chunk, previews=missing))
                else:
                    running.append(pool.submit(run, chunk, previews=missing))
            while running and not (strict and conversion.failures):
                collect(running[0].result())
                running.popleft()
        finally:
            for future in running:  # after an error or Ctrl-C, finish the batches that were started
                if not future.cancel() and future.exception() is None:
                    collect(future.result())
            torch.set_num_threads(threads)


def _pixel_count(path: Path) -> int:
    try:
        width, height = image_size(path)
    except ImgcolorError:  # reported when the file is read
        return 0
    return width * height


def _chunks(
    jobs: Sequence[PhotoJob], max_pixels: int, max_photos: int
) -> Iterator[tuple[list[PhotoJob], int]]:
    """Yield jobs in lists for one thread, each with the number of its pixels; a large photo is a list of its own."""
    chunk: list[PhotoJob] = []
    pixels = 0
    for job in jobs:
        size = _pixel_count(job.source)
        if chunk and (pixels + size > max_pixels or len(chunk) == max_photos):
            yield chunk, pixels
            chunk, pixels = [], 0
        chunk.append(job)
        pixels += size
    if chunk:
        yield chunk, pixels


def _convert_chunk(
    chunk: Sequence[PhotoJob],
    convert: Callable[[Tensor], Tensor],
    *,
    scale_factor: int,
    keep_metadata: bool,
    previews: int,
    make_previews: Callable[[Photo, Photo], Previews] | None,
) -> Conversion:
    """Read, convert and write photos, and make previews of the first `previews`; see :func:`convert_photos`."""
    found = Conversion()
    pairs: list[tuple[PhotoJob, Photo]] = []
    for job in chunk:
        photo = _read(job, scale_factor, keep_metadata)
        if isinstance(photo, Photo):
            pairs.append((job, photo))
        else:
            found.failures.append(str(photo))
    results = _run_in_batches([photo for _, photo in pairs], convert)
    for (job, photo), result in zip(pairs, results, strict=True):
        message = _write(job.target, result)
        if message is None:
            found.done += 1
        else:
            found.failures.append(message)
        if make_previews is not None and len(found.previews) < previews:
            found.previews[job.name] = make_previews(photo, result)
    return found


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


@torch.inference_mode()
def _run_in_batches(photos: Sequence[Photo], convert: Callable[[Tensor], Tensor]) -> list[Photo]:
    """Convert photos, those of one shape in one batch."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, photo in enumerate(photos):
        groups.setdefault(tuple(photo.pixels.shape), []).append(index)
    results: dict[int, Photo] = {}
    for indices in groups.values():
        pixels = convert(torch.stack([photos[index].pixels for index in indices]))
        results |= {i: photos[i].with_pixels(p) for i, p in zip(indices, pixels, strict=True)}
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

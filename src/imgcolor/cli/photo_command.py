"""`imgcolor colourize` and `imgcolor upscale`: their arguments, and the conversion of the photos."""

import contextlib
import math
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from imgcolor.cli.failures import raise_failures
from imgcolor.cli.options import CommandParser, UsageError, add_allow_import, import_from_here
from imgcolor.cli.photo_jobs import find_photos
from imgcolor.data.image_files import WRITABLE_FORMATS
from imgcolor.pipelines.hints import Hint
from imgcolor.pretrained import weights_path
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.text import count_of

_COMPARED = 24
"""Number of photos in a comparison."""


def add_photo_arguments(parser: CommandParser, model: str, output: str) -> None:
    """Add the arguments of both commands.

    Args:
        parser: The command's parser.
        model: The default model.
        output: The default folder for the results.
    """
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="image files, folders or patterns")
    parser.add_argument(
        "--model",
        default=model,
        help="a name that `imgcolor models` lists, or a .ckpt file that `imgcolor fit` wrote "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path(output), help="the folder for the results (default: %(default)s)"
    )
    parser.add_argument(
        "--format",
        default="png",
        choices=["same", *(extension.removeprefix(".") for extension in WRITABLE_FORMATS)],
        help="format of the results; same: that of the input, or PNG if imgcolor cannot write it "
        "(default: %(default)s)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.add_argument(
        "--skip-existing",
        action="store_true",
        help="leave out photos whose results exist, such as those of a run that was stopped",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="stop if a photo is missing, and after the first failure, when the photos that are being converted "
        "are finished; otherwise the others are converted",
    )
    parser.add_argument(
        "--strip",
        action="store_true",
        help="leave out the photos' metadata: EXIF, XMP, resolution, description",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help=f"also write comparison.png: the first {_COMPARED} photos with their results and, "
        "where they have colours, the originals; enlarged photos with nearest and bicubic interpolation",
    )
    parser.add_argument(
        "--address",
        help="the address of a Ray cluster, such as auto, whose nodes convert the photos; they must share the folders "
        "(default: this machine converts them)",
    )
    add_allow_import(parser)


def run_photo_command(arguments: Namespace, command: str) -> None:
    """Convert the photos. Everything that can be checked without torch is checked before torch is imported.

    Args:
        arguments: The parsed arguments.
        command: ``colourize`` or ``upscale``.

    Raises:
        ImgcolorError: If an argument does not fit, or photos could not be converted.
    """
    if not arguments.inputs:
        raise UsageError(
            f"expected photos or folders, found no INPUT; for example: imgcolor {command} photo.jpg"
        )
    if arguments.overwrite and arguments.skip_existing:
        raise UsageError("expected --overwrite or --skip-existing, found both")
    if arguments.compare and arguments.address:
        raise UsageError(
            "expected --compare or --address, found both; the nodes of a cluster return no images"
        )
    output: Path = arguments.output
    comparison = output / "comparison.png" if arguments.compare else None
    found_photos = find_photos(
        arguments.inputs,
        output,
        arguments.format,
        overwrite=arguments.overwrite,
        skip_existing=arguments.skip_existing,
        strict=arguments.strict,
        comparison=comparison,
    )
    jobs = found_photos.jobs
    already = (
        f"; {count_of(found_photos.existing, 'result')} existed already" if found_photos.existing else ""
    )
    total = len(jobs) + len(found_photos.missing)
    weights_path(arguments.model)  # refuses an unknown model early
    hints = _hints(arguments, total + found_photos.existing) if command == "colourize" else []
    if not jobs:
        print(f"no photos to convert{already}")
        raise_failures(found_photos.missing, total, "converted")
        return
    if arguments.allow_import:
        import_from_here()

    from imgcolor.cli.photo_settings import PhotoSettings
    from imgcolor.cli.runtime import keep_freed_memory
    from imgcolor.pipelines.photo_conversion import Conversion

    keep_freed_memory()
    settings = PhotoSettings(
        command,
        arguments.model,
        tuple(arguments.allow_import),
        keep_metadata=not arguments.strip,
        **(
            {"self_ensemble": arguments.self_ensemble}
            if command == "upscale"
            else _colour_settings(arguments, hints)
        ),
    )
    convert = settings.load()
    conversion = Conversion(failures=[*found_photos.missing])
    nodes = 0
    try:
        if arguments.address:
            from imgcolor.cli.ray_cluster import ray_cluster

            with ray_cluster(arguments.address, command), _progress_bar(len(jobs)) as advance:
                from imgcolor.cli.photo_cluster import convert_on_cluster

                nodes = convert_on_cluster(
                    jobs,
                    settings,
                    conversion,
                    overwrite=arguments.overwrite,
                    strict=arguments.strict,
                    advance=advance,
                )
        else:
            with _progress_bar(len(jobs)) as advance:
                convert(
                    jobs,
                    conversion=conversion,
                    strict=arguments.strict,
                    previews=_COMPARED if comparison else 0,
                    advance=advance,
                )
    except KeyboardInterrupt:
        print(
            f"{conversion.done} of {len(jobs)} photos are converted; run the same command with --skip-existing "
            "to continue",
            file=sys.stderr,
        )
        raise
    if comparison and conversion.previews:
        from imgcolor.pipelines.photo import save_image
        from imgcolor.visualization.grids import comparison_sheet

        save_image(comparison_sheet(conversion.previews), comparison)
    written = f", {comparison}" if conversion.previews else ""
    where = f", by {count_of(nodes, 'node')}" if nodes else ""
    print(f"{conversion.done} of {total} photos in {output}{written}{where}{already}")
    if conversion.done and command == "colourize":
        print(f"The colours are guesses of the model {arguments.model}, and no evidence of the true ones.")
    raise_failures(conversion.failures, total, "converted")


def _colour_settings(arguments: Namespace, hints: list[Hint]) -> dict[str, Any]:
    return {"scale": arguments.scale, "hints": tuple(hints), "saturation": arguments.saturation}


def _hints(arguments: Namespace, photos: int) -> list[Hint]:
    """Check the options of ``imgcolor colourize`` and return the hints.

    Raises:
        UsageError: If an option does not fit.
    """
    saturation: float | None = arguments.saturation
    if saturation is not None and not 0 <= saturation < math.inf:
        raise UsageError(f"--saturation: expected a number of at least 0, found {saturation}")
    if arguments.hint and photos != 1:
        raise UsageError(f"--hint: expected one photo, found {photos}; hints are places in one photo")
    try:
        return [Hint.parse(text) for text in arguments.hint]
    except ImgcolorError as error:
        raise UsageError(f"--{error}") from error


@contextlib.contextmanager
def _progress_bar(total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar if stderr is a terminal. Yields a function that advances it by a number of photos."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("Photos"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=total)
        yield partial(progress.advance, task)

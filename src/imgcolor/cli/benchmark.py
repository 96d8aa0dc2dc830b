"""imgcolor benchmark: measure a model on sets of images."""

import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from imgcolor.cli.benchmark_sets import BenchmarkSet, find_sets
from imgcolor.cli.options import SELF_ENSEMBLE, CommandParser, UsageError, add_allow_import, import_from_here
from imgcolor.cli.photo_jobs import check_writable
from imgcolor.data.image_files import WRITABLE_FORMATS, quiet_pillow
from imgcolor.pretrained import weights_path
from imgcolor.utils.errors import ImgcolorError


def add_arguments(parser: CommandParser) -> None:
    """Declare the arguments of ``imgcolor benchmark``."""
    parser.description = (
        "Measure a model on sets of images. If it enlarges, by PSNR and SSIM on luma, next to bicubic "
        "interpolation and published values. If it colourizes, by the metrics of `imgcolor evaluate`, next to the "
        "grey images. Also the time per pixel."
    )
    parser.example = "imgcolor benchmark bicubic_x4 Set5/x4 Set14/x4 --output results"
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a name that `imgcolor models` lists, or a .ckpt file that `imgcolor fit` wrote",
    )
    parser.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="the folder of a set. To enlarge: HR/ with the originals, and LR/ with low-resolution images of the "
        "same names; without LR/, the model's own degradation makes them. To colourize: grey/ and truth/, or colour "
        "photos alone",
    )
    parser.add_argument(
        "--jpeg",
        type=int,
        metavar="QUALITY",
        help="first save the low-resolution images as JPEG of this quality, 1 to 100",
    )
    parser.add_argument("--self-ensemble", action="store_true", help=SELF_ENSEMBLE)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="a folder for the result images and for scores.csv (one row per image)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files in the output folder")
    add_allow_import(parser)


def run(arguments: Namespace) -> None:
    """Measure the model. Everything that can be checked without torch is checked before torch is imported.

    Raises:
        ImgcolorError: If an argument or an image does not fit the model.
    """
    quality: int | None = arguments.jpeg
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"--jpeg: expected a quality from 1 to 100, found {quality}")
    weights_path(arguments.model)  # refuses an unknown model early
    sets = find_sets(arguments.folders)
    output: Path | None = arguments.output
    if output is not None:
        _check_output(output, sets, arguments.overwrite)
    if arguments.allow_import:
        import_from_here()

    from imgcolor.cli.benchmark_colour import benchmark_colourizer
    from imgcolor.cli.benchmark_upscaling import benchmark_upscaler
    from imgcolor.cli.runtime import keep_freed_memory
    from imgcolor.pipelines import Upscaler, load
    from imgcolor.utils.files import write_rows

    keep_freed_memory()
    pipeline = load(arguments.model, arguments.allow_import)
    is_upscaler = isinstance(pipeline, Upscaler)
    for images in sets:
        if (images.task == "upscale") != is_upscaler:
            expected = "a folder HR/" if is_upscaler else "grey/ and truth/, or colour photos"
            does, found = ("enlarges", "none") if is_upscaler else ("colourizes", "HR/")
            raise ImgcolorError(
                f"{images.folder}: expected {expected}, because {arguments.model} {does}, found {found}"
            )
    for option, value in (("--jpeg", quality is not None), ("--self-ensemble", arguments.self_ensemble)):
        if value and not is_upscaler:
            raise ImgcolorError(f"{option}: expected a model that enlarges, found {arguments.model}")
    with quiet_pillow():
        if isinstance(pipeline, Upscaler):
            pipeline.self_ensemble = arguments.self_ensemble
            rows = benchmark_upscaler(pipeline, sets, quality, output)
        else:
            rows = benchmark_colourizer(pipeline, sets, output)
    if output is not None:
        write_rows(output / "scores.csv", rows)
        print(f"  results and scores of each image  {output}")


def _check_output(output: Path, sets: Sequence[BenchmarkSet], overwrite: bool) -> None:
    if output.suffix.lower() in {".csv", *WRITABLE_FORMATS} and not output.is_dir():
        raise ImgcolorError(f"--output {output}: expected a folder, found the name of a file")
    written = [
        Path(os.path.realpath(folder)) for folder in (output, *(output / images.name for images in sets))
    ]
    for images in sets:
        if any(folder.is_relative_to(os.path.realpath(images.folder)) for folder in written):
            raise ImgcolorError(f"--output {output}: expected a folder outside the set {images.folder}")
    check_writable(output)
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        raise ImgcolorError(
            f"--output {output}: expected a new or an empty folder, found files; choose another one, or --overwrite"
        )

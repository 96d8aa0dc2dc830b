"""imgcolor palette: fit a palette to images, write it and draw it."""

from argparse import Namespace
from pathlib import Path

from imgcolor.cli.options import CommandParser
from imgcolor.utils.errors import ImgcolorError


def add_arguments(parser: CommandParser) -> None:
    """Declare the arguments of ``imgcolor palette``."""
    parser.description = "Fit a palette to training images by k-means. Write it as JSON and draw it as a PNG."
    parser.add_argument(
        "--source",
        choices=["cifar10", "folder", "synthetic"],
        default="synthetic",
        help="the training images (default: %(default)s)",
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("data"),
        help="the folder of the images, or where CIFAR-10 is downloaded to (default: %(default)s)",
    )
    parser.add_argument("--category", default="horse", help="a category of CIFAR-10 (default: %(default)s)")
    parser.add_argument(
        "--size",
        type=int,
        default=32,
        help="height and width that the images of a folder are resized to (default: %(default)s)",
    )
    parser.add_argument("--colours", type=int, default=24, help="number of colours (default: %(default)s)")
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of the sample of pixels and of k-means (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("palette.json"),
        help="the JSON file; the image has the same name with .png (default: %(default)s)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")


def run(arguments: Namespace) -> None:
    """Fit the palette, and write both files.

    Raises:
        ImgcolorError: If an output file exists already, or the images cannot be read.
    """
    output = arguments.output
    image = output.with_suffix(".png")
    if image == output:
        raise ImgcolorError(
            f"--output: expected a JSON file, found {output}, the image's name; name it .json"
        )
    for path in (output, image):
        if path.exists() and not arguments.overwrite:
            raise ImgcolorError(f"{path}: expected no file of this name, found one; --overwrite replaces it")

    from imgcolor.colour import Palette
    from imgcolor.data import HorseColourizationDataModule
    from imgcolor.visualization.grids import draw_palette, save_image

    datamodule = HorseColourizationDataModule(
        source=arguments.source, root=arguments.root, category=arguments.category, size=arguments.size
    )
    datamodule.prepare_data()
    palette = Palette.from_images(datamodule.images("train").pixels, arguments.colours, arguments.seed)
    palette.save(output)
    save_image(draw_palette(palette.colours), image)
    print(f"{output}: {arguments.colours} colours, from dark to light\n{image}: the same as an image")

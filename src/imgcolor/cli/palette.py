"""imgcolor palette: learn a palette, write it and draw it."""

from pathlib import Path
from typing import Literal

from imgcolor.colour import Palette
from imgcolor.data import HorseColourizationDataModule
from imgcolor.utils.errors import ImgcolorError
from imgcolor.visualization.grids import draw_palette, save_image


def palette(
    source: Literal["cifar10", "folder", "synthetic"] = "synthetic",
    root: Path = Path("data"),
    category: str = "horse",
    size: int = 32,
    colours: int = 24,
    seed: int = 0,
    output: Path = Path("palette.json"),
    overwrite: bool = False,
) -> None:
    """Learn a palette from training images by k-means, write it as JSON and draw it as a PNG beside it.

    Args:
        source: Where the images come from.
        root: The folder of the images; where CIFAR-10 is downloaded to.
        category: Which of CIFAR-10's ten categories.
        size: Height and width that images of a folder are brought to.
        colours: Number of colours.
        seed: Decides the sample of pixels and the first centres.
        output: The JSON file; the image has the same name and the ending .png.
        overwrite: Whether to replace files that are there.

    Raises:
        ImgcolorError: If an output file is there already, or the images cannot be read.
    """
    image = output.with_suffix(".png")
    if image == output:
        raise ImgcolorError(
            f"--output: expected a JSON file, found {output}, the image's name; name it .json"
        )
    for path in (output, image):
        if path.exists() and not overwrite:
            raise ImgcolorError(f"{path}: expected no file of this name, found one; --overwrite replaces it")
    datamodule = HorseColourizationDataModule(source, root, category, size)
    datamodule.prepare_data()
    learned = Palette.from_images(datamodule.images("train").pixels, colours, seed)
    learned.save(output)
    save_image(draw_palette(learned.colours), image)
    print(f"{output}: {colours} colours, dark to light\n{image}: drawn")

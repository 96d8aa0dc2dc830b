"""Draw docs/images/overview.png, the image at the top of the README.

python docs/overview.py HORSES PHOTO

HORSES is a folder with CIFAR-10's test horses in `val/`, PHOTO is 10081.jpg of BSDS500. None of the images was used for
training; they are good examples, not typical ones.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import data
from torch import Tensor

import imgcolor
from imgcolor.data import BicubicDownsample, HorseColourizationDataModule
from imgcolor.visualization.grids import image_grid, save_image

SIZE = 160
HORSES = [97, 3, 113]
"""Numbers of the validation images."""


def crop(photo: np.ndarray, top: int, left: int, side: int) -> Tensor:
    """Cut a square from a photo and resize it: float [1, 3, SIZE, SIZE] in [0, 1]."""
    image = torch.from_numpy(photo[top : top + side, left : left + side].copy()).permute(2, 0, 1)[None] / 255
    return F.interpolate(image, (SIZE, SIZE), mode="bilinear", antialias=True)


def enlarged(images: Tensor) -> Tensor:
    """Repeat pixels: [B, C, h, w] to [B, C, SIZE, SIZE]."""
    return F.interpolate(images, (SIZE, SIZE), mode="nearest")


if __name__ == "__main__":
    # Photos that scikit-image provides: NASA (public domain) and Stéfan van der Walt (CC0).
    portrait = crop(data.astronaut(), 0, 124, 200)
    faces = imgcolor.load("faces")
    portrait_grey = faces.to_grey(portrait)

    horse_data = HorseColourizationDataModule(source="folder", root=Path(sys.argv[1]))
    horses_grey, horses = horse_data.batch(horse_data.images("val").pixels[HORSES])

    cat = crop(data.chelsea(), 20, 60, 240)
    small_cat = BicubicDownsample(4)(cat)

    plane = crop(np.asarray(Image.open(sys.argv[2]).convert("RGB")), 0, 40, 321)
    photos = imgcolor.load("photos")
    plane_grey = photos.to_grey(plane)

    rows = {
        "input": [
            *(grey.expand(-1, 3, -1, -1) for grey in (portrait_grey, plane_grey, horses_grey)),
            small_cat,
        ],
        "output": [
            faces.colourize(portrait_grey),
            photos.colourize(plane_grey),
            imgcolor.load("horses").colourize(horses_grey),
            imgcolor.load("photo_x4").upscale(small_cat),
        ],
        "original": [portrait, plane, horses, cat],
    }
    grid = {name: torch.cat([enlarged(images) for images in parts]) for name, parts in rows.items()}
    save_image(image_grid(grid), Path(__file__).with_name("images") / "overview.png")

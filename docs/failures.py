"""Draw docs/images/failures.png: images for which the model for faces does not work.

python docs/failures.py
"""

from pathlib import Path

import torch
from skimage import data
from torchvision.transforms.functional import center_crop, resize

import imgcolor
from imgcolor.data.sources.drawn_horses import draw_horses
from imgcolor.visualization.grids import image_grid, save_image

SIZE = 112

if __name__ == "__main__":
    # Photos that scikit-image provides: one by NASA (public domain), two under CC0.
    astronaut, coffee, cat = (
        torch.from_numpy(photo.copy()).permute(2, 0, 1)
        for photo in (data.astronaut(), data.coffee(), data.chelsea())
    )
    photos = [astronaut[:, :200, 124:324], astronaut, cat, coffee, draw_horses(1, SIZE, seed=3)[0]]
    original = torch.stack(
        [
            resize(center_crop(photo, [min(photo.shape[1:])] * 2), [SIZE, SIZE], antialias=True)
            for photo in photos
        ]
    )
    model = imgcolor.load("faces")
    grey = model.to_grey(original.float() / 255)
    image = image_grid({"grey": grey, "faces": model.colourize(grey), "original": original.float() / 255})
    save_image(image, Path(__file__).with_name("images") / "failures.png")

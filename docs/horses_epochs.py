"""Draw docs/images/horses_epochs.png: validation images, coloured by RegressionCNN after more and more epochs.

python docs/horses_epochs.py RUN [RUN ...]

The arguments are the run folders of `imgcolor fit --config experiments/horses/regression_cnn.yaml
--trainer.max_epochs=1000 --data.source folder --data.root HORSES`: one, or several if the run was interrupted. The
rows are cut from the image grids in these folders.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor
from torchvision.io import decode_image

from imgcolor.visualization.grids import image_grid, save_image

SIDE, GAP, COUNT = 64, 2, 8
"""Side and gap of an image in the grid of a run, in pixels, and the number of images in a row."""
EPOCHS = (5, 10, 50, 100, 500, 1000)


def row(grid: Path, number: int) -> Tensor:
    """Cut a row from the image grid of a run: float [8, 3, 32, 32] in [0, 1]."""
    pixels = decode_image(grid)
    images = pixels[:, number * (SIDE + GAP) :, -COUNT * (SIDE + GAP) :]
    images = images.unfold(2, SIDE, SIDE + GAP)[:, :SIDE].permute(2, 0, 1, 3)
    return images[..., ::2, ::2].float() / 255


if __name__ == "__main__":
    runs = [Path(run) for run in sys.argv[1:]]
    grids = {
        epochs: next(grid for run in runs if (grid := run / "images" / f"epoch_{epochs - 1:04}.png").exists())
        for epochs in EPOCHS
    }
    rows = {"grey": row(grids[5], 0)}
    rows |= {f"{epochs} epochs": row(grid, 1) for epochs, grid in grids.items()}
    rows["original"] = row(grids[5], 2)
    assert all(images.shape == torch.Size((COUNT, 3, 32, 32)) for images in rows.values())
    save_image(image_grid(rows), Path(__file__).with_name("images") / "horses_epochs.png")

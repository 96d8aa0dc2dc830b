"""Draw docs/images/horses_best.png: validation images, coloured by a table, two networks of the course and ours.

python docs/horses_best.py HORSES REGRESSION_CNN COLOUR_UNET BEST_CLASSIFICATION

HORSES is a folder with train/ and val/. The other arguments are the last.ckpt files of
`imgcolor fit --config experiments/horses/NAME.yaml --data.source folder --data.root HORSES`.
The row "ours, RGB" uses the model in the package.
"""

import sys
from pathlib import Path

import torch

import imgcolor
from imgcolor.baselines import GreyLookup
from imgcolor.data import HorseColourizationDataModule
from imgcolor.tasks import load_task
from imgcolor.visualization.grids import image_grid, save_image

if __name__ == "__main__":
    horses, *checkpoints = sys.argv[1:]
    data = HorseColourizationDataModule(source="folder", root=horses)
    table = GreyLookup(bands=8)
    table.fit(data.batch(chunk) for chunk in data.images("train").pixels.split(250))
    grey, original = data.batch(data.images("val").pixels[:8])
    with torch.no_grad():
        regression_cnn, colour_unet, classification = (
            load_task(Path(path)).eval()(grey) for path in checkpoints
        )
        rows = {
            "grey": grey,
            "table (grey, row)": table(grey),
            "RegressionCNN": regression_cnn,
            "ColourUNet": colour_unet,
            "ours, RGB": imgcolor.load("horses").colourize(grey),
            "ours, 24 colours": classification,
            "original": original,
        }
    save_image(image_grid(rows), Path(__file__).with_name("images") / "horses_best.png")

"""Draw docs/images/edges.png: chroma enlarged without and with regard to the edges of the luma.

python docs/edges.py
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from skimage import data

from imgcolor.colour.chroma import chroma_of, join_luma_chroma, luma_of, upsample_chroma
from imgcolor.visualization.grids import image_grid, save_image

REDUCTION = 20
"""How many times the chroma is smaller than the photo, as with a photo of 400 pixels at the working size of 80."""

SIZE = 160

if __name__ == "__main__":
    # A photo that scikit-image provides under CC0.
    photo = torch.from_numpy(data.coffee().copy()).permute(2, 0, 1)[None].float() / 255
    luma, chroma = luma_of(photo), F.avg_pool2d(chroma_of(photo), REDUCTION)
    images = {
        "bilinear": join_luma_chroma(luma, F.interpolate(chroma, luma.shape[-2:], mode="bilinear")),
        "edge-aware": join_luma_chroma(luma, upsample_chroma(chroma, luma)),
        "original": photo,
    }
    for name, image in images.items():
        print(f"{name:10}  PSNR {-10 * torch.log10((image - photo).square().mean()):.2f} dB")
    places = ((60, 330), (230, 60))
    crops = {
        name: torch.cat([image[..., top : top + SIZE, left : left + SIZE] for top, left in places])
        for name, image in images.items()
    }
    save_image(image_grid(crops), Path(__file__).with_name("images") / "edges.png")

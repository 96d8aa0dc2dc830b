"""Draw docs/images/enlarged.jpg: details enlarged 4× by bicubic interpolation and by `bicubic_x4`, and the originals.

python docs/enlarged.py FOLDER    # with Set5/x4 and Set14/x4, each with HR and LR
"""

import sys
from pathlib import Path

from PIL import Image

import imgcolor

DETAILS = {
    "Set5/x4/{}/img_002.png": (64, 96),
    "Set5/x4/{}/img_003.png": (40, 48),
    "Set14/x4/{}/img_014.png": (280, 80),
}
"""Images, and the left and top of the detail."""

SIZE = 128

if __name__ == "__main__":
    upscaler = imgcolor.load("bicubic_x4")
    sheet = Image.new("RGB", (6 * SIZE, 2 * SIZE * len(DETAILS)))
    for row, (name, (left, top)) in enumerate(DETAILS.items()):
        high, low = (
            Image.open(Path(sys.argv[1]) / name.format(part)).convert("RGB") for part in ("HR", "LR")
        )
        images = (low.resize(high.size, Image.Resampling.BICUBIC), upscaler.upscale(low), high)
        for column, image in enumerate(images):
            detail = image.crop((left, top, left + SIZE, top + SIZE)).resize((2 * SIZE, 2 * SIZE))
            sheet.paste(detail, (column * 2 * SIZE, row * 2 * SIZE))
    sheet.save(Path(__file__).with_name("images") / "enlarged.jpg", quality=92)

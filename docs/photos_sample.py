"""Draw docs/images/photos.jpg: photos in grey, as coloured by the model `photos`, and the originals.

python docs/photos_sample.py FOLDER    # twelve photos of the folder, chosen at random with seed 0
"""

import random
import sys
from pathlib import Path

from PIL import Image

import imgcolor

COUNT, SIZE = 12, 128

if __name__ == "__main__":
    files = random.Random(0).sample(sorted(Path(sys.argv[1]).iterdir()), COUNT)
    colourizer = imgcolor.load("photos")
    sheet = Image.new("RGB", (COUNT // 2 * SIZE, 6 * SIZE + 12), "white")
    for number, file in enumerate(files):
        original = Image.open(file).convert("RGB")
        grey = original.convert("L")
        half, column = divmod(number, COUNT // 2)
        for row, image in enumerate((grey, colourizer.colourize(grey), original)):
            place = (column * SIZE, (3 * half + row) * SIZE + 12 * half)
            sheet.paste(image.resize((SIZE, SIZE), Image.Resampling.LANCZOS), place)
    sheet.save(Path(__file__).with_name("images") / "photos.jpg", quality=92)

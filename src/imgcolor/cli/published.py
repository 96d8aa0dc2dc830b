"""Published values of other methods on the standard sets. It imports neither NumPy nor torch."""

from dataclasses import dataclass
from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("published.yaml")


@dataclass(frozen=True)
class Published:
    """The published value of a method on one set.

    Attributes:
        method: Its name.
        psnr: PSNR on luma in dB, mean over the images of the set.
        training: The training images.
        source: The paper with the value.
    """

    method: str
    psnr: float
    training: str
    source: str


def published_values(set_name: str, scale_factor: int) -> list[Published]:
    """Return the published values of super-resolution on a set, which is named in any case; or an empty list."""
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    found = []
    for entry in content["super_resolution"]:
        values = {name.lower(): psnr for name, psnr in entry["psnr"].get(scale_factor, {}).items()}
        if set_name.lower() in values:
            psnr = values[set_name.lower()]
            found.append(Published(entry["method"], psnr, entry["training"], entry["source"]))
    return found


def published_images(set_name: str) -> int | None:
    """Return the number of images of a standard set, or None for other sets."""
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    images: dict[str, int] = {name.lower(): count for name, count in content["images"].items()}
    return images.get(set_name.lower())

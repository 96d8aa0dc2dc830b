"""What a command is to convert. Importing this does not import torch."""

from pathlib import Path
from typing import NamedTuple


class PhotoJob(NamedTuple):
    """A photo file, and the file for its result.

    Attributes:
        source: The photo file.
        target: The file for the result.
        page: The page of a TIFF file with several pages, from 0; None for other files.
    """

    source: Path
    target: Path
    page: int | None = None

    @property
    def name(self) -> str:
        """What messages call the photo: the path of the file, with the page if it has several."""
        return str(self.source) if self.page is None else f"{self.source}, page {self.page + 1}"

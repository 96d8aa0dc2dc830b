"""The pipeline that colourizes photos: chroma from a small copy, colour hints, a choice of saturation."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from imgcolor.colour import ChromaCoding, chroma_of, join_luma_chroma, upsample_chroma
from imgcolor.pipelines.base import ImageLike
from imgcolor.pipelines.colourizer import Colourizer
from imgcolor.utils.errors import ImgcolorError

_MAX_ASPECT = 8
"""The network sees longer images as if they had this ratio of the longer to the shorter side."""


@dataclass(frozen=True)
class Hint:
    """A colour that is known at one place of an image.

    Attributes:
        x: Column in the image, from 0 at the left.
        y: Row in the image, from 0 at the top.
        colour: Red, green and blue in 0..255. Hue and saturation are used; the brightness is that of the image.
    """

    x: int
    y: int
    colour: tuple[int, int, int]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a hint from text, such as ``120,45,#c08040``.

        Raises:
            ImgcolorError: If the text has another form.

        Example:
            >>> Hint.parse("120,45,#c08040")
            Hint(x=120, y=45, colour=(192, 128, 64))
        """
        match = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*#?([0-9a-fA-F]{6})\s*", text)
        if match is None:
            raise ImgcolorError(f"hint: expected X,Y,#RRGGBB such as 120,45,#c08040, found {text!r}")
        return cls(int(match[1]), int(match[2]), tuple(bytes.fromhex(match[3])))  # type: ignore[arg-type]  # three bytes


class PhotoColourizer(Colourizer):
    """Colourizes photos of any size with a network that predicts chroma.

    The network sees small copies of the photo, one for each working size. The mean of the predicted chroma is brought
    to the size of the photo by a filter that follows the edges of its luma, and joined with that luma.

    The arguments are those of :class:`~imgcolor.pipelines.Colourizer`; the coding is a
    :class:`~imgcolor.colour.ChromaCoding`, and the network takes hints as :class:`~imgcolor.networks.ChromaUNet` does.
    """

    coding: ChromaCoding

    def colourize_photo(
        self, image: ImageLike, hints: Sequence[Hint] = (), saturation: float | None = None
    ) -> ImageLike:
        """Colourize an image; see :meth:`colourize`.

        Args:
            image: As for :meth:`colourize`.
            hints: Colours that are known. Each changes the colours of all that the network relates to its place.
            saturation: Factor of the predicted chroma: 0 leaves the image grey, more is bolder. None takes the
                pipeline's own.

        Returns:
            An image of the same kind, in RGB.

        Raises:
            ImgcolorError: If the image is of another kind, or a hint lies outside it.
        """
        return self.convert(
            image, lambda images: self.colourize_grey(self.to_grey(images), hints, saturation)
        )

    @torch.no_grad()
    def colourize_grey(
        self, grey: Tensor, hints: Sequence[Hint] = (), saturation: float | None = None
    ) -> Tensor:
        """Colourize a batch of images of one size, with the same hints for all.

        Args:
            grey: Float [B, 1, H, W] in [0, 1], on the pipeline's device.
            hints: As for :meth:`colourize_photo`.
            saturation: As for :meth:`colourize_photo`.

        Returns:
            Float [B, 3, H, W] in [0, 1].
        """
        _check_hints(hints, *grey.shape[-2:])
        chroma = self.predict_chroma(grey, hints)
        chroma = chroma * (self.coding.saturation if saturation is None else saturation)
        return join_luma_chroma(grey, upsample_chroma(chroma, grey))

    def predict_chroma(self, grey: Tensor, hints: Sequence[Hint] = ()) -> Tensor:
        """Return the mean of the chroma that the network predicts at all working sizes.

        Args:
            grey: Float [B, 1, H, W] in [0, 1].
            hints: As for :meth:`colourize_photo`.

        Returns:
            Float [B, 2, h, w]: Cb and Cr, at the resolution of the largest working size.
        """
        sizes = sorted({self._network_size(size, *grey.shape[-2:]) for size in self.coding.working_sizes})
        predicted = []
        for size in sizes:
            small = F.interpolate(grey, size, mode="bilinear", antialias=True).clamp(0, 1)
            predicted.append(self._run(small, hints, grey.shape[-2:]))
        largest = predicted[-1].shape[-2:]
        resized = [F.interpolate(chroma, largest, mode="bilinear") for chroma in predicted]
        return torch.stack(resized).mean(dim=0)

    def _run(self, small: Tensor, hints: Sequence[Hint], full_size: Sequence[int]) -> Tensor:
        if not hints:
            chroma: Tensor = self.network(small)
            if self.flip_tta:
                chroma = (chroma + self.network(small.flip(-1)).flip(-1)) / 2
            return chroma
        planes = _hint_planes(hints, full_size, [size // self.coding.reduction for size in small.shape[-2:]])
        known: Tensor = self.network(small, planes.to(small.device).expand(len(small), -1, -1, -1))
        return known

    def _network_size(self, size: int, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of the copy that the network sees."""
        multiple: int = getattr(self.network, "size_multiple", 1)
        shorter = min(height, width)
        sides = (size * min(_MAX_ASPECT, side / shorter) for side in (height, width))
        rounded = [max(1, round(side / multiple)) * multiple for side in sides]
        return rounded[0], rounded[1]


def _check_hints(hints: Sequence[Hint], height: int, width: int) -> None:
    for hint in hints:
        if not (0 <= hint.x < width and 0 <= hint.y < height):
            raise ImgcolorError(
                f"hint: expected a place in the image of {width}×{height}, found {hint.x},{hint.y}"
            )


def _hint_planes(hints: Sequence[Hint], full_size: Sequence[int], grid: Sequence[int]) -> Tensor:
    """Return hints as the network takes them: Cb, Cr and a mask, float [1, 3, h, w]; hints in one cell are averaged."""
    planes = torch.zeros(3, *grid)
    for hint in hints:
        colour = torch.tensor(hint.colour, dtype=torch.float32).view(3, 1, 1) / 255
        row, column = hint.y * grid[0] // full_size[0], hint.x * grid[1] // full_size[1]
        planes[:, row, column] += torch.cat([chroma_of(colour).flatten(), torch.ones(1)])
    planes[:2] /= planes[2:].clamp(min=1)
    planes[2:].clamp_(max=1)
    return planes[None]

"""The pipeline that colourizes photos with a network that predicts chroma."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from imgcolor.colour import ChromaCoding, chroma_of
from imgcolor.networks.flip_tta import run_network
from imgcolor.pipelines.base import MAX_BATCH_PIXELS
from imgcolor.pipelines.colourizer import Colourizer, Scale
from imgcolor.pipelines.hints import Hint
from imgcolor.utils.errors import ImgcolorError

_MAX_ASPECT_RATIO = 8.0
"""The network sees longer images as if the ratio of their sides were this."""

_CACHED_PIXELS = 2**16
"""Number of pixels, over all images, that are joined with their chroma at once: they fit in a processor's cache."""


class PhotoColourizer(Colourizer):
    """Colourizes photos of any size with a network that predicts chroma.

    The network sees small copies of the photo, one for each working size of the coding. The mean of the predicted
    chroma is brought to the size of the photo by a filter that follows the edges of its luma, and joined with that
    luma.

    The arguments are those of :class:`~imgcolor.Colourizer`. The coding is a :class:`~imgcolor.colour.ChromaCoding`,
    and the network takes hints in the same way as :class:`~imgcolor.networks.ChromaUNet`.
    """

    coding: ChromaCoding

    @torch.no_grad()
    def colourize_batch(
        self,
        grey: Tensor,
        scale: Scale = "working",
        hints: Sequence[Hint] = (),
        saturation: float | None = None,
    ) -> Tensor:
        """Colourize a batch of images of one size.

        Args:
            grey: Float [B, 1, H, W] in [0, 1], on the pipeline's device.
            scale: Only ``working``; the coding has the working sizes.
            hints: See :meth:`~imgcolor.Colourizer.colourize`; the same for all images.
            saturation: See :meth:`~imgcolor.Colourizer.colourize`.

        Returns:
            Float [B, 3, H, W] in [0, 1].

        Raises:
            ImgcolorError: If ``scale`` is ``native``, or a hint lies outside the images.
        """
        if scale != "working":
            raise ImgcolorError(
                f"{self.name}: expected the scale working, found {scale}; it always uses the working sizes of the model"
            )
        height, width = grey.shape[-2:]
        for hint in hints:
            if hint.x >= width or hint.y >= height:
                raise ImgcolorError(
                    f"hint: expected a place inside the image of {width}×{height} pixels, found {hint.x},{hint.y}"
                )
        most = max(1, 4 * MAX_BATCH_PIXELS // (height * width))
        chroma = torch.cat([self.predict_chroma(part, hints) for part in torch.split(grey, most)])
        if len(grey) == 1:
            return self.coding.to_rgb(chroma, grey, saturation)
        rgb = grey.new_empty(len(grey), 3, height, width)
        few = max(1, _CACHED_PIXELS // (height * width))
        for start in range(0, len(grey), few):
            part = slice(start, start + few)
            rgb[part] = self.coding.to_rgb(chroma[part], grey[part], saturation)
        return rgb

    @torch.no_grad()
    def predict_chroma(self, grey: Tensor, hints: Sequence[Hint] = ()) -> Tensor:
        """Return the mean of the chroma that the network predicts at all working sizes.

        Args:
            grey: Float [B, 1, H, W] in [0, 1].
            hints: As for :meth:`colourize_batch`.

        Returns:
            Float [B, 2, h, w]: Cb and Cr, at the resolution of the largest working size.
        """
        height, width = grey.shape[-2:]

        def predict(multiple: int) -> Tensor:
            sizes = sorted(
                {self._network_size(size, height, width, multiple) for size in self.coding.working_sizes}
            )
            predicted = []
            for size in sizes:
                small = F.interpolate(grey, size, mode="bilinear", antialias=True).clamp(0, 1)
                inputs = [small]
                if hints:
                    grid = [side // self.coding.reduction for side in size]
                    planes = _hint_planes(hints, (height, width), grid).to(grey.device)
                    inputs.append(planes.expand(len(small), -1, -1, -1))
                predicted.append(run_network(self.network, *inputs, flip_tta=self.flip_tta))
            largest = predicted[-1].shape[-2:]
            resized = [F.interpolate(chroma, largest, mode="bilinear") for chroma in predicted]
            return torch.stack(resized).mean(dim=0)

        return self.try_multiples(predict, grey)

    def _network_size(self, size: int, height: int, width: int, multiple: int) -> tuple[int, int]:
        """Return height and width of the copy that the network sees: its shorter side is about ``size``."""
        multiple = math.lcm(self.coding.reduction, multiple)
        shorter = min(height, width)
        rows, columns = (
            max(1, round(size * min(_MAX_ASPECT_RATIO, side / shorter) / multiple)) * multiple
            for side in (height, width)
        )
        return rows, columns


def _hint_planes(hints: Sequence[Hint], full_size: Sequence[int], grid: Sequence[int]) -> Tensor:
    """Return hints as the network takes them.

    Args:
        hints: The hints.
        full_size: Height and width of the image.
        grid: Height and width of the network's chroma.

    Returns:
        Float [1, 3, h, w]: Cb and Cr, and a mask that is 1 where there is a hint. Hints in one cell are averaged.
    """
    planes = torch.zeros(3, *grid)
    for hint in hints:
        colour = torch.tensor(hint.colour, dtype=torch.float32).view(3, 1, 1) / 255
        row, column = hint.y * grid[0] // full_size[0], hint.x * grid[1] // full_size[1]
        planes[:, row, column] += torch.cat([chroma_of(colour).flatten(), torch.ones(1)])
    planes[:2] /= planes[2:].clamp(min=1)
    planes[2:].clamp_(max=1)
    return planes[None]

"""The pipeline that colourizes images."""

import math
from collections.abc import Sequence
from typing import Any, Literal, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor

from imgcolor.colour.chroma import join_luma_offset
from imgcolor.data import LumaGrey, MeanGrey
from imgcolor.pipelines.base import MAX_BATCH_PIXELS, ImageLike, Pipeline
from imgcolor.pipelines.hints import Hint
from imgcolor.pipelines.tiling import run_in_tiles
from imgcolor.utils.errors import ImgcolorError

Scale = Literal["working", "native"]

_MAX_ASPECT_RATIO = 32
"""The longer side of the working size is at most this many times the shorter side of the training images."""

_MAX_WORKING_PIXELS = 2**22
"""Largest number of pixels at the working size, for networks that were trained on large images."""

_MAX_ENLARGEMENT = 4.0
"""Smaller images are enlarged to the working size by at most this factor."""

_STRIP_OVERLAP = 128
"""Number of columns, or rows, that neighbouring parts of a large image have in common."""

_MAX_STRIP_HEIGHT = 8192
"""Higher images are also divided across."""

_SMALLEST_SIDE = 32
"""Networks may pad shorter sides to about this length, so such images count as if they were so large."""


class Colourizer(Pipeline):
    """Colourizes images of any size.

    The network sees a grey image at its working size, which is near the size of its training images. The
    difference of its result from grey is resized to the size of the image, and joined with the grey image. So the
    result is as sharp as the image, and black and white stay neutral.

    Args:
        network: A module from grey images [B, 1, h, w] to the input of ``coding.to_rgb``.
        coding: Converts the network's output to RGB.
        degradation: :class:`~imgcolor.data.MeanGrey` or :class:`~imgcolor.data.LumaGrey`, as in training.
        image_size: Height of the training images.
        flip_tta: Whether the mean of the outputs for an image and for its mirror image is used.
        name: The name in error messages.

    Raises:
        ImgcolorError: If the pipeline does not support the degradation.

    Examples:
        >>> import imgcolor
        >>> colourizer = imgcolor.load("photos")  # doctest: +SKIP
        >>> colourizer.colourize(Image.open("grandmother.jpg")).save("grandmother.png")  # doctest: +SKIP
    """

    degradation: MeanGrey | LumaGrey
    degradations = (MeanGrey, LumaGrey)

    @property
    def size(self) -> int:
        """The shorter side of an image at its working size: that of the training images."""
        # Checkpoints need not state the size. The faces (luma) are 80 pixels high, the horses (plain mean) 32.
        return self.image_size or (80 if isinstance(self.degradation, LumaGrey) else 32)

    def colourize(
        self,
        image: ImageLike,
        scale: Scale = "working",
        hints: Sequence[Hint] = (),
        saturation: float | None = None,
    ) -> ImageLike:
        """Colourize an image. A colour image is converted to grey first.

        Args:
            image: A Pillow image; a NumPy array [H, W], [H, W, 1, 3 or 4] or [B, H, W, 1, 3 or 4]; or a tensor
                [1 or 3, H, W] or [B, 1 or 3, H, W]. Arrays and tensors are uint8, or float in [0, 1].
            scale: ``working``: the network sees the image at its working size. ``native``: the network sees it at
                full size, in strips if that is large.
            hints: Colours that are known at some places. They also change the colours of similar parts of the image.
                Only models for photos use them.
            saturation: Factor of the predicted colour: 0 leaves the image grey, higher values give bolder colours.
                None: the model's own.

        Returns:
            An image of the same kind, in RGB; an alpha channel is kept.

        Raises:
            ImgcolorError: If the image is of another kind, an argument is out of range, or there are hints and the
                model does not use them.
        """
        if scale not in ("working", "native"):
            raise ImgcolorError(f"scale: expected working or native, found {scale!r}")
        if saturation is not None and not 0 <= saturation < math.inf:
            raise ImgcolorError(f"saturation: expected a number of at least 0, found {saturation}")

        def run(images: Tensor) -> Tensor:
            return self.colourize_batch(self.to_grey(images), scale, hints, saturation)

        return self.convert(image, run)

    colorize = colourize

    def upscale(self, image: Any) -> NoReturn:
        """Raise an error that names :meth:`colourize`."""
        raise ImgcolorError(f"{self.name} colourizes, and does not enlarge images; use colourize")

    def to_grey(self, images: Tensor) -> Tensor:
        """Convert images to grey as in training; the result of the pipeline keeps this grey.

        Args:
            images: Float [B, 1 or 3, H, W] in [0, 1].

        Returns:
            Float [B, 1, H, W]; grey images are returned unchanged.
        """
        if images.shape[1] == 1:
            return images
        grey: Tensor = self.degradation(images)
        return grey

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
            scale: See :meth:`colourize`.
            hints: See :meth:`colourize`.
            saturation: See :meth:`colourize`.

        Returns:
            Float [B, 3, H, W] in [0, 1].

        Raises:
            ImgcolorError: If there are hints, which this pipeline does not use.
        """
        if hints:
            raise ImgcolorError(
                f"{self.name}: expected no hints, found {len(hints)}; the model photos uses hints"
            )
        coloured = self._colourize_without_hints(grey, scale)
        if saturation is None:
            return coloured
        return join_luma_offset(grey, saturation * self.colour_difference(coloured))

    def _colourize_without_hints(self, grey: Tensor, scale: Scale) -> Tensor:
        height, width = grey.shape[-2:]
        size = (height, width) if scale == "native" else self.working_size(height, width)
        most = max(1, MAX_BATCH_PIXELS // math.prod(max(_SMALLEST_SIDE, side) for side in size))
        results = []
        for part in torch.split(grey, most):
            if size == (height, width):
                results.append(self.run_at_full_size(part))
            else:
                small = F.interpolate(part, size, mode="bilinear", antialias=True).clamp(0, 1)
                difference = self.colour_difference(self.run_network(small))
                results.append(self.join_colour_difference(difference, part))
        return results[0] if len(results) == 1 else torch.cat(results)

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width that the network sees.

        The shorter is :attr:`size`, or less for very small images. The longer is limited, so that thin images take no
        more time than others; the network sees them compressed along their length.
        """
        factor = min(_MAX_ENLARGEMENT, self.size / min(height, width))
        rows, columns = (min(_MAX_ASPECT_RATIO * self.size, side * factor) for side in (height, width))
        factor = min(1.0, (_MAX_WORKING_PIXELS / (rows * columns)) ** 0.5)
        return max(1, round(rows * factor)), max(1, round(columns * factor))

    def run_at_full_size(self, grey: Tensor) -> Tensor:
        """Run the network on images of the original size, in vertical strips if they are large.

        The strips have the full height, because some networks and lookup tables use the position of a row. Only
        images of more than 8,192 rows are divided across too. The result keeps the grey of the image.

        Args:
            grey: Float [B, 1, H, W] in [0, 1].

        Returns:
            Float [B, 3, H, W] in [0, 1].
        """
        height = min(grey.shape[-2], _MAX_STRIP_HEIGHT)
        strip = max(2 * _STRIP_OVERLAP, MAX_BATCH_PIXELS // max(height, _SMALLEST_SIDE))
        rgb = run_in_tiles(grey, self.run_network, (height, strip), _STRIP_OVERLAP)
        return self.join_colour_difference(self.colour_difference(rgb), grey)

    def colour_difference(self, rgb: Tensor) -> Tensor:
        """Return the difference of RGB images, float [B, 3, h, w], from their grey versions."""
        red, green, blue = self.degradation.weights
        return rgb - (red * rgb[:, :1] + green * rgb[:, 1:2] + blue * rgb[:, 2:])

    def join_colour_difference(self, difference: Tensor, grey: Tensor) -> Tensor:
        """Resize a difference from grey to the size of the grey images, and join both.

        Args:
            difference: Float [B, 3, h, w], from :meth:`colour_difference`.
            grey: Float [B, 1, H, W] in [0, 1].

        Returns:
            Float [B, 3, H, W] in [0, 1]. Where a colour is outside the RGB cube, its difference from grey is reduced
            until it fits; so black and white stay neutral.
        """
        size = grey.shape[-2:]
        if difference.shape[-2:] != size:
            is_larger = difference.shape[-2:].numel() > size.numel()
            difference = F.interpolate(difference, size, mode="bilinear", antialias=is_larger)
        return join_luma_offset(grey, difference)

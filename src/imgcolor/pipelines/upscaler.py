"""The pipeline that enlarges images."""

import math
from typing import Any, NoReturn

import torch
from torch import Tensor

from imgcolor.data import BicubicDownsample, BoxDownsample
from imgcolor.pipelines.base import MAX_BATCH_PIXELS, ImageLike, Pipeline
from imgcolor.pipelines.tiling import run_in_tiles
from imgcolor.utils.errors import ImgcolorError

_TILE = 416
"""Height and width of the largest tile. Tiles of thin images are longer, with as many pixels."""

_SMALLEST_SIDE = 16
"""Thinner images count as if they were so wide."""

_TILE_OVERLAP = 32
"""Number of pixels that neighbouring tiles share, if the network has no attribute ``receptive_field``."""


class Upscaler(Pipeline):
    """Enlarges images of any size by the scale factor that the network was trained for.

    Args:
        network: A module from RGB images [B, 3, h, w] to the input of ``coding.to_rgb``.
        coding: Converts the network's output to RGB.
        degradation: :class:`~imgcolor.data.BoxDownsample` or :class:`~imgcolor.data.BicubicDownsample`, as in
            training.
        image_size: Height of the training images.
        flip_tta: Whether the mean of the outputs for an image and for its mirror image is used.
        name: The name in error messages.

    Raises:
        ImgcolorError: If the pipeline does not support the degradation.

    Examples:
        >>> import imgcolor
        >>> upscaler = imgcolor.load("photo_x4")  # doctest: +SKIP
        >>> upscaler.upscale(Image.open("small.png")).save("large.png")  # doctest: +SKIP
    """

    degradation: BoxDownsample | BicubicDownsample
    degradations = (BoxDownsample, BicubicDownsample)

    @property
    def scale_factor(self) -> int:
        """The ratio of the result's height and width to the image's."""
        return self.degradation.scale_factor

    self_ensemble = False
    """Whether the mean of the outputs for the eight flips and rotations of an image is used, in eight times the time:
    the geometric self-ensemble of Timofte et al. 2016, "Seven ways to improve example-based single image super
    resolution"."""

    def upscale(self, image: ImageLike) -> ImageLike:
        """Enlarge an image.

        Args:
            image: A Pillow image; a NumPy array [H, W], [H, W, 1, 3 or 4] or [B, H, W, 1, 3 or 4]; or a tensor
                [1 or 3, H, W] or [B, 1 or 3, H, W]. Arrays and tensors are uint8, or float in [0, 1].

        Returns:
            An image of the same kind, :attr:`scale_factor` times as high and wide; a grey image stays grey.

        Raises:
            ImgcolorError: If the image is of another kind.
        """
        return self.convert(image, self.upscale_batch)

    def colourize(self, image: Any, **options: Any) -> NoReturn:
        """Raise an error that names :meth:`upscale`."""
        raise ImgcolorError(f"{self.name} enlarges images, and does not colourize; use upscale")

    @torch.no_grad()
    def upscale_batch(self, images: Tensor) -> Tensor:
        """Enlarge a batch of images of one size.

        Args:
            images: Float [B, 1 or 3, h, w] in [0, 1], on the pipeline's device.

        Returns:
            Float [B, 1 or 3, h * scale_factor, w * scale_factor] in [0, 1].
        """
        channels, height, width = images.shape[1:]
        most = max(1, MAX_BATCH_PIXELS // (16 * height * width))
        if len(images) > most:
            return torch.cat([self.upscale_batch(part) for part in torch.split(images, most)])
        rgb = images.expand(-1, 3, -1, -1)
        rows, columns = (max(_TILE, _TILE**2 // max(side, _SMALLEST_SIDE)) for side in (width, height))
        tile, overlap = (rows, columns), self._tile_overlap()
        run = self._run_ensemble if self.self_ensemble else self.run_network
        large = run_in_tiles(rgb, run, tile, overlap, self.scale_factor).clamp(0, 1)
        return large.mean(dim=1, keepdim=True) if channels == 1 else keep_grey(rgb, large)

    def _run_ensemble(self, images: Tensor) -> Tensor:
        """Run the network on all flips and rotations of the images, and return the mean of the results turned back."""
        total = images.new_zeros(())
        for turns in range(4):
            turned = torch.rot90(images, turns, (-2, -1))
            result = self.run_network(turned) + self.run_network(turned.flip(-1)).flip(-1)
            total = total + torch.rot90(result, -turns, (-2, -1))
        return total / 8

    def _tile_overlap(self) -> int:
        """Return the overlap with which tiles give the same result as the whole image.

        Tiles have no weight within 3/8 of the overlap from their border; that must be the receptive field.
        """
        reach: int | None = getattr(self.network, "receptive_field", None)
        return _TILE_OVERLAP if reach is None else math.ceil(reach * 8 / 3)


def keep_grey(images: Tensor, large: Tensor) -> Tensor:
    """Return the enlarged images, those of grey images in grey.

    Args:
        images: RGB [B, 3, h, w].
        large: The same images enlarged, [B, 3, H, W].
    """
    is_grey = (images == images[:, :1]).flatten(1).all(dim=1)
    return torch.where(is_grey[:, None, None, None], large.mean(dim=1, keepdim=True), large)

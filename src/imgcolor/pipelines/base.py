"""A trained network for images of any size and kind."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from imgcolor.data import BoxDownsample, LumaGrey, MeanGrey
from imgcolor.pipelines.photo import Photo
from imgcolor.pipelines.tiling import run_in_tiles
from imgcolor.tasks import ColourTask
from imgcolor.utils.errors import ImgcolorError

ImageLike = TypeVar("ImageLike", Image.Image, np.ndarray, Tensor)

Scale = Literal["own", "native"]

_LARGEST = 2**22
"""Pixels of an image that a network sees at its own scale, whatever the image's shape."""

_TOGETHER = 2**20
"""Pixels that a network sees at once, of all images of a batch or of a strip of a large one."""


class Model:
    """Colourizes or enlarges images of any size.

    Args:
        task: What a fit trained, or :func:`imgcolor.checkpoints.load_task` gave; :func:`imgcolor.load` makes
            a model of a name or a path.
        name: What messages call it.

    Raises:
        ImgcolorError: If the task does not know what it was trained to undo.

    Example:
        >>> import imgcolor
        >>> model = imgcolor.load("faces")  # doctest: +SKIP
        >>> model.colourize(Image.open("grandmother.jpg")).save("grandmother.png")  # doctest: +SKIP
    """

    def __init__(self, task: ColourTask, name: str = "the model") -> None:
        if not isinstance(task.degradation, MeanGrey | LumaGrey | BoxDownsample):
            raise ImgcolorError(
                f"{name}: expected a network that was trained to undo MeanGrey, LumaGrey or BoxDownsample, found "
                f"{type(task.degradation).__name__}"
            )
        self.task = task.eval()
        self.name = name

    @property
    def scale_factor(self) -> int | None:
        """How much larger images become, along each side; None for a model that colourizes."""
        degradation = self.task.degradation
        return degradation.scale_factor if isinstance(degradation, BoxDownsample) else None

    @property
    def size(self) -> int:
        """The shorter side at which the network sees an image: that of its training images."""
        return self.task.image_size or (80 if isinstance(self.task.degradation, LumaGrey) else 32)

    def grey(self, image: Tensor) -> Tensor:
        """The luminance that the model keeps: what it was trained on.

        Args:
            image: Float [B, 1 or 3, H, W] in [0, 1].

        Returns:
            Float [B, 1, H, W]; a grey image as it is.
        """
        return image if image.shape[1] == 1 else self.task.degradation(image)  # type: ignore[misc]  # checked

    def colourize(self, image: ImageLike, scale: Scale = "own") -> ImageLike:
        """Give an image colour; of a coloured one only the luminance is looked at.

        At its own scale the network sees the image as small as its training images were, and the colour that it
        finds joins the luminance of the full size, so the result is as sharp as the image.

        Args:
            image: A Pillow image; a NumPy array [H, W], [H, W, 1, 3 or 4] or [B, H, W, 1, 3 or 4]; or a
                tensor [1 or 3, H, W] or [B, 1 or 3, H, W]. Arrays and tensors are uint8, or float in [0, 1].
            scale: ``own``, or ``native``: the network runs at the image's full size, in tiles where that is
                large.

        Returns:
            The same kind of image, in RGB; an alpha channel is kept.

        Raises:
            ImgcolorError: If the model enlarges, or the image is of another kind.
        """
        if self.scale_factor:
            raise ImgcolorError(f"{self.name} enlarges images, and does not colourize; use upscale")
        if scale not in ("own", "native"):
            raise ImgcolorError(f"scale: expected own or native, found {scale!r}")
        coloured: ImageLike = self._on(image, lambda images: self.colours(self.grey(images), scale))
        return coloured

    def upscale(self, image: ImageLike) -> ImageLike:
        """Enlarge an image by the factor that the network was trained for.

        Args:
            image: As for :meth:`colourize`.

        Returns:
            The same kind of image, :attr:`scale_factor` times as high and wide; a grey one stays grey.

        Raises:
            ImgcolorError: If the model colourizes, or the image is of another kind.
        """
        if not self.scale_factor:
            raise ImgcolorError(f"{self.name} colourizes, and does not enlarge images; use colourize")
        large: ImageLike = self._on(image, self.enlarged)
        return large

    @torch.no_grad()
    def colours(self, grey: Tensor, scale: Scale = "own") -> Tensor:
        """Colour a batch.

        Args:
            grey: Float [B, 1, H, W] in [0, 1].
            scale: See :meth:`colourize`.

        Returns:
            Float [B, 3, H, W] in [0, 1].
        """
        height, width = grey.shape[-2:]
        factor = 1.0 if scale == "native" else min(4.0, self.size / min(height, width))
        if scale == "own":
            factor = min(factor, (_LARGEST / (height * width)) ** 0.5)
        size = [max(1, round(side * factor)) for side in (height, width)]
        together = max(1, _TOGETHER // (size[0] * size[1]))
        if len(grey) > together:
            return torch.cat([self.colours(part, scale) for part in torch.split(grey, together)])
        if factor == 1:
            # Strips of full height: networks and tables look at the row.
            strip = max(256, _TOGETHER // height)
            return run_in_tiles(grey, self.task, (height, strip), overlap=128).clamp(0, 1)
        small = self.task(F.interpolate(grey, size, mode="bilinear", antialias=True).clamp(0, 1))
        weights = torch.tensor(self.task.degradation.weights, device=grey.device)  # type: ignore[union-attr]  # not for super-resolution
        chroma = small - (weights[:, None, None] * small).sum(dim=1, keepdim=True)
        large = F.interpolate(chroma, (height, width), mode="bilinear", antialias=factor > 1)
        return large.add_(grey).clamp_(0, 1)

    @torch.no_grad()
    def enlarged(self, images: Tensor) -> Tensor:
        """Enlarge a batch.

        Args:
            images: Float [B, 1 or 3, h, w] in [0, 1].

        Returns:
            Float [B, 1 or 3, H, W] in [0, 1].
        """
        channels = images.shape[1]
        together = max(1, _TOGETHER // (16 * images.shape[-2] * images.shape[-1]))
        if len(images) > together:
            return torch.cat([self.enlarged(part) for part in torch.split(images, together)])
        large = run_in_tiles(
            images.expand(-1, 3, -1, -1), self.task, (192, 192), 32, self.scale_factor or 1
        ).clamp(0, 1)
        return large if channels == 3 else large.mean(dim=1, keepdim=True)

    def _on(self, image: Any, run: Callable[[Tensor], Tensor]) -> Any:
        if isinstance(image, Image.Image):
            photo = Photo.from_image(ImageOps.exif_transpose(image))
            return photo.with_pixels(run(photo.pixels[None])[0]).to_image()
        if isinstance(image, np.ndarray):
            return self._on_array(image, run)
        if isinstance(image, Tensor):
            return self._on_tensor(image, run)
        raise ImgcolorError(
            f"image: expected a Pillow image, a NumPy array or a tensor, found {type(image).__name__}"
        )

    def _on_array(self, image: np.ndarray, run: Callable[[Tensor], Tensor]) -> np.ndarray:
        flat = image.ndim == 2
        array = image[..., None] if flat else image
        if array.ndim not in (3, 4) or array.shape[-1] not in (1, 3, 4):
            raise ImgcolorError(
                "image: expected an array [H, W], [H, W, 1, 3 or 4] or [B, H, W, 1, 3 or 4], "
                f"found {list(image.shape)}"
            )
        # A copy in this machine's byte order: torch takes no other, and warns of arrays that cannot be written to.
        tensor = torch.from_numpy(array.astype(array.dtype.newbyteorder("="))).movedim(-1, -3)
        result = self._on_tensor(tensor[..., :3, :, :], run)
        if array.shape[-1] == 4:
            alpha = tensor[..., 3:, :, :].float().reshape(-1, 1, *tensor.shape[-2:])
            alpha = F.interpolate(alpha, result.shape[-2:], mode="bilinear")
            alpha = alpha.reshape(*result.shape[:-3], 1, *result.shape[-2:])
            alpha = alpha.round() if result.dtype == torch.uint8 else alpha
            result = torch.cat([result, alpha.to(result.dtype)], dim=-3)
        pixels = result.movedim(-3, -1).numpy()
        return pixels[..., 0] if flat and pixels.shape[-1] == 1 else pixels

    def _on_tensor(self, image: Tensor, run: Callable[[Tensor], Tensor]) -> Tensor:
        whole = image.dtype == torch.uint8
        if image.ndim not in (3, 4) or image.shape[-3] not in (1, 3) or 0 in image.shape:
            raise ImgcolorError(
                f"image: expected a tensor [1 or 3, H, W] or [B, 1 or 3, H, W], found {list(image.shape)}"
            )
        if not whole and not image.is_floating_point():
            raise ImgcolorError(f"image: expected uint8, or float in [0, 1], found {image.dtype}")
        if not whole and not image.max() <= 1.001:
            raise ImgcolorError(
                f"image: expected floats in [0, 1], found {float(image.max()):g}; divide levels by 255"
            )
        images = image.float() / 255 if whole else image.float().clamp(0, 1)
        batch = images if images.ndim == 4 else images[None]
        device = next(self.task.parameters()).device
        result = run(batch.to(device)).to(image.device)
        result = result if images.ndim == 4 else result[0]
        return (result * 255).round().to(torch.uint8) if whole else result.to(image.dtype)

"""The base class of pipelines: a trained network for images of any size and kind."""

import itertools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor, nn

from imgcolor.colour import OutputCoding
from imgcolor.data.colour_profiles import convert_in_srgb
from imgcolor.networks.blocks import pad_to_multiple
from imgcolor.networks.flip_tta import run_network
from imgcolor.pipelines.photo import Photo
from imgcolor.utils.errors import ImgcolorError

_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)

ImageLike = TypeVar("ImageLike", Image.Image, np.ndarray, Tensor)

MAX_BATCH_PIXELS = 2**20
"""Number of pixels that a network processes at once, over all images of a batch."""


class Pipeline:
    """A trained network with its output coding and degradation, as plain torch modules in evaluation mode.

    For a network that accepts only multiples of some height and width, images are padded, and the results
    cropped. The multiple is the network's attribute ``size_multiple``; without one, powers of two up to 64 are tried
    when the network fails on an image.

    Args:
        network: A module from [B, C, h, w] to the input of ``coding.to_rgb``.
        coding: Converts the network's output to RGB.
        degradation: What the network was trained to undo: one of :attr:`degradations`.
        image_size: Height of the training images.
        flip_tta: Whether the mean of the outputs for an image and for its mirror image is used.
        name: The name in error messages.

    Raises:
        ImgcolorError: If the pipeline does not support the degradation.
    """

    degradations: tuple[type[nn.Module], ...] = (nn.Module,)
    """Classes of the degradations that the pipeline undoes."""

    def __init__(
        self,
        network: nn.Module,
        coding: OutputCoding,
        degradation: nn.Module | None,
        image_size: int | None = None,
        flip_tta: bool = False,
        name: str = "the model",
    ) -> None:
        if not isinstance(degradation, self.degradations):
            raise wrong_degradation(degradation, self.degradations, name)
        self.network = network.eval()
        self.coding = coding.eval()
        self.degradation = degradation.eval()
        self.image_size = image_size
        self.flip_tta = flip_tta
        self.name = name
        self._found_multiple = 1

    @property
    def size_multiple(self) -> int:
        """Height and width of the network's input are multiples of this number: given by the network, or found."""
        return getattr(self.network, "size_multiple", None) or self._found_multiple

    def to(self, device: torch.device | str) -> Self:
        """Move the pipeline to a device, such as ``cuda``, and return it."""
        for module in (self.network, self.coding, self.degradation):
            module.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """The device on which the network runs. Images are moved there, and the results back."""
        tensors = itertools.chain(self.network.parameters(), self.network.buffers())
        tensor = next(tensors, None)
        return torch.device("cpu") if tensor is None else tensor.device

    @torch.no_grad()
    def run_network(self, degraded: Tensor) -> Tensor:
        """Run the network on degraded images and convert its output to RGB.

        Args:
            degraded: Float [B, C, h, w] in [0, 1].

        Returns:
            Float [B, 3, H, W] in [0, 1]; height and width as the network returns them.

        Raises:
            ImgcolorError: If the network does not accept the size of the images, also if they are padded.
        """
        height, width = degraded.shape[-2:]

        def run(multiple: int) -> Tensor:
            padded = pad_to_multiple(degraded, multiple)
            output = run_network(self.network, self.coding.network_input(padded), flip_tta=self.flip_tta)
            rgb = self.coding.to_rgb(output, padded)
            scale_factor = rgb.shape[-2] // padded.shape[-2]
            if list(rgb.shape[-2:]) != [side * scale_factor for side in padded.shape[-2:]]:
                raise RuntimeError(f"its output has {list(rgb.shape[-2:])} pixels")
            return rgb[..., : height * scale_factor, : width * scale_factor]

        return self.try_multiples(run, degraded)

    def try_multiples(self, run: Callable[[int], Tensor], images: Tensor) -> Tensor:
        """Run the network with the known multiple of its input size, or with the smallest that it accepts.

        Args:
            run: Called with a multiple; raises a ``RuntimeError`` if the network does not accept it.
            images: The images, for the message.

        Returns:
            What ``run`` returns.

        Raises:
            ImgcolorError: If there is no such multiple.
        """
        is_given = getattr(self.network, "size_multiple", None) is not None
        multiples = [m for m in _MULTIPLES if m >= self.size_multiple]
        fault: RuntimeError | None = None
        for multiple in [self.size_multiple] if is_given else multiples:
            try:
                result = run(multiple)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                fault = fault or error
                continue
            self._found_multiple = multiple
            return result
        tried = "" if is_given else f", also if they are padded to multiples of up to {_MULTIPLES[-1]}"
        raise ImgcolorError(
            f"{self.name}: {type(self.network).__name__} failed on images of {list(images.shape[1:])}{tried} "
            f"({fault}); if it accepts only multiples of a size, set its attribute size_multiple to that number"
        ) from fault

    def convert(self, image: ImageLike, run: Callable[[Tensor], Tensor]) -> ImageLike:
        """Apply a function of tensors to an image of any kind.

        Args:
            image: A Pillow image; a NumPy array [H, W], [H, W, 1, 3 or 4] or [B, H, W, 1, 3 or 4]; or a tensor
                [1 or 3, H, W] or [B, 1 or 3, H, W]. Arrays and tensors are uint8, or float in [0, 1].
            run: Called with float [B, 1 or 3, H, W] in [0, 1] on the pipeline's device; returns float
                [B, 1 or 3, H', W'] in [0, 1].

        Returns:
            An image of the same kind. An alpha channel is kept, and resized where needed.

        Raises:
            ImgcolorError: If the image is of another kind.
        """
        converted: Any
        if isinstance(image, Image.Image):
            photo = convert_in_srgb(ImageOps.exif_transpose(image), Photo.from_image, _warn)
            pixels = run(photo.pixels[None].to(self.device))[0]
            converted = photo.with_pixels(pixels.cpu()).to_image()
        elif isinstance(image, np.ndarray):
            converted = self._convert_array(image, run)
        elif isinstance(image, Tensor):
            converted = self._convert_tensor(image, run)
        else:
            raise ImgcolorError(
                f"image: expected a Pillow image, a NumPy array or a tensor, found {type(image).__name__}"
            )
        return converted  # type: ignore[no-any-return]  # the kind of `image`

    def _convert_array(self, image: np.ndarray, run: Callable[[Tensor], Tensor]) -> np.ndarray:
        has_no_channels = image.ndim == 2
        array = image[..., None] if has_no_channels else image
        if array.ndim not in (3, 4) or array.shape[-1] not in (1, 3, 4):
            raise ImgcolorError(
                "image: expected an array [H, W], [H, W, 1, 3 or 4] or [B, H, W, 1, 3 or 4], "
                f"found {list(image.shape)}"
            )
        # A copy in this machine's byte order: torch accepts no other, and warns about read-only arrays.
        tensor = torch.from_numpy(array.astype(array.dtype.newbyteorder("="))).movedim(-1, -3)
        result = self._convert_tensor(tensor[..., :3, :, :], run)
        if array.shape[-1] == 4:
            alpha = tensor[..., 3:, :, :].float().reshape(-1, 1, *tensor.shape[-2:])
            alpha = F.interpolate(alpha, result.shape[-2:], mode="bilinear")
            alpha = alpha.reshape(*result.shape[:-3], 1, *result.shape[-2:])
            alpha = alpha.round() if result.dtype == torch.uint8 else alpha
            result = torch.cat([result, alpha.to(result.dtype)], dim=-3)
        pixels = result.movedim(-3, -1).numpy()
        return pixels[..., 0] if has_no_channels and pixels.shape[-1] == 1 else pixels

    def _convert_tensor(self, image: Tensor, run: Callable[[Tensor], Tensor]) -> Tensor:
        is_uint8 = image.dtype == torch.uint8
        if image.ndim not in (3, 4) or image.shape[-3] not in (1, 3) or 0 in image.shape:
            raise ImgcolorError(
                f"image: expected a tensor [1 or 3, H, W] or [B, 1 or 3, H, W], found {list(image.shape)}"
            )
        if not is_uint8 and not image.is_floating_point():
            raise ImgcolorError(f"image: expected uint8, or float in [0, 1], found {image.dtype}")
        if not is_uint8 and not image.max() <= 1.001:  # `not <=` also refuses NaN
            raise ImgcolorError(
                f"image: expected floats in [0, 1], found {float(image.max()):g}; divide levels by 255"
            )
        images = image.float() / 255 if is_uint8 else image.float().clamp(0, 1)
        batch = images if images.ndim == 4 else images[None]
        result = run(batch.to(self.device)).to(image.device)
        result = result if images.ndim == 4 else result[0]
        return (result * 255).round().to(torch.uint8) if is_uint8 else result.to(image.dtype)


def _warn(text: str) -> None:
    warnings.warn(f"the image {text}", stacklevel=5)  # the caller of colourize or upscale


def wrong_degradation(
    found: nn.Module | None, expected: Sequence[type[nn.Module]], name: str
) -> ImgcolorError:
    """Return the error for a network whose degradation is not supported."""
    names = " or ".join(cls.__name__ for cls in expected)
    return ImgcolorError(
        f"{name}: expected a network that was trained to undo {names}, found "
        f"{'no degradation' if found is None else type(found).__name__}"
    )

"""A palette of a few colours, which turns colourization into classification."""

import json
import math
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from imgcolor.colour.ranges import at_least_single
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import atomic_write

Decoding = Literal["argmax", "expectation", "annealed"]

# Factor from a stored number to [0, 1]. The course published its colours as pixel / 256.
_SCALES = {"unit": 1.0, "pixel": 1 / 255, "pixel/255": 1.0, "pixel/256": 256 / 255}

# Pixels for k-means: with more, no centre moves visibly.
_SAMPLE = 200_000

# Marks pixel values whose nearest colour has not been computed yet.
_UNKNOWN = 255


class Palette(nn.Module):
    """k colours in a buffer, so that they are part of a module's state dictionary and move to its device.

    The colours of a new palette are NaN until :meth:`fit` or a state dictionary sets them. :meth:`from_colours`,
    :meth:`from_images` and :meth:`load` return a palette with colours.

    Args:
        size: Number of colours, at least 2.

    Attributes:
        colours: Float [size, 3], red, green and blue in [0, 1].

    Raises:
        ImgcolorError: If ``size`` is below 2.

    Examples:
        >>> palette = Palette.from_colours(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
        >>> dark_red = torch.tensor([0.6, 0.1, 0.1]).view(1, 3, 1, 1)
        >>> palette.encode(dark_red).tolist()
        [[[1]]]
        >>> palette.lookup(palette.encode(dark_red)).flatten().tolist()
        [1.0, 0.0, 0.0]
    """

    colours: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 2:
            raise ImgcolorError(f"palette: expected at least 2 colours, found {size}; 24 is the usual number")
        self.size = size
        self.register_buffer("colours", torch.full((size, 3), math.nan))
        # The colours, and the nearest colour's index for each of the 2^24 possible pixels.
        self._cache: tuple[Tensor, Tensor] | None = None

    @classmethod
    def from_colours(cls, colours: Tensor) -> Self:
        """Return a palette of given colours.

        Args:
            colours: Float [k, 3] in [0, 1].

        Raises:
            ImgcolorError: If the colours have another shape or range.
        """
        return cls._checked(colours, "palette")

    @classmethod
    def from_images(cls, images: Tensor, size: int = 24, seed: int = 0) -> Self:
        """Return a palette that is fitted to images: see :meth:`fit`."""
        palette = cls(size)
        palette.fit(images, seed)
        return palette

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a palette from a JSON file.

        The file holds a list of colours, each a list of three numbers in [0, 1], or an object with that list under
        ``centroids`` and the unit of the numbers under ``scale``: ``unit`` (the default), ``pixel`` (0 to 255),
        ``pixel/255`` or ``pixel/256``.

        Args:
            path: The file.

        Raises:
            ImgcolorError: If the file is missing, is not JSON, or holds no such list.
        """
        path = Path(path)
        if path.exists() and not path.is_file():  # reading a pipe or a device could take for ever
            raise ImgcolorError(f"{path}: expected a palette as a JSON file, found no regular file")
        try:
            # As floats, because Python's integers can be larger than torch's.
            content = json.loads(path.read_text(encoding="utf-8"), parse_int=float)
        except OSError as error:
            raise ImgcolorError(
                f"{path}: cannot read the palette ({error.strerror}); `imgcolor palette` makes one"
            ) from error
        except (ValueError, RecursionError) as error:
            raise ImgcolorError(
                f"{path}: expected a palette as JSON text, found something else (pickled and NumPy files are "
                "not read); `imgcolor palette` makes one"
            ) from error
        scale = "unit"
        if isinstance(content, dict):
            scale = content.get("scale", scale)
            content = content.get("centroids")
        if not isinstance(scale, str) or scale not in _SCALES:
            raise ImgcolorError(f"{path}: scale: expected one of {', '.join(_SCALES)}, found {scale!r}")
        if not isinstance(content, list) or not all(map(_is_colour, content)):
            raise ImgcolorError(
                f"{path}: expected a list of colours of three numbers each, or an object with such a list "
                f"under 'centroids', found {_shown(content)}"
            )
        return cls._checked(torch.tensor(content, dtype=torch.float32).mul(_SCALES[scale]), str(path))

    @classmethod
    def _checked(cls, colours: Tensor, where: str) -> Self:
        if colours.ndim != 2 or colours.shape[-1] != 3 or len(colours) < 2:
            raise ImgcolorError(
                f"{where}: expected at least 2 colours as [k, 3] numbers, found {list(colours.shape)}"
            )
        if not ((colours >= 0) & (colours <= 1)).all():
            raise ImgcolorError(
                f"{where}: expected colours in [0, 1], found values from {colours.min():g} to "
                f"{colours.max():g}; add 'scale': 'pixel' to a file of numbers from 0 to 255"
            )
        palette = cls(len(colours))
        palette.colours.copy_(colours)
        return palette

    def save(self, path: Path | str) -> None:
        """Write the colours to a JSON file that :meth:`load` reads."""
        content = {"scale": "unit", "centroids": [[round(v, 6) for v in c] for c in self.colours.tolist()]}
        atomic_write(Path(path), json.dumps(content, indent=1) + "\n")

    def fit(self, images: Tensor, seed: int = 0) -> None:
        """Set the colours to the k-means centres of the images' pixels, ordered from dark to light.

        Args:
            images: uint8 [N, 3, H, W].
            seed: For the sample of pixels and the first centres. The same seed and images give the same colours.

        Raises:
            ImgcolorError: If the images hold fewer different colours than the palette has.
        """
        # Imported here because scikit-learn takes a second to import.
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        generator = torch.Generator().manual_seed(seed)
        pixels_per_image = images.shape[2] * images.shape[3]
        total = len(images) * pixels_per_image
        if total > _SAMPLE:
            flat = torch.randint(total, (_SAMPLE,), generator=generator)
            pixels = images.flatten(2)[flat // pixels_per_image, :, flat % pixels_per_image]
        else:
            pixels = images.permute(0, 2, 3, 1).reshape(-1, 3)
        different = len(torch.unique(pixels, dim=0))
        if different < self.size:
            raise ImgcolorError(
                f"palette: expected training images of at least {self.size} different colours, found "
                f"{different}; give a smaller palette or a palette file"
            )
        # One thread: with several, the order of additions, and so the last bit, would differ between runs.
        with threadpool_limits(limits=1):
            kmeans = KMeans(self.size, n_init=2, random_state=seed).fit(pixels.double().numpy() / 255)
        centres = torch.from_numpy(kmeans.cluster_centers_).float().clamp(0, 1)
        self.colours.copy_(centres[centres.sum(dim=1).argsort()])

    @property
    def is_fitted(self) -> bool:
        """Whether the palette has colours."""
        return not bool(self.colours.isnan().any())

    def encode(self, images: Tensor) -> Tensor:
        """Return the index of each pixel's nearest colour, by Euclidean distance in RGB.

        Args:
            images: Float [B, 3, H, W] in [0, 1].

        Returns:
            int64 [B, H, W] in 0..size-1; the lower index where two colours are equally near.
        """
        # In full precision: half precision would confuse colours that are close together.
        with torch.autocast(images.device.type, enabled=False):
            pixels = images.float()
            if pixels.device.type == "cpu" and self.size <= _UNKNOWN:
                levels = (pixels * 255).round_()
                if torch.equal(levels / 255, pixels):
                    return self._encode_levels(levels)
            return self._nearest(pixels.movedim(1, -1))

    def _nearest(self, pixels: Tensor) -> Tensor:
        """Return the index of the colour nearest to each pixel, float [..., 3]: int64 [...]."""
        # |x - c|^2 = |x|^2 - 2 x.c + |c|^2, and |x|^2 is the same for all colours: one matrix product, with the
        # colours in the last dimension, takes a third of the time of computing all differences.
        squares = self.colours.float().square().sum(dim=1)
        distances = torch.addmm(squares, pixels.reshape(-1, 3), self.colours.float().mT, alpha=-2)
        return distances.argmin(dim=1).view(pixels.shape[:-1])

    def _encode_levels(self, levels: Tensor) -> Tensor:
        """Return the same for float [B, 3, H, W] of integers 0 to 255, with a cache for all 2^24 pixel values.

        On the CPU, argmin over 24 colours is slow in torch; after one epoch the cache has nearly every value.
        """
        if self._cache is None or not torch.equal(self._cache[0], self.colours):
            self._cache = self.colours.clone(), torch.full((2**24,), _UNKNOWN, dtype=torch.uint8)
        table = self._cache[1]
        red, green, blue = levels.unbind(dim=1)
        keys = torch.add(blue, green, alpha=2**8).add_(red, alpha=2**16).int().flatten()  # exact below 2^24
        indices = table.index_select(0, keys)
        new = indices == _UNKNOWN
        if new.any():
            pixels = levels.movedim(1, -1).reshape(-1, 3)[new] / 255
            table[keys[new]] = self._nearest(pixels).to(torch.uint8)
            indices = table.index_select(0, keys)
        return indices.long().view(red.shape)

    def lookup(self, indices: Tensor) -> Tensor:
        """Return the colours with the given indices.

        Args:
            indices: int64 [B, H, W] in 0..size-1.

        Returns:
            Float [B, 3, H, W] in [0, 1].
        """
        return self.colours[indices].permute(0, 3, 1, 2)

    def decode(self, logits: Tensor, decoding: Decoding = "annealed", temperature: float = 0.38) -> Tensor:
        """Turn logits over the colours into RGB.

        Args:
            logits: Float [B, size, H, W].
            decoding: ``argmax`` returns the most probable colour: saturated, with hard borders. ``expectation``
                returns the mean colour under the softmax: the lowest squared error, but desaturated. ``annealed``
                returns the mean under the softmax of ``logits / temperature``: between the two (Zhang, Isola and
                Efros, "Colorful Image Colorization", 2016, equation 5).
            temperature: For ``annealed``, above 0: 1 gives the expectation, values near 0 the argmax.

        Returns:
            Float [B, 3, H, W] in [0, 1].

        Raises:
            ValueError: If ``decoding`` has another value or ``temperature`` is not above 0.
        """
        if decoding == "argmax":
            return self.lookup(logits.argmax(dim=1))
        if decoding == "expectation":
            temperature = 1.0
        elif decoding != "annealed":
            raise ValueError(f"decoding: expected argmax, expectation or annealed, found {decoding!r}")
        if not temperature > 0:
            raise ValueError(f"temperature: expected a number above 0, found {temperature}")
        with torch.autocast(logits.device.type, enabled=False):
            # Channels last, as the networks' outputs lie in memory.
            probabilities = (at_least_single(logits) / temperature).permute(0, 2, 3, 1).softmax(dim=-1)
            # Not movedim(-1, 1): torch would write the -1 into ONNX files, whose permutations take none.
            return (probabilities @ self.colours.to(probabilities.dtype)).permute(0, 3, 1, 2)


def _is_colour(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""A palette: a few colours that stand for all, so that colouring becomes a choice among them."""

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

# What a stored number must be multiplied by to lie in [0, 1]. The course published its colours as pixel / 256.
_SCALES = {"unit": 1.0, "pixel": 1 / 255, "pixel/255": 1.0, "pixel/256": 256 / 255}

# k-means sees at most this many pixels: more moves no centre by a level that anyone could see.
_SAMPLE = 200_000

_UNKNOWN = 255


class Palette(nn.Module):
    """k colours, held as a buffer so that they travel with a module's state and device.

    A new palette is empty (its colours are NaN) until :meth:`fit` or a state dict fills it; :meth:`from_colours`,
    :meth:`from_images` and :meth:`load` make a filled one.

    Args:
        size: Number of colours, at least 2.

    Attributes:
        colours: Float [size, 3], red, green and blue in [0, 1].

    Raises:
        ImgcolorError: If ``size`` is below 2.
    """

    colours: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 2:
            raise ImgcolorError(f"palette: expected at least 2 colours, found {size}; 24 is the usual number")
        self.size = size
        self.register_buffer("colours", torch.full((size, 3), math.nan))
        self._known: tuple[Tensor, Tensor] | None = None  # colours, and the number of each of 2^24 pixels

    @classmethod
    def from_colours(cls, colours: Tensor) -> Self:
        """A palette of given colours.

        Args:
            colours: Float [k, 3] in [0, 1].

        Raises:
            ImgcolorError: If the shape or the range is another.
        """
        return cls._checked(colours, "palette")

    @classmethod
    def from_images(cls, images: Tensor, size: int = 24, seed: int = 0) -> Self:
        """A palette learned from images: see :meth:`fit`."""
        palette = cls(size)
        palette.fit(images, seed)
        return palette

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """A palette from a JSON file.

        The file holds a list of colours, each a list of three numbers in [0, 1], or an object whose
        ``centroids`` are that list and whose ``scale`` names their unit: ``unit`` (the default), ``pixel``
        (0 to 255), ``pixel/255`` or ``pixel/256``.

        Args:
            path: The file.

        Raises:
            ImgcolorError: If the file is missing, is no JSON, or holds no such list.
        """
        path = Path(path)
        if path.exists() and not path.is_file():  # a pipe would be waited for, and a device read for ever
            raise ImgcolorError(f"{path}: expected a palette as a JSON file, found no regular file")
        try:
            # A float whatever it is: Python's whole numbers know no bounds, and torch's do.
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
                f"{colours.max():g}; a file says with 'scale': 'pixel' that its numbers are 0 to 255"
            )
        palette = cls(len(colours))
        palette.colours.copy_(colours)
        return palette

    def save(self, path: Path | str) -> None:
        """Write the colours as JSON that :meth:`load` reads; red, green and blue in [0, 1], dark to light."""
        content = {"scale": "unit", "centroids": [[round(v, 6) for v in c] for c in self.colours.tolist()]}
        atomic_write(Path(path), json.dumps(content, indent=1) + "\n")

    def fit(self, images: Tensor, seed: int = 0) -> None:
        """Fill the palette with the k-means centres of the images' pixels, ordered from dark to light.

        Args:
            images: uint8 [N, 3, H, W].
            seed: Decides the sample of pixels and the first centres; the result depends on nothing else.

        Raises:
            ImgcolorError: If the images hold fewer different colours than the palette has.
        """
        # Imported here: scikit-learn takes a second that only learning should cost.
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        generator = torch.Generator().manual_seed(seed)
        pixels_an_image = images.shape[2] * images.shape[3]
        total = len(images) * pixels_an_image
        if total > _SAMPLE:
            flat = torch.randint(total, (_SAMPLE,), generator=generator)
            pixels = images.flatten(2)[flat // pixels_an_image, :, flat % pixels_an_image]
        else:
            pixels = images.permute(0, 2, 3, 1).reshape(-1, 3)
        different = len(torch.unique(pixels, dim=0))
        if different < self.size:
            raise ImgcolorError(
                f"palette: expected training images of at least {self.size} different colours, found "
                f"{different}; give a smaller palette or a palette file"
            )
        # One thread: sums that threads add up in any order differ in the last bit from run to run.
        with threadpool_limits(limits=1):
            kmeans = KMeans(self.size, n_init=2, random_state=seed).fit(pixels.double().numpy() / 255)
        centres = torch.from_numpy(kmeans.cluster_centers_).float().clamp(0, 1)
        self.colours.copy_(centres[centres.sum(dim=1).argsort()])

    @property
    def is_fitted(self) -> bool:
        """Whether the colours are known yet."""
        return not bool(self.colours.isnan().any())

    def encode(self, images: Tensor) -> Tensor:
        """Find the nearest colour of every pixel, by Euclidean distance in RGB.

        Args:
            images: Float [B, 3, H, W] in [0, 1].

        Returns:
            int64 [B, H, W] in 0..size-1; of two colours as near, the first.
        """
        # In full precision whatever else runs in half: near colours would change places.
        with torch.autocast(images.device.type, enabled=False):
            pixels = images.float()
            if pixels.device.type == "cpu" and self.size <= _UNKNOWN:
                levels = (pixels * 255).round_()
                if torch.equal(levels / 255, pixels):
                    return self._encode_levels(levels)
            return self._nearest(pixels.movedim(1, -1))

    def _nearest(self, pixels: Tensor) -> Tensor:
        """The number of the nearest colour of float [..., 3]: int64 [...]."""
        # |x - c|^2 = |x|^2 - 2 x.c + |c|^2, and |x|^2 is the same for every colour: one product, with the colours
        # last, which takes a third of the time.
        squares = self.colours.float().square().sum(dim=1)
        distances = torch.addmm(squares, pixels.reshape(-1, 3), self.colours.float().mT, alpha=-2)
        return distances.argmin(dim=1).view(pixels.shape[:-1])

    def _encode_levels(self, levels: Tensor) -> Tensor:
        """The same for float [B, 3, H, W] of whole levels 0 to 255, which are looked up once they have been seen.

        Choosing among 24 colours is scalar code in torch on the CPU; after an epoch nearly every pixel is known.
        """
        if self._known is None or not torch.equal(self._known[0], self.colours):
            self._known = self.colours.clone(), torch.full((2**24,), _UNKNOWN, dtype=torch.uint8)
        table = self._known[1]
        red, green, blue = levels.unbind(dim=1)
        codes = torch.add(blue, green, alpha=2**8).add_(red, alpha=2**16).int().flatten()  # exact below 2^24
        numbers = table.index_select(0, codes)
        new = numbers == _UNKNOWN
        if new.any():
            pixels = levels.movedim(1, -1).reshape(-1, 3)[new] / 255
            table[codes[new]] = self._nearest(pixels).to(torch.uint8)
            numbers = table.index_select(0, codes)
        return numbers.long().view(red.shape)

    def lookup(self, indices: Tensor) -> Tensor:
        """Paint with colours by number.

        Args:
            indices: int64 [B, H, W] in 0..size-1.

        Returns:
            Float [B, 3, H, W] in [0, 1].
        """
        return self.colours[indices].permute(0, 3, 1, 2)

    def decode(self, logits: Tensor, decoding: Decoding = "annealed", temperature: float = 0.38) -> Tensor:
        """Turn scores of colours into colours.

        Args:
            logits: Float [B, size, H, W]: logits.
            decoding: ``argmax`` takes the likeliest colour: saturated, with hard borders. ``expectation``
                takes the mean colour under the softmax: the least squared error, dull. ``annealed`` takes the
                mean under the softmax of ``logits / temperature``: between the two (Zhang, Isola and Efros,
                "Colorful Image Colorization", 2016, equation 5).
            temperature: Above 0; 1 is the expectation, towards 0 is the argmax. For ``annealed`` alone.

        Returns:
            Float [B, 3, H, W] in [0, 1].

        Raises:
            ValueError: If ``decoding`` is none of the three or ``temperature`` is not above 0.
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
            # Colours last, as the networks' outputs lie in memory.
            probabilities = (at_least_single(logits) / temperature).permute(0, 2, 3, 1).softmax(dim=-1)
            # Not movedim(-1, 1): torch writes its -1 into ONNX files, where a permutation may have none.
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

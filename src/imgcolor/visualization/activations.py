"""Activation maps of a network's blocks: capture them, measure them, and write them as images and a table.

The maps are captured by forward hooks, so any network can be used without changes.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import atomic_write
from imgcolor.utils.modes import eval_mode
from imgcolor.visualization.grids import save_image, to_image

CSV = "activations.csv"
"""File name of the table that :func:`write_activations` writes."""

_CELL = 80  # smallest width of a tile, so that its numbers fit below it
_GAP = 6
_HEADER = 44
_CAPTION = 15
_INK = (32, 32, 32)
_PAPER = (255, 255, 255)
_POSITIVE = torch.tensor([1.0, 1.0, 1.0])
_NEGATIVE = torch.tensor([0.35, 0.65, 1.0])
_NOT_FINITE = torch.tensor([1.0, 0.0, 0.0])


def capture(network: nn.Module, images: Tensor, modules: Sequence[str] = ()) -> dict[str, Tensor]:
    """Run a network once, in evaluation mode and without gradients, and return the outputs of its blocks.

    Args:
        network: Any module. Its training modes are restored and its hooks removed, also after an error.
        images: The network's input, on its device: float [B, C, h, w].
        modules: Names of modules at any depth, such as ``downconv1`` or ``downconv1.0``, as in
            ``named_modules()``. By default all direct children (those inside a ``ModuleList`` or
            ``ModuleDict`` too) whose output is one float tensor of four dimensions.

    Returns:
        Name to maps, float [B, channels, height, width], copied to the CPU, in the order in which the modules
        ran. For a module that runs more than once, the output and the position of the last run.

    Raises:
        ImgcolorError: If a name is unknown, if a named module does not run or returns no such maps, or if no
            direct child does.
    """
    chosen = find_modules(network, modules)
    maps: dict[str, Tensor] = {}
    other: dict[str, str] = {}
    with _hooked(chosen, maps, other), eval_mode(network):
        network(images)
    for name in modules:
        if name not in maps:
            found = other.get(name, "nothing, as the network does not call it")
            raise ImgcolorError(
                f"modules: expected {name} to give float maps [B, channels, height, width], found {found}; "
                f"name others of {type(network).__name__}: {_names(network)}"
            )
    if not maps:
        raise ImgcolorError(
            f"{type(network).__name__}: expected direct children that give float maps [B, channels, height, "
            f"width], found none; name modules inside: {_names(network)}"
        )
    return maps


def find_modules(network: nn.Module, modules: Sequence[str] = ()) -> dict[str, nn.Module]:
    """Return modules by name.

    Args:
        network: Any module.
        modules: Names, as in ``named_modules()``; by default the direct children.

    Returns:
        Name to module.

    Raises:
        ImgcolorError: If the network has no module of a name.
    """
    known = dict(network.named_modules(remove_duplicate=False))
    for name in modules:
        if name not in known:
            raise ImgcolorError(
                f"modules: expected names of {type(network).__name__}'s modules, found {name!r}; "
                f"there are {_names(network)}"
            )
    return {name: known[name] for name in modules} if modules else dict(_children(network))


def near_zero(maps: Tensor, threshold: float = 0.01) -> Tensor:
    """Return the fraction of each map's pixels that are near zero.

    A pixel is near zero if its magnitude is below ``threshold`` times the largest magnitude in all maps of its block
    and image, or if it is zero. So a map with small values compared with the other maps of its block counts as
    near zero, and so does every map of a block that is zero everywhere.

    Args:
        maps: Float [B, C, H, W]: the maps of one block.
        threshold: Largest magnitude of a pixel near zero, relative to the largest magnitude.

    Returns:
        Float [B, C] in [0, 1]; nan for an image with values that are not finite.
    """
    magnitudes = maps.cpu().double().abs()  # not every device has float64
    largest = magnitudes.amax(dim=(1, 2, 3), keepdim=True)
    near = (magnitudes < threshold * largest) | (magnitudes == 0)
    fractions = near.double().mean(dim=(2, 3))
    return fractions.masked_fill(~largest[:, :, 0, 0].isfinite(), torch.nan).float()


def concentration(maps: Tensor) -> Tensor:
    """Return how strongly each map is concentrated in few pixels.

    One minus the normalised entropy: 1 - H(p) / log(H·W) with p = abs(a) / sum(abs(a)) over the map's pixels. It
    is 0 if all pixels have the same magnitude, 1 - log(n) / log(H·W) if n pixels have the same magnitude and the
    others are zero, and 1 if only one pixel is not zero. It depends neither on the map's scale nor on the
    positions of the pixels. A map that is zero everywhere and a map of a single pixel have 0.

    Args:
        maps: Float [B, C, H, W].

    Returns:
        Float [B, C] in [0, 1]; nan for a map with values that are not finite.
    """
    magnitudes = maps.cpu().double().abs().flatten(2)  # not every device has float64
    pixels = magnitudes.shape[-1]
    total = magnitudes.sum(dim=-1, keepdim=True)
    entropy = torch.special.entr(magnitudes / total).sum(dim=-1)
    # Rounding can make the entropy of equal magnitudes slightly larger than the logarithm.
    concentrated: Tensor = (1 - entropy / math.log(max(pixels, 2))).clamp(0, 1)
    nothing = (total[..., 0] == 0) | ((pixels == 1) & total[..., 0].isfinite())
    return concentrated.masked_fill(nothing, 0).float()


def activation_grid(maps: Tensor, title: str = "maps") -> Image.Image:
    """Draw all maps of one block and one image side by side, on one scale.

    Zero is black and the block's largest magnitude is the brightest, so a map with small values is dark. Positive
    values are grey to white, negative ones blue, values that are not finite red. The header shows the means of the
    two measures over the maps, and the scale. Below each map are its number, the fraction of its pixels near zero and
    its concentration.

    Args:
        maps: Float [C, h, w].
        title: Start of the header: the block's name.

    Returns:
        An RGB image; small maps are enlarged without interpolation.
    """
    maps = maps.detach().cpu().float()
    count, height, width = maps.shape
    fractions, concentrations = near_zero(maps[None])[0], concentration(maps[None])[0]
    factor = max(1, math.ceil(_CELL / max(height, width)))
    height, width = height * factor, width * factor
    columns = min(count, 8 if count <= 64 else 16)
    step = max(width, _CELL) + _GAP

    colours, scale = _colours(maps)
    header = (
        f"{title}: {count} maps {maps.shape[1]}x{maps.shape[2]}, near zero {100 * fractions.mean():.0f} %, "
        f"concentration {concentrations.mean():.2f} (mean)\n{scale}; below: number, near zero, concentration"
    )
    large, small = ImageFont.load_default(size=14), ImageFont.load_default(size=11)
    wide = max(math.ceil(large.getlength(line)) for line in header.splitlines())
    size = (
        _GAP + max(columns * step, wide + _GAP),
        _HEADER + math.ceil(count / columns) * (height + _CAPTION + _GAP),
    )
    canvas = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.multiline_text((_GAP, 4), header, fill=_INK, font=large)
    for number, colour in enumerate(colours):
        left = _GAP + number % columns * step
        top = _HEADER + number // columns * (height + _CAPTION + _GAP)
        tile = to_image(colour).resize((width, height), Image.Resampling.NEAREST)
        canvas.paste(tile, (left, top))
        numbers = f"{100 * fractions[number]:.0f} %  {concentrations[number]:.2f}"
        draw.text((left, top + height + 1), str(number), fill=_INK, font=small)
        draw.text((left + max(width, _CELL), top + height + 1), numbers, fill=_INK, font=small, anchor="ra")
    return canvas


def write_activations(
    network: nn.Module,
    images: Iterable[Tensor],
    names: Sequence[str],
    folder: Path,
    modules: Sequence[str] = (),
) -> Path:
    """Write ``folder/IMAGE/MODULE.png`` for each image and block, and ``folder/activations.csv``.

    The table has one row per map: image, module, channel, height, width, near_zero (:func:`near_zero`) and
    concentration (:func:`concentration`). Files of the same names are replaced.

    Args:
        network: Any module.
        images: The network's inputs, on its device: float [C, h, w] each; sizes may differ.
        names: One name per image. In files and table, special characters become ``_``, and a repeated name gets a
            number.
        folder: The folder for the results, which is created if needed.
        modules: As in :func:`capture`.

    Returns:
        The table's path.

    Raises:
        ImgcolorError: As :func:`capture` does.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "module", "channel", "height", "width", "near_zero", "concentration"])
    for image, name in zip(images, _file_names(names), strict=True):
        blocks = capture(network, image[None], modules)
        for (module, maps), file in zip(blocks.items(), _file_names(list(blocks)), strict=True):
            save_image(activation_grid(maps[0], module), folder / name / f"{file}.png")
            measures = zip(near_zero(maps)[0].tolist(), concentration(maps)[0].tolist(), strict=True)
            for channel, (fraction, concentrated) in enumerate(measures):
                size = maps.shape[-2:]
                table.writerow([name, module, channel, *size, f"{fraction:.6g}", f"{concentrated:.6g}"])
    atomic_write(folder / CSV, text.getvalue())
    return folder / CSV


@contextmanager
def _hooked(modules: dict[str, nn.Module], maps: dict[str, Tensor], other: dict[str, str]) -> Iterator[None]:
    """Store the outputs of modules in the `with` block: maps in `maps`, the types of others in `other`."""

    def keep(name: str, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.is_floating_point():
            maps.pop(name, None)
            # A copy, because the next module may work in place.
            maps[name] = output.detach().to("cpu", copy=True)
        elif isinstance(output, Tensor):
            other[name] = f"{output.dtype} {list(output.shape)}"
        else:
            other[name] = f"a {type(output).__name__}"

    handles = []
    try:
        for name, module in modules.items():
            # The default argument binds the current name.
            handles.append(module.register_forward_hook(lambda _, __, output, name=name: keep(name, output)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _children(network: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, child in network.named_children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):  # only their children run
            yield from _children(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _names(network: nn.Module) -> str:
    return ", ".join(name for name, _ in network.named_modules() if name) or "none"


def _colours(maps: Tensor) -> tuple[Tensor, str]:
    """Return maps [C, h, w] as colours [C, 3, h, w] in [0, 1] on a common scale, and a legend."""
    finite = maps.isfinite()
    values = maps.where(finite, 0)
    largest = float(values.abs().max())
    strengths = (values / largest if largest else values)[:, None]
    positive, negative, not_finite = (c.view(3, 1, 1) for c in (_POSITIVE, _NEGATIVE, _NOT_FINITE))
    colours = strengths.clamp(min=0) * positive - strengths.clamp(max=0) * negative
    scale = f"black 0, white {largest:.3g}" + (f", blue -{largest:.3g}" if values.min() < 0 else "")
    scale += "" if finite.all() else ", red not finite"
    return colours.where(finite[:, None], not_finite), scale


def _file_names(names: Sequence[str]) -> list[str]:
    """Return safe file names that differ from each other, also on file systems that ignore case."""
    files: list[str] = []
    taken = {CSV}
    for name in names:
        safe = re.sub(r"[^\w.-]", "_", name).lstrip(".") or "_"
        file, number = safe, 2
        while file.casefold() in taken:
            file, number = f"{safe}_{number}", number + 1
        taken.add(file.casefold())
        files.append(file)
    return files

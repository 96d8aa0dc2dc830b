"""Convert images with an embedded colour profile (ICC) or a gamma value (PNG) to sRGB, without NumPy and torch."""

import io
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from PIL import Image, ImageCms

T = TypeVar("T")

_CACHED_TRANSFORMS = 16

_SAME_WITHIN = 2
"""Profiles whose colours differ from sRGB by at most this many levels are treated as sRGB, and nothing is changed."""

_GAMMA_OF_SRGB, _SAME_GAMMA = 1 / 2.2, 0.02

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC

_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION


class ProfileFault(Exception):  # noqa: N818
    """Why a profile cannot be used: a message without the path."""


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """Return an ICC profile of sRGB, for files that are written."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert an image through its embedded profile to sRGB.

    Conversion is relative colorimetric with black point compensation, by LittleCMS (Pillow's ``ImageCms``). Images
    without a profile, and those whose profile is sRGB within two levels, keep their pixels. PNG files without a
    profile can have a gamma value; it is used like the curve of a profile. Grey images of 16 bits are left to
    :func:`grey_curve`.

    Args:
        image: Any Pillow image.

    Returns:
        The image in sRGB: grey stays ``L`` or ``LA``, the rest becomes ``RGB`` or ``RGBA``.

    Raises:
        ProfileFault: If the profile is damaged, or is one for another kind of image.
    """
    icc = image.info.get("icc_profile")
    gamma = _gamma(image)
    if (not icc and gamma is None) or image.mode.startswith(("I", "F")):
        return image
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    converted = _without_alpha(image)
    if converted.mode == "L" or gamma is not None:
        curve = grey_curve(image)
        converted = converted if curve is None else converted.point(curve * len(converted.getbands()))
    else:
        transform = _transform(icc, converted.mode)
        converted = converted if transform is None else _apply(transform, converted)
    if alpha is not None:
        converted.putalpha(alpha)
    converted.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return converted


def convert_in_srgb(
    image: Image.Image, convert: Callable[[Image.Image], T], note: Callable[[str], None]
) -> T:
    """Call a function with an image in sRGB, or with the image as it is if its profile cannot be used.

    Args:
        image: Any Pillow image.
        convert: The function.
        note: Called with a message without the path if the profile cannot be used.

    Returns:
        The result of `convert`.
    """
    try:
        return convert(to_srgb(image))
    except ProfileFault as error:  # also of `convert`, which applies the profiles of 16-bit grey images
        note(f"holds a colour profile that is not used: {error}")
        image.info.pop("icc_profile", None)
        return convert(image)


def has_gamma(image: Image.Image) -> bool:
    """Return whether an image has a gamma value that differs from sRGB's, and no profile."""
    return _gamma(image) is not None


def is_srgb(icc: bytes) -> bool:
    """Return whether a profile for RGB images is that of sRGB, within two levels.

    Raises:
        ProfileFault: If the profile is damaged, or is not one for RGB images.
    """
    return _transform(icc, "RGB") is None


def grey_curve(image: Image.Image) -> list[int] | None:
    """Return the sRGB levels, 0..255, of an image's grey levels 0..255; None if they are equal.

    The curve is that of its profile or, for a PNG file without a profile, of its gamma value. Profiles for RGB images
    are used as well: for them, grey means equal red, green and blue.

    Raises:
        ProfileFault: If the profile is damaged, or is one for neither grey nor RGB images.
    """
    icc = image.info.get("icc_profile")
    if not icc:
        gamma = _gamma(image)
        return None if gamma is None else [_encode((level / 255) ** (1 / gamma)) for level in range(256)]
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    if _colour_space(icc) == "RGB":
        ramp = ramp.convert("RGB")
    # Without NOOPTIMIZE, LittleCMS is wrong by ten levels near black for linear profiles.
    curve = list(
        _apply(_build(icc, ramp.mode, _FLAGS | ImageCms.Flags.NOOPTIMIZE), ramp).convert("L").tobytes()
    )
    return None if all(abs(level - index) <= _SAME_WITHIN for index, level in enumerate(curve)) else curve


def _gamma(image: Image.Image) -> float | None:
    """Return the gamma value of a PNG file, such as 1 for linear light; None where it is that of sRGB or not stated."""
    gamma = image.info.get("gamma")
    if not isinstance(gamma, float) or image.info.get("icc_profile") or "srgb" in image.info:
        return None
    return gamma if 0.1 < gamma < 10 and abs(gamma - _GAMMA_OF_SRGB) > _SAME_GAMMA else None


def _encode(light: float) -> int:
    """Return the level, 0..255, of linear light in [0, 1], by the transfer function of sRGB (IEC 61966-2-1)."""
    return round(255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055))


def _without_alpha(image: Image.Image) -> Image.Image:
    """Return an image of a mode that LittleCMS accepts: L, RGB, CMYK or LAB."""
    if image.mode in ("1", "L", "LA", "La"):
        return image.convert("L")
    if image.mode in ("CMYK", "LAB"):
        return image
    return image.convert("RGB")


def _colour_space(icc: bytes) -> str:
    """Return the colour space of a profile, such as ``RGB``, ``GRAY`` or ``CMYK``."""
    return _open(icc).profile.xcolor_space.strip()


def _open(icc: bytes) -> ImageCms.ImageCmsProfile:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (ImageCms.PyCMSError, OSError) as error:
        raise ProfileFault("it cannot be read") from error


@lru_cache(maxsize=_CACHED_TRANSFORMS)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from a profile to sRGB; None if it changes nothing."""
    transform = _build(icc, mode, _FLAGS)
    return None if mode == "RGB" and _changes_nothing(transform) else transform


def _build(icc: bytes, mode: str, flags: ImageCms.Flags) -> ImageCms.ImageCmsTransform:
    target = ImageCms.createProfile("sRGB")
    try:
        return ImageCms.buildTransform(_open(icc), target, mode, "RGB", _INTENT, flags)
    except (ImageCms.PyCMSError, OSError) as error:
        raise ProfileFault(f"it is one for {_colour_space(icc)} images, and this image is {mode}") from error


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    flat, rising = Image.new("L", (256, 1), 0), Image.frombytes("L", (256, 1), bytes(range(256)))
    channels = [(rising, rising, rising), (rising, flat, flat), (flat, rising, flat), (flat, flat, rising)]
    samples = Image.new("RGB", (256, len(channels)))
    for row, bands in enumerate(channels):
        samples.paste(Image.merge("RGB", bands), (0, row))
    before = samples.tobytes()
    pairs = zip(before, _apply(transform, samples).tobytes(), strict=True)
    return all(abs(first - second) <= _SAME_WITHIN for first, second in pairs)


def _apply(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    """Return the image through a transform. An RGB image is changed in place, which takes less time."""
    in_place = image.mode == transform.output_mode
    converted = ImageCms.applyTransform(image, transform, inPlace=in_place)
    return image if converted is None else converted

"""Convert images with an embedded colour profile (ICC) to sRGB. Importing this imports neither NumPy nor torch."""

import io
from functools import lru_cache

from PIL import Image, ImageCms

_CACHED_TRANSFORMS = 16

_SAME_WITHIN = 2
"""Profiles whose colours differ from sRGB by at most this many levels are taken for sRGB, and nothing is changed."""

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC

_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION


class ProfileFault(Exception):  # noqa: N818
    """Why a profile cannot be used, as the end of a sentence."""


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """Return an ICC profile of sRGB, for files that are written."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert an image through its embedded profile to sRGB.

    Conversion is relative colorimetric with black point compensation, by LittleCMS (Pillow's ``ImageCms``). Images
    without a profile, and those whose profile is sRGB within two levels, keep their pixels. Grey images of 16 bits
    are left to :func:`grey_curve`.

    Args:
        image: Any Pillow image.

    Returns:
        The image in sRGB: grey stays ``L`` or ``LA``, the rest becomes ``RGB`` or ``RGBA``.

    Raises:
        ProfileFault: If the profile is damaged, or is one for another kind of image.
    """
    icc = image.info.get("icc_profile")
    if not icc or image.mode.startswith(("I", "F")):
        return image
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    converted = _without_alpha(image)
    if converted.mode == "L":
        curve = grey_curve(icc)
        converted = converted if curve is None else converted.point(curve)
    else:
        transform = _transform(icc, converted.mode)
        converted = converted if transform is None else _apply(transform, converted)
    if alpha is not None:
        converted.putalpha(alpha)
    converted.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return converted


def is_srgb(icc: bytes) -> bool:
    """Return whether a profile for RGB images is that of sRGB, within two levels.

    Raises:
        ProfileFault: If the profile is damaged, or is not one for RGB images.
    """
    return _transform(icc, "RGB") is None


def grey_curve(icc: bytes) -> list[int] | None:
    """Return the sRGB levels, 0..255, of the grey levels 0..255 of a profile; None if they are equal.

    Profiles for RGB images are used as well: grey is there what has equal red, green and blue.

    Raises:
        ProfileFault: If the profile is damaged, or is one for neither grey nor RGB images.
    """
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    if _colour_space(icc) == "RGB":
        ramp = ramp.convert("RGB")
    # Without NOOPTIMIZE, LittleCMS is wrong by ten levels near black for linear profiles.
    curve = list(
        _apply(_build(icc, ramp.mode, _FLAGS | ImageCms.Flags.NOOPTIMIZE), ramp).convert("L").tobytes()
    )
    return None if all(abs(level - index) <= _SAME_WITHIN for index, level in enumerate(curve)) else curve


def _without_alpha(image: Image.Image) -> Image.Image:
    """Return an image of a mode that LittleCMS knows: L, RGB, CMYK or LAB."""
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
    pairs = zip(samples.tobytes(), _apply(transform, samples).tobytes(), strict=True)
    return all(abs(first - second) <= _SAME_WITHIN for first, second in pairs)


def _apply(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # None only for inPlace=True
    return converted

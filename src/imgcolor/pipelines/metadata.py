"""Descriptive metadata of image files (EXIF, XMP, resolution, description), copied from a photo to its result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

from imgcolor.data.colour_profiles import srgb_profile

_TAGS = tuple(
    getattr(ExifTags.Base, name)
    for name in ("ImageDescription", "Make", "Model", "Software", "DateTime", "Artist", "Copyright", "XPTitle",
                 "XPComment", "XPAuthor", "XPKeywords", "XPSubject", "Rating")
)  # fmt: skip
"""EXIF tags of the main directory that describe a photo; the others describe its pixels or its file."""

_LEFT_OUT = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight, ExifTags.IFD.Interop)
"""Tags that no longer fit: width, height, pointer to the interoperability directory."""

_SRGB = 1
"""Value of the tag ColorSpace."""

_INCH = 2
"""Value of the tag ResolutionUnit."""

_MAX_BYTES = 65_000
"""Largest EXIF or XMP that a JPEG file can hold."""


@dataclass(frozen=True)
class Metadata:
    """The metadata of a photo file.

    Attributes:
        exif: EXIF, without orientation, thumbnail and size in pixels.
        xmp: XMP.
        dpi: Pixels per inch, horizontally and vertically.
        description: The description or comment.
        has_profile: Whether the file had a colour profile; the result then gets that of sRGB.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    description: str | None = None
    has_profile: bool = False

    @classmethod
    def from_image(cls, image: Image.Image, note: Callable[[str], None]) -> "Metadata":
        """Read the metadata of an image that Pillow has opened.

        Args:
            image: The image.
            note: Called with a message without the path if a part cannot be read.
        """
        try:
            exif, dpi = _descriptive_exif(image), _dpi(image)
        except Exception as error:  # damaged EXIF makes Pillow raise nearly anything
            note(f"holds EXIF data that cannot be copied ({type(error).__name__}: {error})")
            exif, dpi = None, None
        return cls(exif, _xmp(image), dpi, _description(image), bool(image.info.get("icc_profile")))

    def options(self, kind: str, is_grey: bool, note: Callable[[str], None]) -> dict[str, Any]:
        """Return the options of Pillow's ``save`` that write the metadata.

        Args:
            kind: Pillow's name of the format: PNG, JPEG, WEBP or TIFF.
            is_grey: Whether the image is grey; the profile of sRGB is one for RGB images.
            note: Called with a message without the path if a part does not fit the format.
        """
        options: dict[str, Any] = {}
        if self.has_profile and not is_grey:
            options["icc_profile"] = srgb_profile()
        exif = self.exif
        if self.dpi is not None and kind == "WEBP":
            exif = _with_resolution(exif, self.dpi)
        elif self.dpi is not None:
            options["dpi"] = self.dpi
        for name, value in (("exif", exif), ("xmp", self.xmp)):
            if value is None:
                continue
            if kind == "JPEG" and len(value) > _MAX_BYTES:
                note(
                    f"lacks the photo's {name.upper()} data: {len(value):,} bytes are too many for a JPEG file"
                )
            else:
                options[name] = value
        if kind == "PNG":
            options |= self._png_text(options.pop("xmp", None))
        if kind == "TIFF":
            options |= self._tiff_tags(options.pop("exif", None), options.pop("xmp", None))
        if kind == "JPEG" and self.description and self.exif is None:
            options["comment"] = self.description
        return options

    def _png_text(self, xmp: bytes | None) -> dict[str, Any]:
        text = PngImagePlugin.PngInfo()
        if xmp is not None:
            text.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
        if self.description:
            text.add_itxt("Description", self.description)
        return {"pnginfo": text} if text.chunks else {}

    def _tiff_tags(self, exif: bytes | None, xmp: bytes | None) -> dict[str, Any]:
        tags = Image.Exif()
        if exif is not None:
            tags.load(exif)
        if self.description and ExifTags.Base.ImageDescription not in tags:
            tags[ExifTags.Base.ImageDescription] = self.description
        if xmp is not None:
            tags[ExifTags.Base.XMLPacket] = xmp
        options: dict[str, Any] = {"exif": tags} if len(tags) else {}
        if any(directory in tags for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)):
            options["compression"] = None  # Pillow cannot write these directories into a compressed file
        return options


def _descriptive_exif(image: Image.Image) -> bytes | None:
    source, copy = image.getexif(), Image.Exif()
    for tag in _TAGS:
        if tag in source:
            copy[tag] = source[tag]
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        values = {tag: value for tag, value in source.get_ifd(directory).items() if tag not in _LEFT_OUT}
        if ExifTags.Base.ColorSpace in values:
            values[ExifTags.Base.ColorSpace] = _SRGB
        if values:
            copy.get_ifd(directory).update(values)
            copy[directory] = copy.get_ifd(directory)
    return copy.tobytes() if len(copy) else None


def _xmp(image: Image.Image) -> bytes | None:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode()
    return xmp if isinstance(xmp, bytes) and xmp else None


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    dpi, tags = image.info.get("dpi"), image.getexif()
    in_inches = tags.get(ExifTags.Base.ResolutionUnit, _INCH) == _INCH
    if dpi is None and in_inches and ExifTags.Base.XResolution in tags and ExifTags.Base.YResolution in tags:
        dpi = (tags[ExifTags.Base.XResolution], tags[ExifTags.Base.YResolution])
    if not isinstance(dpi, tuple) or len(dpi) != 2:
        return None
    horizontal, vertical = (float(value) for value in dpi)
    # 1 is what Pillow gives for TIFF files that state no resolution.
    return (
        (horizontal, vertical) if 1 < min(horizontal, vertical) <= max(horizontal, vertical) < 1e5 else None
    )


def _with_resolution(exif: bytes | None, dpi: tuple[float, float]) -> bytes:
    tags = Image.Exif()
    if exif is not None:
        tags.load(exif)
    tags[ExifTags.Base.XResolution], tags[ExifTags.Base.YResolution], tags[ExifTags.Base.ResolutionUnit] = (
        *dpi,
        _INCH,
    )
    return tags.tobytes()


def _description(image: Image.Image) -> str | None:
    for name in ("Description", "Comment", "comment"):
        value = image.info.get(name)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str) and value.strip("\0 \n"):
            return str(value).strip("\0 \n")
    return None

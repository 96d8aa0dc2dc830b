"""Read and write images with 16 bits per channel: Pillow reads 16-bit RGB as 8 bits, and cannot write it."""

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image

from imgcolor.data.colour_profiles import ProfileFault, has_gamma, is_srgb
from imgcolor.pipelines.metadata import Metadata

SIXTEEN_BIT_FORMATS = ("PNG", "TIFF")
"""Pillow's names of the formats that hold 16 bits per channel."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_PNG_METADATA = (b"iCCP", b"pHYs", b"eXIf", b"iTXt", b"tEXt", b"zTXt")

_PNG_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Number of channels to PNG's number for grey, grey with alpha, RGB and RGB with alpha."""

_UPRIGHT: Mapping[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""EXIF orientation to the function that turns the pixels upright."""


def read_16_bit(path: Path, page: int, note: Callable[[str], None]) -> np.ndarray | None:
    """Read the pixels of an image with 16 bits per channel that Pillow reads as 8 bits, with EXIF rotation applied.

    These are RGB images, and grey images with an alpha channel.

    Args:
        path: A file that Pillow has decoded before, and so is whole.
        page: The page of a TIFF file, from 0.
        note: Called with a message without the path if the file has 16 bits that cannot be used.

    Returns:
        uint16 [H, W, 1 or 3]; None for other images, and where only 8 bits can be used.
    """
    with Image.open(path) as file:
        file.seek(page)
        if not _has_16_bits(file):
            return None
        orientation = file.getexif().get(ExifTags.Base.Orientation, 1)
        icc, kind = file.info.get("icc_profile"), file.format
        file_gamma = has_gamma(file)
    try:
        if (icc and not is_srgb(icc)) or file_gamma:
            note(
                "has 16 bits per channel, of which 8 are used, because it has a colour profile or gamma value"
            )
            return None
    except ProfileFault:  # reported when the file was decoded
        pass
    try:
        pixels = _read_png(path) if kind == "PNG" else _read_tiff(path, page)
    except Exception as error:  # these readers raise many kinds of exceptions
        note(f"has 16 bits per channel, of which 8 are used ({error})")
        return None
    turn = _UPRIGHT.get(orientation)
    return np.ascontiguousarray(pixels if turn is None else turn(pixels))


def encode_16_bit(levels: np.ndarray, kind: str, metadata: Metadata, note: Callable[[str], None]) -> bytes:
    """Return a file with 16 bits per channel.

    Args:
        levels: uint16 [H, W, 1 to 4]: grey or RGB, with or without alpha.
        kind: PNG or TIFF.
        metadata: The metadata of the photo.
        note: Called with a message without the path if a part of the metadata does not fit.
    """
    if kind == "TIFF":
        return _encode_tiff(levels, metadata, note)
    # Pillow writes the metadata into a small file, from which its chunks are taken.
    small = io.BytesIO()
    mode = "L" if levels.shape[2] < 3 else "RGB"
    Image.new(mode, (1, 1)).save(small, "PNG", **metadata.options("PNG", mode == "L", note))
    return _encode_png(
        levels, [chunk for chunk in _png_chunks(small.getvalue()) if chunk[0] in _PNG_METADATA]
    )


def _has_16_bits(file: Image.Image) -> bool:
    if file.format == "PNG":
        # The tile's last argument names how the bytes are stored.
        return any(str(tile[3]) in ("RGB;16B", "RGBA;16B", "LA;16B") for tile in getattr(file, "tile", ()))
    if file.format == "TIFF":
        tags = getattr(file, "tag_v2", {})
        is_rgb = tags.get(ExifTags.Base.PhotometricInterpretation) == 2
        is_unsigned = set(tags.get(ExifTags.Base.SampleFormat, (1,))) == {1}
        return is_rgb and is_unsigned and set(tags.get(ExifTags.Base.BitsPerSample, ())) == {16}
    return False


def _read_png(path: Path) -> np.ndarray:
    from torchvision.io import ImageReadMode, decode_png  # here: other photos do without torchvision

    data = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)
    pixels: torch.Tensor = decode_png(data, ImageReadMode.UNCHANGED)
    return pixels[: 1 if len(pixels) < 3 else 3].permute(1, 2, 0).numpy()


def _read_tiff(path: Path, page: int) -> np.ndarray:
    import tifffile  # here: other photos do without it

    with tifffile.TiffFile(path) as file:
        found = file.pages[page].aspage()
        pixels: np.ndarray = np.asarray(found.asarray())
        if found.planarconfig == tifffile.PLANARCONFIG.SEPARATE:  # one plane per channel
            pixels = np.moveaxis(pixels, 0, -1)
    return pixels[..., :3].astype(np.uint16)


def _encode_tiff(levels: np.ndarray, metadata: Metadata, note: Callable[[str], None]) -> bytes:
    import tifffile

    options = metadata.options("TIFF", levels.shape[2] < 3, note)
    tags: Image.Exif = options.get("exif", Image.Exif())
    for directory, name in ((ExifTags.IFD.Exif, "EXIF"), (ExifTags.IFD.GPSInfo, "GPS")):
        if directory in tags:
            note(f"lacks the photo's {name} data, which imgcolor writes into 8-bit TIFF files only")
    texts = [(int(tag), 2, None, value, True) for tag, value in tags.items() if isinstance(value, str)]
    xmp = tags.get(ExifTags.Base.XMLPacket)
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        levels if levels.shape[2] > 1 else levels[..., 0],
        photometric="rgb" if levels.shape[2] > 2 else "minisblack",
        extrasamples=["unassalpha"] if levels.shape[2] in (2, 4) else None,
        compression="zlib",
        resolution=options.get("dpi"),
        resolutionunit="INCH" if "dpi" in options else None,
        iccprofile=options.get("icc_profile"),
        extratags=texts + ([(int(ExifTags.Base.XMLPacket), 1, len(xmp), xmp, True)] if xmp else []),
        metadata=None,
    )
    return file.getvalue()


def _encode_png(levels: np.ndarray, metadata: list[tuple[bytes, bytes]]) -> bytes:
    """Return a PNG file (PNG specification, third edition) whose rows have the filter Sub."""
    height, width, channels = levels.shape
    rows = np.ascontiguousarray(levels.astype(">u2")).view(np.uint8).reshape(height, width, 2 * channels)
    filtered = rows.copy()
    filtered[:, 1:] -= rows[:, :-1]
    lines = np.insert(filtered.reshape(height, -1), 0, 1, axis=1)  # 1 is the number of the filter
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOUR_TYPES[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), *metadata, (b"IDAT", zlib.compress(lines.tobytes(), 3)), (b"IEND", b"")]
    return _PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return name and data of the chunks of a PNG file."""
    chunks, place = [], len(_PNG_SIGNATURE)
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks

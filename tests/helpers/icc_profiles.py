"""Small ICC profiles (version 2) of matrices and gamma curves, for test images."""

import struct

PROPHOTO = ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249))
"""XYZ (D50) of ProPhoto's red, green and blue."""

DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
"""XYZ (D50) of Display P3's red, green and blue."""


def rgb_profile(primaries: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """Return a profile for RGB images."""
    tags = {"wtpt": _xyz(0.9642, 1.0, 0.8249)}
    for name, primary in zip("rgb", primaries, strict=True):
        tags |= {f"{name}XYZ": _xyz(*primary), f"{name}TRC": _curve(gamma)}
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    """Return a profile for grey images."""
    return _profile(b"GRAY", {"wtpt": _xyz(0.9642, 1.0, 0.8249), "kTRC": _curve(gamma)})


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def _profile(space: bytes, tags: dict[str, bytes]) -> bytes:
    text = b"test\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67)
    tags = {"desc": described, "cprt": b"text\0\0\0\0" + text, **tags}
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name.encode(), start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sI4s4sQI12s4s44s", start + len(data), b"\0" * 4, 0x02100000, b"mntr", space, b"XYZ ",
        struct.pack(">6H", 2026, 1, 1, 0, 0, 0), b"acsp", b"\0" * 4, 0, b"\0" * 4, b"\0" * 4, 0, 0,
        struct.pack(">3i", 63190, 65536, 54061), b"\0" * 4, b"\0" * 44,
    )  # fmt: skip
    return header + table + data

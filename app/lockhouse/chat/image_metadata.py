"""What a picture's file holds besides the picture: where it was taken, by whom, an earlier state.

Such things have many places, and new ones come up. So the parts are named that show the picture;
every other part, and whatever lies behind the end, is left out. Formats: PNG (W3C, third edition),
JPEG (ITU-T T.81, JFIF 1.02), the WebP container (RFC 9649), GIF89a. The picture itself is copied
as it is, and nothing is decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from lockhouse.core.errors import InvalidInput

_PNG_PARTS = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB sBIT bKGD pHYs acTL fcTL fdAT".split()
)
_WEBP_PARTS = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"))
_WEBP_TELLS_OF = 0x20 | 0x08 | 0x04  # colours of a device, Exif, XMP: flags of a VP8X part
_GIF_APPLICATIONS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # how often it is played
_GIF_LOOP_BYTES = 19
_JPEG_TABLES = frozenset((0xDB, 0xC4, 0xDD))
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8}
_JFIF_BYTES = 14  # without a small picture, which may show what was cut off
_ORIENTATION = 0x0112
_SHORT = 3


def only_the_picture(data: bytes, media_type: str) -> bytes:
    """The file without anything besides the picture; the same bytes where there is nothing.

    How a photograph is to be turned is kept. Raises InvalidInput "damaged_picture" for a file
    that is not built as its kind should be: what is in it cannot be told.
    """
    try:
        return b"".join(_PARTS[media_type](data))
    except (IndexError, ValueError, struct.error) as error:
        raise InvalidInput(
            "The picture's file is not built as it should be.",
            hint="Open it in a program for pictures and save it anew.",
            code="damaged_picture",
        ) from error


def holds_more(data: bytes, media_type: str) -> bool:
    """Whether there is more in it than the picture, or it is not built as it should be."""
    try:
        return only_the_picture(data, media_type) != data
    except InvalidInput:
        return True


def _png(data: bytes) -> Iterator[bytes]:
    yield data[:8]
    at, name = 8, b""
    while name != b"IEND":
        size, name = struct.unpack_from(">I4s", data, at)
        if name == b"IEND" and size:  # holds nothing where it is what it says
            raise ValueError
        if name in _PNG_PARTS:
            yield _slice(data, at, 12 + size)
        at += 12 + size


def _jpeg(data: bytes) -> Iterator[bytes]:
    yield data[:2]
    at, turned = 2, 0
    while True:
        if data[at] != 0xFF:
            raise ValueError
        kind = data[at + 1]
        if kind == 0xFF:  # filling
            at += 1
            continue
        if kind == 0xD9:
            yield data[at : at + 2]
            return
        (size,) = struct.unpack_from(">H", data, at + 2)
        part = _slice(data, at, 2 + size)
        at += len(part)
        inside = part[4:]
        is_jfif = kind == 0xE0 and inside[:5] == b"JFIF\0" and len(inside) == _JFIF_BYTES
        is_adobe = kind == 0xEE and inside[:5] == b"Adobe" and len(inside) == 12
        if kind == 0xDA:
            end = _after_scan(data, at)
            yield part + data[at:end]
            at = end
        elif kind in _JPEG_TABLES or kind in _JPEG_FRAMES or is_jfif or is_adobe:
            yield part
        elif kind == 0xE1 and inside[:6] == b"Exif\0\0" and not turned:
            turned = _orientation(inside[6:])
            if turned > 1:
                yield _exif(turned)


def _after_scan(data: bytes, at: int) -> int:
    """Where the coded points end: at a marker that is none of their own."""
    while True:
        at = data.index(b"\xff", at)
        if data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
            at += 2
        elif data[at + 1] == 0xFF:
            at += 1
        else:
            return at


def _orientation(exif: bytes) -> int:
    """How it is to be turned, 1 to 8 (Exif 2.32, tag 0x0112); 1 where nothing is told."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        if order is None:
            return 1
        (at,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, at)
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", exif, at + 2 + 12 * number)
            if tag == _ORIENTATION and kind == _SHORT and 1 <= value <= 8:
                return int(value)
    except struct.error:
        pass
    return 1


def _exif(turned: int) -> bytes:
    """A part that tells how the picture is to be turned, and nothing else."""
    entry = struct.pack(">HHIHH", _ORIENTATION, _SHORT, 1, turned, 0)
    inside = b"Exif\0\0" + struct.pack(">2sHIH", b"MM", 42, 8, 1) + entry + bytes(4)
    return struct.pack(">HH", 0xFFE1, 2 + len(inside)) + inside


def _webp(data: bytes) -> Iterator[bytes]:
    (size,) = struct.unpack_from("<I", data, 4)
    end, parts, at = 8 + size, [], 12
    if end > len(data):
        raise ValueError
    while at < end:
        name, size = struct.unpack_from("<4sI", data, at)
        part = _slice(data, at, 8 + size + size % 2)
        at += len(part)
        if name == b"VP8X":
            part = part[:8] + bytes((part[8] & ~_WEBP_TELLS_OF,)) + part[9:]
        if name in _WEBP_PARTS:
            parts.append(part)
    whole = b"".join(parts)
    yield b"RIFF" + struct.pack("<I", 4 + len(whole)) + b"WEBP"
    yield whole


def _gif(data: bytes) -> Iterator[bytes]:
    at = 13 + _colours(data[10])
    yield _slice(data, 0, at)
    while data[at] != 0x3B:
        start, is_shown, is_loop = at, True, False
        if data[at] == 0x2C:
            at += 11 + _colours(data[at + 9])
        elif data[at] == 0x21:
            is_loop = data[at + 1] == 0xFF and data[at + 3 : at + 14] in _GIF_APPLICATIONS
            is_shown = data[at + 1] == 0xF9 or is_loop
            at += 2
        else:
            raise ValueError
        while data[at]:
            at += 1 + data[at]
        at += 1
        if is_shown and not (is_loop and at - start != _GIF_LOOP_BYTES):
            yield data[start:at]
    yield b"\x3b"


def _colours(packed: int) -> int:
    """How many bytes the colours take that follow."""
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def _slice(data: bytes, at: int, size: int) -> bytes:
    found = data[at : at + size]
    if len(found) != size:
        raise ValueError
    return found


_PARTS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
    "image/gif": _gif,
}

"""What a picture's file holds besides the picture: where it was taken, by whom, an earlier state.

Such things have many places, and new ones come up. So the parts are named that show the picture;
a file with any other part, or with something behind its end, holds more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_PNG_PARTS = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB sBIT bKGD pHYs acTL fcTL fdAT".split()
)
_WEBP_PARTS = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"))
_GIF_APPLICATIONS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # how often it is played
_JPEG_TABLES = frozenset((0xDB, 0xC4, 0xDD, 0xDA))
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8}
_JFIF_BYTES = 14  # without a small picture, which may show what was cut off


def holds_more(data: bytes, media_type: str) -> bool:
    """Whether there is more in it than the picture, or it is not built as it should be."""
    try:
        return not _ONLY_A_PICTURE[media_type](data)
    except (IndexError, ValueError):
        return True


def _is_plain_png(data: bytes) -> bool:
    at = 8
    while at < len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if name not in _PNG_PARTS:
            return False
        at += 12 + size
        if name == b"IEND":
            return at == len(data)
    return False


def _is_plain_jpeg(data: bytes) -> bool:
    at = 2
    while True:
        if data[at] != 0xFF:
            return False
        kind = data[at + 1]
        if kind == 0xD9:
            return at + 2 == len(data)
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        inside = data[at + 4 : at + 2 + size]
        is_jfif = kind == 0xE0 and inside[:5] == b"JFIF\0" and len(inside) == _JFIF_BYTES
        is_adobe = kind == 0xEE and inside[:5] == b"Adobe" and len(inside) == 12
        if not (kind in _JPEG_TABLES or kind in _JPEG_FRAMES or is_jfif or is_adobe):
            return False
        at += 2 + size
        if kind == 0xDA:
            at = _after_scan(data, at)


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


def _is_plain_webp(data: bytes) -> bool:
    if int.from_bytes(data[4:8], "little") + 8 != len(data):
        return False
    at = 12
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] not in _WEBP_PARTS:
            return False
        at += 8 + size + size % 2
    return at == len(data)


def _is_plain_gif(data: bytes) -> bool:
    at = 13 + _colours(data[10])
    while data[at] != 0x3B:
        if data[at] == 0x2C:
            at += 11 + _colours(data[at + 9])
        elif data[at] == 0x21 and data[at + 1] == 0xF9:
            at += 2
        elif data[at] == 0x21 and data[at + 1] == 0xFF:
            if data[at + 3 : at + 14] not in _GIF_APPLICATIONS:
                return False
            at += 2
        else:
            return False
        for size in _blocks(data, at):
            at += 1 + size
        at += 1
    return at + 1 == len(data)


def _colours(packed: int) -> int:
    """How many bytes the colours take that follow."""
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def _blocks(data: bytes, at: int) -> Iterator[int]:
    while data[at]:
        yield data[at]
        at += 1 + data[at]


_ONLY_A_PICTURE: dict[str, Callable[[bytes], bool]] = {
    "image/png": _is_plain_png,
    "image/jpeg": _is_plain_jpeg,
    "image/webp": _is_plain_webp,
    "image/gif": _is_plain_gif,
}

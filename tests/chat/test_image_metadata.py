"""What a picture's file holds besides the picture is taken out of it, and the picture stays."""

from __future__ import annotations

import struct
import zlib

import pytest

from lockhouse.chat.image_metadata import holds_more, only_the_picture
from lockhouse.core.errors import InvalidInput

SECRET = b"GPSLatitude 48.137"


def segment(kind: int, inside: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(inside) + 2) + inside


def chunk(name: bytes, inside: bytes = b"") -> bytes:
    sum_ = zlib.crc32(name + inside)
    return struct.pack(">I", len(inside)) + name + inside + struct.pack(">I", sum_)


def part(name: bytes, inside: bytes) -> bytes:
    return name + struct.pack("<I", len(inside)) + inside + bytes(len(inside) % 2)


def webp(*parts: bytes) -> bytes:
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def exif(order: str, turned: int) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    maker = struct.pack(order + "HHII", 0x010F, 2, len(SECRET), 38)
    turn = struct.pack(order + "HHIHH", 0x0112, 3, 1, turned, 0)
    head = struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", 2)
    return b"Exif\0\0" + mark + head + maker + turn + bytes(4) + SECRET


JPEG_HEAD = b"\xff\xd8" + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
JPEG_BODY = (
    segment(0xDB, bytes(65))
    + segment(0xC0, bytes(9))
    + segment(0xDA, bytes(6))
    + b"points \xff\0 and \xff\xd3 more"
    + b"\xff\xd9"
)
PNG = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"IDAT", b"..") + chunk(b"IEND")
GIF = b"GIF89a\1\0\1\0\x80\0\0" + bytes(6) + b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"
GIF += b"!\xf9\4\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0"
FILES = {
    "image/jpeg": JPEG_HEAD + JPEG_BODY,
    "image/png": PNG,
    "image/gif": GIF + b";",
    "image/webp": webp(part(b"VP8X", bytes(10)), part(b"VP8 ", b"odd")),
}


@pytest.mark.parametrize("media_type", FILES)
def test_a_plain_file_stays_as_it_is(media_type: str) -> None:
    data = FILES[media_type]
    assert only_the_picture(data, media_type) == data
    assert not holds_more(data, media_type)


@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        ("image/jpeg", JPEG_HEAD + segment(0xE1, exif(">", 1)) + JPEG_BODY),
        ("image/jpeg", JPEG_HEAD + segment(0xE2, b"MPF\0" + SECRET) + JPEG_BODY),
        ("image/jpeg", JPEG_HEAD + segment(0xFE, SECRET) + JPEG_BODY + b"a film" + SECRET),
        ("image/png", PNG[:-12] + chunk(b"eXIf", SECRET) + PNG[-12:] + SECRET),
        ("image/gif", GIF + b"!\xfe" + bytes([len(SECRET)]) + SECRET + b"\0;" + SECRET),
        ("image/webp", webp(part(b"VP8X", b"\x0c" + bytes(9)), part(b"VP8 ", b"odd"),
                            part(b"EXIF", SECRET), part(b"XMP ", SECRET)) + SECRET),
    ],
)  # fmt: skip
def test_everything_else_is_taken_out(media_type: str, data: bytes) -> None:
    assert holds_more(data, media_type)
    assert only_the_picture(data, media_type) == FILES[media_type]


@pytest.mark.parametrize("order", ["<", ">"])
def test_how_a_photograph_is_to_be_turned_is_kept(order: str) -> None:
    data = JPEG_HEAD + segment(0xE1, exif(order, 6)) + JPEG_BODY
    bare = only_the_picture(data, "image/jpeg")
    assert SECRET not in bare
    assert struct.pack(">HHIH", 0x0112, 3, 1, 6) in bare
    assert only_the_picture(bare, "image/jpeg") == bare


@pytest.mark.parametrize("media_type", FILES)
def test_a_file_that_is_cut_anywhere_is_refused_or_holds_nothing_more(media_type: str) -> None:
    data = FILES[media_type]
    for length in range(12, len(data)):
        assert holds_more(data[:length], media_type)
        with pytest.raises(InvalidInput, match="not built"):
            only_the_picture(data[:length], media_type)


def test_the_end_of_a_png_hides_nothing() -> None:
    with pytest.raises(InvalidInput):
        only_the_picture(PNG[:-12] + chunk(b"IEND", SECRET), "image/png")

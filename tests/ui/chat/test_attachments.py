"""Pictures that go along: what they carry besides themselves stays here."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from PySide6.QtGui import QColorSpace, QImage
from pytestqt.qtbot import QtBot

from lockhouse.core.errors import InvalidInput
from lockhouse.ui.chat.attachments import MAX_SIDE, from_clipboard, prepare_picture, read_picture

EXIF = b"Exif\0\0II*\0GPSLatitude 48.137"


def picture(width: int = 300, height: int = 200) -> QImage:
    made = QImage(width, height, QImage.Format.Format_RGB32)
    made.fill(0xFF54B4C0)
    return made


@pytest.fixture(autouse=True)
def application(qtbot: QtBot) -> None:
    """Qt's picture formats."""


@pytest.mark.parametrize(("suffix", "kind"), [("png", "png"), ("webp", "webp")])
def test_a_small_picture_goes_as_it_is(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"small.{suffix}"
    picture().save(str(path))
    ready = read_picture(path)
    assert ready.image.data == path.read_bytes()
    assert ready.image.media_type == f"image/{kind}"
    assert (ready.width, ready.height, ready.note) == (300, 200, "")


def test_where_it_was_taken_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    picture().save(str(path), quality=90)
    plain = path.read_bytes()
    length = (len(EXIF) + 2).to_bytes(2, "big")
    path.write_bytes(plain[:2] + b"\xff\xe1" + length + EXIF + plain[2:])
    ready = read_picture(path)
    assert b"GPSLatitude" not in ready.image.data
    assert "metadata removed" in ready.note


def test_texts_in_a_png_are_left_out(tmp_path: Path) -> None:
    made = picture()
    made.setText("Author", "somebody")
    made.save(str(tmp_path / "noted.png"))
    ready = read_picture(tmp_path / "noted.png")
    assert b"somebody" not in ready.image.data
    assert "metadata removed" in ready.note


PIXEL = (
    b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0"
    b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    b"!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
)


def saved(tmp_path: Path, suffix: str) -> bytes:
    path = tmp_path / f"plain.{suffix}"
    picture().save(str(path), quality=90)
    return path.read_bytes()


def segment(kind: int, inside: bytes) -> bytes:
    return bytes([0xFF, kind]) + (len(inside) + 2).to_bytes(2, "big") + inside


def chunk(name: bytes, inside: bytes) -> bytes:
    sum_ = zlib.crc32(name + inside).to_bytes(4, "big")
    return len(inside).to_bytes(4, "big") + name + inside + sum_


def test_a_photo_without_anything_goes_as_it_is(tmp_path: Path) -> None:
    plain = saved(tmp_path, "jpg")
    assert prepare_picture(plain, "plain.jpg").image.data == plain
    moving = PIXEL + b";"
    assert prepare_picture(moving, "moving.gif").image.data == moving


def test_whatever_a_file_holds_besides_its_picture_is_left_out(tmp_path: Path) -> None:
    jpeg, png, webp = (saved(tmp_path, suffix) for suffix in ("jpg", "png", "webp"))
    secret = b"GPSLatitude 48.137"
    for kind, data in {
        "a film behind a photo": jpeg + b"ftypmp42" + secret,
        "who made it": jpeg[:2] + segment(0xEB, b"JP\0\x01jumb" + secret) + jpeg[2:],
        "a second picture": jpeg[:2] + segment(0xE2, b"MPF\0" + secret) + jpeg[2:],
        "a small one of before the cut": jpeg[:2] + segment(0xE0, b"JFXX\0" + secret) + jpeg[2:],
        "a comment": jpeg[:2] + segment(0xFE, secret) + jpeg[2:],
        "a chunk of somebody's own": png[:-12] + chunk(b"prVt", secret) + png[-12:],
        "something behind a PNG": png + secret,
        "a part of somebody's own": _webp_with(webp, b"MINE", secret + b"\0\0"),
        "a comment in a GIF": PIXEL + b"!\xfe" + bytes([len(secret)]) + secret + b"\0;",
        "what an editor wrote into a GIF": PIXEL
        + b"!\xff\x0bXMP DataXMP"
        + bytes([len(secret)])
        + secret
        + b"\0;",
        "something behind a GIF": PIXEL + b";" + secret,
    }.items():
        ready = prepare_picture(data, kind)
        assert secret not in ready.image.data, kind
        assert "metadata removed" in ready.note, kind


def _webp_with(webp: bytes, name: bytes, inside: bytes) -> bytes:
    body = webp[8:] + name + len(inside).to_bytes(4, "little") + inside
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def test_the_name_of_a_screen_is_left_out(tmp_path: Path) -> None:
    made = picture()
    made.setColorSpace(QColorSpace(QColorSpace.NamedColorSpace.DisplayP3))
    made.save(str(tmp_path / "screen.png"))
    assert b"iCCP" in (tmp_path / "screen.png").read_bytes()
    assert b"iCCP" not in read_picture(tmp_path / "screen.png").image.data


def test_a_large_one_is_scaled_down_and_says_so(tmp_path: Path) -> None:
    picture(4000, 1000).save(str(tmp_path / "wide.png"))
    ready = read_picture(tmp_path / "wide.png")
    assert (ready.width, ready.height) == (MAX_SIDE, MAX_SIDE // 4)
    assert "4000 × 1000" in ready.words


def test_what_is_pasted_is_a_picture_too() -> None:
    ready = from_clipboard(picture())
    assert ready.image.media_type == "image/png"
    assert not QImage.fromData(ready.image.data).isNull()


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_picture_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"notes\.png"):
        prepare_picture(data, "notes.png")

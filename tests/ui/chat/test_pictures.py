"""Pictures that go along: what they carry besides themselves stays here."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from lockhouse.core.errors import InvalidInput
from lockhouse.ui.chat.pictures import MAX_SIDE, from_clipboard, make_ready, read_picture

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
    assert "left out" in ready.note


def test_texts_in_a_png_are_left_out(tmp_path: Path) -> None:
    made = picture()
    made.setText("Author", "somebody")
    made.save(str(tmp_path / "noted.png"))
    ready = read_picture(tmp_path / "noted.png")
    assert b"somebody" not in ready.image.data
    assert "left out" in ready.note


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
        make_ready(data, "notes.png")

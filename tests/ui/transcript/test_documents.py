"""Blocks as documents: what grew piece by piece is what is filled at once, and reads back."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from lockhouse.ui.markdown import MarkdownStream, parse
from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript.block_document import BlockDocument
from lockhouse.ui.transcript.styles import Styles

TABLE = """| name | what | size |
|---|:-:|--:|
| `a` | **bold** `b` | 1 |
| c | | 20 |
| `d` | `e` | 3 |"""
CODE = "```python\ndef f(x: int) -> str:\n    return 'a' # why\n\nprint(f(1))\n```\n"
LIST = "- one `code`\n- [x] two\n  1. three\n  2. four\n"


@pytest.fixture
def styles(theme: Theme) -> Styles:
    return Styles(theme)


def picture(document: BlockDocument) -> QImage:
    height = int(document.set_width(600)) + 2
    image = QImage(600, height, QImage.Format.Format_RGB32)
    image.fill(0xFFFFFF)
    painter = QPainter(image)
    document.paint(painter, QRectF(0, 0, 600, height))
    painter.end()
    return image


@pytest.mark.parametrize("text", [TABLE, CODE, LIST], ids=["table", "code", "list"])
@pytest.mark.parametrize("step", [1, 5, 17])
def test_what_grew_looks_like_what_is_shown_at_once(text: str, step: int, styles: Styles) -> None:
    grown, fresh = BlockDocument(), BlockDocument()
    stream = MarkdownStream()
    for start in range(0, len(text), step):
        stream.feed(text[start : start + step])
        for block in stream.blocks()[:1]:
            grown.show(block, styles)
    (block,) = stream.finish()
    grown.show(block, styles)
    grown.highlight()
    fresh.show(parse(text)[0], styles)
    assert grown.raw_text() == fresh.raw_text()
    assert picture(grown) == picture(fresh)


def test_parts_of_a_document_read_back_as_plain_text(styles: Styles) -> None:
    document = BlockDocument()
    document.show(parse(LIST)[0], styles)
    assert document.text(0, document.length()) == "• one code\n☑ two\n  1. three\n  2. four"
    at = document.raw_text().index("two")
    assert document.text(at + 1, document.length()) == "wo\n  1. three\n  2. four"
    table = BlockDocument()
    table.show(parse(TABLE)[0], styles)
    whole = table.text(0, table.length())
    assert whole.split("\n")[1] == "a\tbold b\t1"


def drawn(image: QImage, left: int, right: int) -> int:
    """How many points between two columns are not white."""
    return sum(
        image.pixel(x, y) & 0xFFFFFF != 0xFFFFFF
        for x in range(left, right)
        for y in range(image.height())
    )


def test_items_of_lists_begin_at_the_side_where_their_script_begins(styles: Styles) -> None:
    for text, is_mirrored in (("- one\n- [x] two\n1. three", False), ("- مرحبا\n- ثانيا", True)):
        document = BlockDocument()
        document.show(parse(text)[0], styles)
        image = picture(document)
        assert (drawn(image, 0, 15) > 0) != is_mirrored
        assert (drawn(image, 585, 600) > 0) == is_mirrored


WIDE = "| name | " + " | ".join(f"column_number_{n}" for n in range(6)) + " |\n"
WIDE += "|" + "---|" * 7 + "\n| x | " + " | ".join("some words here" for _ in range(6)) + " |"


def test_a_table_is_as_wide_as_its_words(styles: Styles) -> None:
    document = BlockDocument()
    document.show(parse(WIDE)[0], styles)
    assert document.set_width(2000) == document.set_width(1990)
    assert document.ideal_width() == 1990
    document.set_width(300)
    assert document.ideal_width() > 600
    for number in range(6):
        start = document.raw_text().index(f"column_number_{number}")
        word = [document.rect_of(at).top() for at in range(start, start + 15)]
        assert len(set(word)) == 1, "a word is broken"
    document.show(parse(TABLE)[0], styles)
    document.set_width(300)
    assert document.ideal_width() == 300

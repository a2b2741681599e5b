"""A body as text: whatever is in it, it is shown whole and at once, and copied as it is sent."""

from __future__ import annotations

import json
import random

import pytest
from PySide6.QtGui import QTextBlock
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from lockhouse.ui.outbound.body_view import BodyView
from lockhouse.ui.theme import Theme


def body_of(**value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


BODY = body_of(
    model="large",
    messages=[
        {"role": "system", "content": "Answer in plain English."},
        {"role": "user", "content": 'One\nTwo "quoted" \\n Grüße 🏔️ \u202e'},
    ],
    max_tokens=600,
    stream=True,
)


@pytest.fixture
def view(qtbot: QtBot, theme: Theme) -> BodyView:
    made = BodyView(theme)
    qtbot.addWidget(made)
    made.resize(700, 400)
    made.show()
    qtbot.waitExposed(made)
    return made


def lines(view: BodyView) -> list[str]:
    return view.toPlainText().split("\n")


def coloured(view: BodyView, colour: str) -> list[str]:
    """What is shown in a colour of the theme, as far as it is in sight."""
    view.viewport().repaint()
    ink = view._theme.color(colour)
    found: list[str] = []
    block = view.document().begin()
    while block.isValid():
        units = block.text().encode("utf-16-le")
        for piece in block.layout().formats():
            if piece.format.foreground().color() == ink:
                part = units[2 * piece.start : 2 * (piece.start + piece.length)]
                found.append(part.decode("utf-16-le"))
        block = block.next()
    return found


def test_lines_end_where_messages_and_typed_lines_do(view: BodyView) -> None:
    view.show_body(BODY)
    shown = lines(view)
    assert shown[0] == '{"model":"large","messages":['
    assert shown[1].startswith('{"role":"system"')
    assert shown[2].endswith("One\\n")
    assert shown[3].startswith('Two \\"quoted\\" \\\\n Gr')  # that backslash was typed


def test_keys_texts_and_figures_have_colours_of_their_own(view: BodyView) -> None:
    view.show_body(BODY)
    assert '"messages"' in coloured(view, "syn-function")
    assert '"large"' in coloured(view, "syn-string")
    assert coloured(view, "syn-number") == ["600"]
    assert coloured(view, "syn-keyword") == ["true"]
    assert coloured(view, "syn-string")[-1].endswith('🏔️ \ufffd"')  # right behind a mountain, too


def test_the_system_prompt_is_marked_in_each_dialect(view: BodyView) -> None:
    for body in (
        BODY,
        body_of(system="Answer in plain English.", messages=[]),
        body_of(systemInstruction={"parts": [{"text": "Answer in plain English."}]}),
    ):
        view.show_body(body)
        assert view.has_instructions
        assert coloured(view, "warning") == ['"Answer in plain English."']


def test_what_a_person_wrote_is_never_taken_for_a_system_prompt(view: BodyView) -> None:
    view.show_body(body_of(messages=[{"role": "user", "content": '"role":"system","content":"x"'}]))
    assert not view.has_instructions
    assert coloured(view, "warning") == []


@pytest.mark.parametrize(
    "sign", ["\U000e0041", "\u3164", "\u115f", "\u180e", "\u206a", "\ufe0f", "\u2028", "\ufdd0"]
)
def test_an_invisible_character_is_shown_and_copied_as_it_is(view: BodyView, sign: str) -> None:
    body = body_of(messages=[{"role": "user", "content": f"Hello{sign} there"}])
    view.show_body(body)
    assert view.invisible == 1
    assert sign not in view.toPlainText()
    assert "\ufffd" in view.toPlainText()
    view.selectAll()
    view.copy()
    assert QApplication.clipboard().text().encode() == body


@pytest.mark.parametrize("seed", range(20))
def test_any_body_is_shown_whole_and_any_part_of_it_copied(view: BodyView, seed: int) -> None:
    dice = random.Random(seed)
    signs = 'ab"\\\n \t{}[],:é🏔\u200b\U000e00411-'
    words = "".join(dice.choice(signs) for _ in range(dice.randrange(9000)))
    body = body_of(messages=[{"role": "user", "content": words}], n=-1.5e9, ok=None)
    view.show_body(body)
    text = body.decode()
    assert view.text == text
    visible = [one for one in text if one not in "\u200b\U000e0041"]
    assert [one for one in view.toPlainText() if one not in "\n\ufffd"] == visible
    cursor = view.textCursor()
    needle = text[len(text) // 3 : len(text) // 2]
    start = len(text[: len(text) // 3].encode("utf-16-le")) // 2
    cursor.setPosition(place(view, start))
    end = start + len(needle.encode("utf-16-le")) // 2
    cursor.setPosition(place(view, end), cursor.MoveMode.KeepAnchor)
    view.setTextCursor(cursor)
    assert view.selected_text() == needle


def place(view: BodyView, units: int) -> int:
    """Where in the document a place of the body is."""
    block = view.document().begin()
    while block.position() - block.blockNumber() + block.length() - 1 < units:
        block = block.next()
    return units + block.blockNumber()


def test_what_is_not_utf8_is_shown_and_what_is_empty_is_empty(view: BodyView) -> None:
    view.show_body(b'{"a":"\xff"}')
    assert "\\xff" in view.text
    view.show_body(b"")
    assert view.toPlainText() == ""


def test_a_copy_has_none_of_the_line_breaks_of_the_view(view: BodyView) -> None:
    view.show_body(BODY)
    view.selectAll()
    view.copy()
    assert QApplication.clipboard().text().encode() == BODY
    view.copy_all()
    assert QApplication.clipboard().text().encode() == BODY


def test_only_what_is_in_sight_of_a_megabyte_is_laid_out_and_coloured(view: BodyView) -> None:
    view.show_body(body_of(messages=[{"role": "user", "content": "word " * 200_000}]))
    view.viewport().repaint()

    def count(is_done: object) -> int:
        block, done = view.document().begin(), 0
        while block.isValid():
            done += bool(is_done(block))  # type: ignore[operator]
            block = block.next()
        return done

    def is_laid_out(block: QTextBlock) -> bool:
        return block.layout().lineCount() > 1

    blocks = view.document().blockCount()
    assert blocks > 100
    assert 0 < count(is_laid_out) < blocks / 2
    assert 0 < count(lambda block: block.layout().formats()) < blocks / 2
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum())
    assert coloured(view, "syn-string")[-1].endswith('word "')

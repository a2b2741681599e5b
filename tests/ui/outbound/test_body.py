"""A body as it can be read: nothing is changed, whatever is in it, and it is shown at once."""

from __future__ import annotations

import json
import random

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from lockhouse.ui.outbound.body import BodyText
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


def told(text: BodyText, columns: int = 80) -> list[str]:
    return [text.text[start:end] for start, end in text.pieces(columns)]


def test_the_pieces_are_the_text_and_end_where_lines_and_messages_do() -> None:
    text = BodyText(BODY)
    pieces = told(text)
    assert "".join(pieces).encode() == BODY
    assert pieces[0] == '{"model":"large","messages":['
    assert pieces[1].startswith('{"role":"system"')
    assert pieces[2].endswith("One\\n")
    assert pieces[3].startswith('Two \\"quoted\\" \\\\n Gr')  # that backslash was typed


def test_instructions_are_found_in_each_dialect() -> None:
    for body in (
        BODY,
        body_of(system="Answer in plain English.", messages=[]),
        body_of(systemInstruction={"parts": [{"text": "Answer in plain English."}]}),
    ):
        text = BodyText(body)
        found = [text.text[start:end] for start, end in text.instructions]
        assert found == ["Answer in plain English."]


def test_what_a_person_wrote_is_never_taken_for_instructions() -> None:
    text = BodyText(
        body_of(messages=[{"role": "user", "content": '"role":"system","content":"x"'}])
    )
    assert text.instructions == ()


@pytest.mark.parametrize("sign", ["\U000e0041", "\u3164", "\u115f", "\u180e", "\u206a", "\ufe0f"])
def test_whatever_cannot_be_seen_is_shown(sign: str) -> None:
    text = BodyText(body_of(messages=[{"role": "user", "content": f"Hello{sign}"}]))
    assert text.unseen == 1
    assert sign not in text.shown


def test_characters_that_cannot_be_seen_are_shown_and_counted() -> None:
    text = BodyText(BODY)
    assert text.unseen == 1
    assert "\u202e" not in text.shown
    assert len(text.shown) == len(text.text)


@pytest.mark.parametrize("seed", range(20))
def test_any_body_is_shown_whole(seed: int) -> None:
    dice = random.Random(seed)
    signs = 'ab"\\\n \t{}[],:é🏔\u200b1-'
    words = "".join(dice.choice(signs) for _ in range(dice.randrange(3000)))
    body = body_of(messages=[{"role": "user", "content": words}], n=-1.5e9, ok=None)
    text = BodyText(body)
    assert "".join(told(text, dice.randrange(1, 120))).encode() == body
    for start, end in text.pieces(40):
        assert all(start <= token.start < token.end <= end for token in text.tokens_in(start, end))


def test_what_is_not_utf8_is_shown_and_what_is_empty_is_empty() -> None:
    assert "\\xff" in BodyText(b'{"a":"\xff"}').text
    assert told(BodyText(b"")) == [""]


def test_a_copy_has_none_of_the_line_ends_that_were_put_in(qtbot: QtBot, theme: Theme) -> None:
    view = BodyView(theme)
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.show()
    view.show_body(BODY)
    view.selectAll()
    view.copy()
    assert QApplication.clipboard().text().encode() == BODY
    view.copy_all()
    assert QApplication.clipboard().text().encode() == BODY
    start = view.body.text.index("Grüße")
    cursor = view.document().find("Gr")
    cursor.setPosition(cursor.selectionStart())
    cursor.setPosition(cursor.position() + 8, cursor.MoveMode.KeepAnchor)  # 🏔 counts twice
    view.setTextCursor(cursor)
    assert view.chosen_text() == view.body.text[start : start + 7]


def test_a_megabyte_is_laid_out_where_it_is_seen_only(qtbot: QtBot, theme: Theme) -> None:
    view = BodyView(theme)
    qtbot.addWidget(view)
    view.resize(700, 400)
    view.show()
    view.show_body(body_of(messages=[{"role": "user", "content": "word " * 200_000}]))
    qtbot.waitExposed(view)
    view.viewport().repaint()
    document = view.document()
    laid_out = 0
    block = document.begin()
    while block.isValid():
        laid_out += block.layout().lineCount() > 1
        block = block.next()
    assert document.blockCount() > 100
    assert 0 < laid_out < document.blockCount() / 2

"""What a reader sees of the transcript and does with it."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from lockhouse.ui.transcript import TranscriptMessage, TranscriptView
from lockhouse.ui.transcript.card import MessageCard
from lockhouse.ui.transcript.parts import TextPart


def user(message_id: str, text: str) -> TranscriptMessage:
    return TranscriptMessage(id=message_id, role="user", text=text)


def answer(message_id: str, text: str, **more: object) -> TranscriptMessage:
    made = TranscriptMessage(id=message_id, role="assistant", text=text, header_name="Model")
    return replace(made, **more)  # type: ignore[arg-type]


def many(count: int) -> list[TranscriptMessage]:
    return [
        user(f"m{i}", f"question {i}")
        if i % 2 == 0
        else answer(f"m{i}", f"Answer number {i}.\n\n- one\n- two\n\nThe end of answer {i}.")
        for i in range(count)
    ]


def cards(view: TranscriptView) -> list[MessageCard]:
    found = [c for c in view.viewport().findChildren(MessageCard) if not c.isHidden()]
    return sorted(found, key=lambda card: card.y())


def card_of(view: TranscriptView, message_id: str) -> MessageCard:
    return next(c for c in cards(view) if c.item is not None and c.item.message.id == message_id)


def leaf_with(view: TranscriptView, text: str) -> TextPart:
    return next(
        part
        for part in view.viewport().findChildren(TextPart)
        if part.isVisible() and text in part.content.raw_text()
    )


def button(root: QWidget, name: str) -> QAbstractButton:
    found = root.findChild(QAbstractButton, name)
    assert isinstance(found, QAbstractButton)
    return found


def drag(view: TranscriptView, start: tuple[TextPart, int], end: tuple[TextPart, int]) -> None:
    """Press at one character, move to another, release: with real mouse events."""
    places = []
    for part, position in (start, end):
        box = part.content.rect_of(position)
        places.append(
            part.mapTo(view.viewport(), QPoint(int(box.left()) + 1, int(box.center().y())))
        )
    first = view.viewport().childAt(places[0])
    assert first is not None
    QTest.mousePress(
        first, Qt.MouseButton.LeftButton, pos=first.mapFrom(view.viewport(), places[0])
    )
    for place in places:
        QTest.mouseMove(first, first.mapFrom(view.viewport(), place))
    QTest.mouseRelease(
        first, Qt.MouseButton.LeftButton, pos=first.mapFrom(view.viewport(), places[1])
    )


def stream(view: TranscriptView, qtbot: QtBot, message_id: str, text: str, shown: str) -> None:
    for start in range(0, len(text), 7):
        view.feed(message_id, text=text[start : start + 7])
    qtbot.waitUntil(lambda: any(shown in p.content.raw_text() for p in view.findChildren(TextPart)))


def visible_leaves(view: TranscriptView, message_id: str) -> list[TextPart]:
    return list(card_of(view, message_id).leaves().values())

"""Random readers: whatever is done in whatever order, the view stays a gapless column of cards."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript import TranscriptMessage, TranscriptView
from lockhouse.ui.transcript.card import MessageCard

PIECES = (
    "plain words ", "**bold** ", "`code` ", "\n\n", "\n- item", "\n1. first\n", "\n```py\nx = 1\n",
    "```\n", "\n| a | b |\n|---|---|\n| 1 | 2 |\n", "\n> quote\n", "# Title\n", "$x^2$ ",
    "word " * 60,
)  # fmt: skip


class Reader:
    """Does one random thing after the other to a view, and knows what must be in it."""

    def __init__(self, view: TranscriptView, theme: Theme, seed: int) -> None:
        self.view = view
        self.theme = theme
        self.random = random.Random(seed)
        self.known: list[TranscriptMessage] = []
        self.live: TranscriptMessage | None = None
        self.count = 0

    def step(self) -> None:
        self.random.choice(
            (
                self.add, self.add, self.stream, self.stream, self.stream, self.end, self.scroll,
                self.scroll, self.resize, self.remove, self.truncate, self.edit, self.find,
                self.select, self.dress, self.walk, self.replace,
            )
        )()  # fmt: skip

    def text(self) -> str:
        return "".join(self.random.choices(PIECES, k=self.random.randint(1, 9)))

    def add(self) -> None:
        self.end()
        self.count += 1
        role = self.random.choice(("user", "assistant"))
        status = self.random.choice(("complete", "cut", "cancelled", "failed"))
        made = TranscriptMessage(
            id=f"m{self.count}", role=role, text=self.text(), status=status, reasoning="hm"
        )  # type: ignore[arg-type]
        self.known.append(made)
        self.view.append_message(made)

    def stream(self) -> None:
        if self.live is None:
            self.count += 1
            self.live = TranscriptMessage(id=f"m{self.count}", role="assistant", status="streaming")
            self.known.append(self.live)
            self.view.begin_stream(self.live)
            self.view.set_progress(self.live.id, "prompt", 1, 2)
        text = self.text()
        self.live = replace(self.live, text=self.live.text + text)
        self.known[-1] = self.live
        self.view.feed(self.live.id, text=text, reasoning=self.random.choice(("", "hm. ")))

    def end(self) -> None:
        if self.live is not None:
            self.live = replace(self.live, status="complete")
            self.known[-1] = self.live
            self.view.end_stream(self.live)
            self.live = None

    def scroll(self) -> None:
        bar = self.view.verticalScrollBar()
        bar.setValue(self.random.randint(0, max(1, bar.maximum())))

    def resize(self) -> None:
        self.view.resize(self.random.randint(300, 1100), self.random.randint(200, 800))

    def remove(self) -> None:
        if self.known and self.live is None:
            gone = self.known.pop(self.random.randrange(len(self.known)))
            self.view.remove_message(gone.id)

    def truncate(self) -> None:
        if len(self.known) > 12 and self.live is None:
            del self.known[8:]
            self.view.truncate_after(self.known[-1].id)

    def edit(self) -> None:
        shown = [card for card in cards(self.view) if card.item is not None]
        if shown and self.live is None:
            self.random.choice(shown).action.emit("edit")

    def find(self) -> None:
        self.view.find(self.random.choice(("word", "item", "nothing at all", "")))
        self.view.find_next()

    def select(self) -> None:
        for place in (QPoint(450, 20), QPoint(500, 150)):
            at = self.view.viewport().childAt(place) or self.view.viewport()
            QTest.mousePress(at, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier)
            QTest.mouseRelease(at, Qt.MouseButton.LeftButton)
        assert isinstance(self.view.selected_text(), str)
        menu = QApplication.activePopupWidget()
        if menu is not None:
            menu.close()

    def dress(self) -> None:
        self.theme.set_choice(self.random.choice(("light", "dark")))
        self.theme.set_scale(self.random.choice((1.0, 1.25)))

    def walk(self) -> None:
        QTest.keyClick(self.view, self.random.choice((Qt.Key.Key_Up, Qt.Key.Key_Down)))

    def replace(self) -> None:
        if self.known and self.live is None:
            at = self.random.randrange(len(self.known))
            self.known[at] = replace(self.known[at], text=self.text())
            self.view.update_message(self.known[at])


def cards(view: TranscriptView) -> list[MessageCard]:
    found = [card for card in view.viewport().findChildren(MessageCard) if not card.isHidden()]
    on_screen = [c for c in found if c.y() + c.height() > 0 and c.y() < view.viewport().height()]
    return sorted(on_screen, key=lambda card: card.y())


@pytest.mark.qt_log_ignore("This plugin does not support")
@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_actions_leaves_a_gapless_column(
    theme: Theme, qtbot: QtBot, seed: int
) -> None:
    view = TranscriptView(theme)
    qtbot.addWidget(view)
    view.resize(900, 600)
    view.show()
    reader = Reader(view, theme, seed)
    for number in range(120):
        reader.step()
        if number % 5:
            continue
        QTest.qWait(20)  # let frames and the work ahead happen
        assert [m.id for m in view.messages()] == [m.id for m in reader.known]
        shown = cards(view)
        if not shown:
            assert not reader.known
            continue
        for above, below in itertools.pairwise(shown):
            assert abs(above.y() + above.height() - below.y()) <= 1
        order = [m.id for m in reader.known]
        rows = [order.index(card.item.message.id) for card in shown if card.item is not None]
        assert rows == list(range(rows[0], rows[0] + len(rows)))
    reader.end()
    view.jump_to_latest()
    QTest.qWait(40)
    if reader.known:
        last = view._board.items[-1]
        assert last.text() == reader.known[-1].text

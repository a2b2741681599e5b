"""The sentence at the top of the page: sealed or open, by whom, since when, and what left."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from lockhouse.gate.records import Session
from lockhouse.seal import SealLevel
from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.gate import words
from lockhouse.ui.gate.values import Told
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme, repolish

_TILE = 48
_EXACT_BELOW = 1000
_WHO = {"window": "by you", "command": "by a command"}
_ENFORCED: dict[SealLevel, str] = {
    "kernel": "The kernel enforces it.",
    "python": "This system has no kernel seal: the program refuses connections itself, native code "
    "is not held back.",
    "none": "This window was started in a way that did not seal it: start it with the command "
    "lockhouse.",
}
_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Sentence(NamedTuple):
    """What the banner says."""

    title: str
    below: str
    is_closed: bool


def sentence(view: NetworkView, told: Told, level: SealLevel, now: dt.datetime) -> Sentence:
    """How it stands, as a person would say it."""
    if view.way == "open":
        return Sentence(f"Open to {view.place}.", _open_words(view, told, now), is_closed=False)
    if view.way == "start_anew":
        return Sentence(
            "Sealed. The door opens with the next start.",
            f"You opened it to {view.place} {words.clock(view.since, now)}. This window was "
            "started sealed and stays so: quit Lockhouse and start it again.",
            level != "none",
        )
    if view.way == "broker_gone":
        return Sentence(
            "Nothing can leave: the broker has ended.",
            "The process that held every connection is gone. Start Lockhouse again to use the "
            f"door to {view.place}.",
            level != "none",
        )
    if view.way == "damaged":
        return Sentence(
            "Sealed, because the state of the network cannot be read.",
            f"{view.explanation} Seal it to write the file anew.",
            level != "none",
        )
    return Sentence(_TITLES[level], _sealed_words(told, level, now), level != "none")


_TITLES: dict[SealLevel, str] = {
    "kernel": "Sealed. Nothing can leave this machine.",
    "python": "Sealed by the program only.",
    "none": "This window is not sealed.",
}


def _sealed_words(told: Told, level: SealLevel, now: dt.datetime) -> str:
    changed = told.changed
    if changed is not None and changed.kind == "sealed":
        who = _WHO.get(changed.purpose, "")
        since = f"Sealed {who} {words.clock(changed.at, now)}.".replace("  ", " ")
    else:
        since = "Sealed since the start." if changed is not None else "It was never opened."
    return " ".join(part for part in (since, _moved(told.session), _ENFORCED[level]) if part)


def _open_words(view: NetworkView, told: Told, now: dt.datetime) -> str:
    changed = told.changed
    who = _WHO.get(changed.purpose, "") if changed and changed.kind == "unsealed" else ""
    opened = f"Opened {who} {words.clock(view.since, now)}, until you seal it."
    left = f"{_bytes(view.bytes_out)} have left in this session."
    if not view.bytes_out:
        left = "Nothing has left in this session."
    only = "Only the broker can reach it; all else stays sealed."
    return f"{opened} {left} {only}".replace("  ", " ")


def _moved(session: Session | None) -> str:
    """What left in this session before it was sealed."""
    if session is None:
        return ""
    refused = ""
    if session.refused:
        count = session.refused
        number = _COUNTS[count] if count < len(_COUNTS) else f"{count:,}"
        refused = f"{number} {'attempt was' if count == 1 else 'attempts were'} refused"
    if session.bytes_out:
        more = len(session.hosts) - 1
        host = session.hosts[0].removesuffix(":443") + (f" and {more} more" if more else "")
        left = f"Before that {_bytes(session.bytes_out)} went to {host} in this session"
        return f"{left}, and {refused}." if refused else f"{left}."
    if refused:
        return f"{refused[0].upper()}{refused[1:]} in this session."
    return "Nothing has left in this session."


def _bytes(count: int) -> str:
    return formatting.counted(count, "byte") if count < _EXACT_BELOW else formatting.size(count)


class GateBanner(QFrame):
    """A tile with the lock, the sentence, and the buttons."""

    open_wanted = Signal()
    seal_wanted = Signal()
    quit_wanted = Signal()

    def __init__(self, theme: Theme, level: SealLevel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._level = level
        px = theme.px
        self.setObjectName("gate_banner")
        self.setProperty("line", "bottom")
        self._tile = _Tile(theme)
        self._title = label("", role="title", wrap=True, name="gate_title")
        self._below = label("", ink="2", wrap=True, name="gate_below")
        text = QVBoxLayout()
        text.setSpacing(px(2))
        text.addStretch(1)
        text.addWidget(self._title)
        text.addWidget(self._below)
        text.addStretch(1)
        self._open = push_button(theme, "Open a door…", name="gate_open", icon="lock-open")
        self._open.clicked.connect(self.open_wanted)
        self._change = push_button(theme, "Change…", name="gate_change")
        self._change.clicked.connect(self.open_wanted)
        self._quit = push_button(theme, "Quit Lockhouse", name="gate_quit", icon="power")
        self._quit.clicked.connect(self.quit_wanted)
        self._seal = push_button(theme, "Seal now", name="gate_seal", kind="primary", icon="lock")
        self._seal.clicked.connect(self.seal_wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(px(16), px(16), px(16), px(16))
        row.setSpacing(px(16))
        row.addWidget(self._tile, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addLayout(text, 1)
        for button in (self._open, self._change, self._quit, self._seal):
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
        self._view, self._told = NetworkView(), Told()
        self._show()

    def show_network(self, view: NetworkView) -> None:
        """Another state of the door."""
        self._view = view
        self._show()

    def show_told(self, told: Told) -> None:
        """What was."""
        self._told = told
        self._show()

    def _show(self) -> None:
        said = sentence(self._view, self._told, self._level, formatting.local_now())
        is_open = self._view.is_open
        self._title.setText(said.title)
        self._below.setText(said.below)
        self.setAccessibleName(f"{said.title} {said.below}")
        tone = "warning-tint" if is_open or not said.is_closed else "accent-tint"
        if self.property("tone") != tone:
            self.setProperty("tone", tone)
            repolish(self)
        self._tile.show_closed(closed=said.is_closed and not is_open)
        listed = bool(self._view.hosts) or self._view.way == "damaged"
        self._open.setVisible(not listed)
        self._change.setVisible(listed and self._view.way != "damaged")
        self._seal.setVisible(listed)
        anew = self._view.way in ("start_anew", "broker_gone")
        self._quit.setVisible(anew)
        kind = "primary" if is_open else ""
        if self._seal.property("kind") != kind:
            self._seal.setProperty("kind", kind)
            role = "on-accent" if kind else "text-1"
            self._theme.bind_icon(self._seal, "lock", role=role)
            repolish(self._seal)


class _Tile(QWidget):
    """The lock on its ground; says nothing that the sentence does not."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._closed = True
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def show_closed(self, *, closed: bool) -> None:
        """Closed or open."""
        self._closed = closed
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(_TILE), self._theme.px(_TILE))

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent" if self._closed else "warning"))
        painter.drawRoundedRect(QRectF(self.rect()), px(10), px(10))
        icon = theme.pixmap(
            "lock" if self._closed else "lock-open",
            24,
            "on-accent" if self._closed else "bg-2",
            ratio=self.devicePixelRatioF(),
        )
        place = (self.width() - px(24)) // 2
        painter.drawPixmap(place, (self.height() - px(24)) // 2, icon)

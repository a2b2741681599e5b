"""The banner at the top of the page: sealed or not, by whom, since when, and what was sent."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QWidget

from lockhouse import processes
from lockhouse.gate.network import ends_with_process
from lockhouse.gate.records import Session
from lockhouse.seal import SealLevel
from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import IconTile, label, push_button
from lockhouse.ui.gate.records_model import Activity
from lockhouse.ui.layouts import MIDDLE, STRETCH, column, row
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme, repolish

_EXACT_BELOW = 1000
_TILE_FROM = 640  # of the banner; in a narrower one the buttons need the room
_WHO = {"window": "by you", "command": "by a command"}
_TITLES: dict[SealLevel, str] = {
    "kernel": "Sealed. Nothing can leave this machine.",
    "python": "Sealed by the program only.",
    "none": "This window is not sealed.",
}
_ENFORCED: dict[SealLevel, str] = {
    "kernel": "Enforced by the kernel.",
    "python": "This system offers no kernel seal: the program refuses connections itself, but "
    "native code is not held back.",
    "none": "It was started in a way that did not seal it: start it with the command lockhouse.",
}


def restart_words() -> str:
    """What the button does that lets network access begin."""
    return "Restart Lockhouse" if processes.can_restart() else "Quit Lockhouse"


_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Sentence(NamedTuple):
    """What the banner says."""

    title: str
    below: str
    is_closed: bool


def sentence(view: NetworkView, activity: Activity, level: SealLevel, now: dt.datetime) -> Sentence:
    """Whether anything can leave, and what did."""
    is_sealed = level != "none"
    if view.way == "open":
        return Sentence(
            f"Network access to {view.place}", _open_words(view, activity, now), is_closed=False
        )
    if view.way == "start_anew":
        return Sentence(
            "Network access starts after a restart.",
            f"You allowed {view.place} {formatting.clock(view.since, now)}, "
            f"{end_words(view.until, now)}. This window was "
            "started sealed and stays sealed until Lockhouse is restarted.",
            is_sealed,
        )
    if view.way == "broker_gone":
        return Sentence(
            "The network process stopped. Restart Lockhouse.",
            f"Nothing can leave this machine until then. A restart allows {view.place} again.",
            is_sealed,
        )
    if view.way == "damaged":
        return Sentence(
            "Sealed, because the network settings cannot be read.",
            f"{view.explanation} Seal now to write the file again.",
            is_sealed,
        )
    return Sentence(_TITLES[level], _sealed_words(activity, level, now), is_sealed)


def _sealed_words(activity: Activity, level: SealLevel, now: dt.datetime) -> str:
    last = activity.switched
    if last is None:
        since = "Network access was never allowed."
    elif last.kind == "sealed":
        since = " ".join(("Sealed", _WHO.get(last.purpose, ""), formatting.clock(last.at, now)))
        since = f"{since.replace('  ', ' ')}."
    else:
        since = "Sealed since Lockhouse was started."
    return " ".join(part for part in (since, _sent(activity.session), _ENFORCED[level]) if part)


def _open_words(view: NetworkView, activity: Activity, now: dt.datetime) -> str:
    last = activity.switched
    who = _WHO.get(last.purpose, "") if last and last.kind == "unsealed" else ""
    ends = end_words(view.until, now)
    allowed = f"Allowed {who} {formatting.clock(view.since, now)}, {ends}."
    sent = f"{_bytes(view.bytes_out)} sent in this session."
    if not view.bytes_out:
        sent = "Nothing was sent in this session."
    them = "them" if view.names_several else "it"
    only = f"Only the network process can reach {them}; everything else stays sealed."
    return f"{allowed} {sent} {only}".replace("  ", " ")


def end_words(until: str, now: dt.datetime) -> str:
    """When access ends."""
    if not until:
        return "until you seal it"
    if ends_with_process(until):
        return "until you quit Lockhouse"
    return f"until {formatting.clock(until, now).removeprefix('at ')}"


def _sent(session: Session | None) -> str:
    """What was sent in this session before it was sealed."""
    if session is None:
        return ""
    refused = ""
    if session.refused:
        count = session.refused
        number = _COUNTS[count] if count < len(_COUNTS) else f"{count:,}"
        refused = f"{number} {'connection was' if count == 1 else 'connections were'} refused"
    if session.bytes_out:
        more = len(session.hosts) - 1
        host = session.hosts[0].removesuffix(":443") + (f" and {more} more" if more else "")
        sent = f"Before that, {_bytes(session.bytes_out)} went to {host} in this session"
        return f"{sent}, and {refused}." if refused else f"{sent}."
    if refused:
        return f"{refused[0].upper()}{refused[1:]} in this session."
    return "Nothing was sent in this session."


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
        self.setObjectName("gate_banner")
        self.setProperty("line", "bottom")
        self._tile = IconTile(theme, "lock", 24, "on-accent", "accent")
        self._title = label("", role="title", wrap=True, name="gate_title")
        self._below = label("", ink="2", wrap=True, name="gate_below")
        self._open = push_button(
            theme, "Allow network access…", self.open_wanted, name="gate_open", icon="lock-open"
        )
        self._change = push_button(theme, "Change…", self.open_wanted, name="gate_change")
        self._quit = push_button(
            theme, restart_words(), self.quit_wanted, name="gate_quit", icon="power"
        )
        self._seal = push_button(
            theme, "Seal now", self.seal_wanted, name="gate_seal", kind="primary", icon="lock"
        )
        text = column(theme, STRETCH, self._title, self._below, STRETCH, gap=2)
        buttons = ((one, MIDDLE) for one in (self._open, self._change, self._quit, self._seal))
        around = (16, 16)
        row(theme, (self._tile, MIDDLE), (text, 1), *buttons, gap=16, margins=around, on=self)
        self._view, self._activity = NetworkView(), Activity()
        self._show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._tile.setVisible(event.size().width() >= self._theme.px(_TILE_FROM))

    def show_network(self, view: NetworkView) -> None:
        """Network access has changed."""
        self._view = view
        self._show()

    def show_activity(self, activity: Activity) -> None:
        """Something was sent, refused or switched."""
        self._activity = activity
        self._show()

    def _show(self) -> None:
        said = sentence(self._view, self._activity, self._level, formatting.local_now())
        is_open = self._view.is_open
        self._title.setText(said.title)
        self._below.setText(said.below)
        self.setAccessibleName(f"{said.title} {said.below}")
        tone = "warning-tint" if is_open or not said.is_closed else "accent-tint"
        if self.property("tone") != tone:
            self.setProperty("tone", tone)
            repolish(self)
        if said.is_closed and not is_open:
            self._tile.show_tile("lock", "on-accent", "accent")
        else:
            self._tile.show_tile("lock-open", "bg-2", "warning")
        listed = bool(self._view.hosts) or self._view.way == "damaged"
        self._open.setVisible(not listed)
        self._change.setVisible(listed and self._view.way != "damaged")
        self._seal.setVisible(listed)
        needs_restart = self._view.way in ("start_anew", "broker_gone")
        self._quit.setVisible(needs_restart)
        kind = "primary" if is_open else ""
        if self._seal.property("kind") != kind:
            self._seal.setProperty("kind", kind)
            role = "on-accent" if kind else "text-1"
            self._theme.bind_icon(self._seal, "lock", role=role)
            repolish(self._seal)

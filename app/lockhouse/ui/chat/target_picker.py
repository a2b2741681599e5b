"""The models that can be chosen for a chat, as a list with a search field.

Looking them up is the business of ``targets``; what is here are values, words and the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtWidgets import QWidget

from lockhouse.answer.target import TargetInfo
from lockhouse.ui import formatting
from lockhouse.ui.chat.search_list import SearchDialog, SearchLine
from lockhouse.ui.frame_parts import label
from lockhouse.ui.layouts import column
from lockhouse.ui.outbound.values import WAY_WORDS, Obstacle, WayOn
from lockhouse.ui.outbound.words import HERE, host_name, leaves
from lockhouse.ui.screen_fit import beside, room_for
from lockhouse.ui.theme import Theme

LEAVES = "Leaves this machine"
_GROUPS = {
    "local": "On this machine",
    "lan": "On your network",
    "api": "APIs, prices per million tokens",
}
_WIDTH = 480
_MOST_HEIGHT = 440
_LEAST_HEIGHT = 280  # a search field, a heading and some rows


@dataclass(frozen=True, slots=True)
class Destination:
    """One target, and what keeps it from answering now.

    A provider of which no model was chosen yet has no name. ``sees`` tells whether it accepts
    pictures; None: not known.
    """

    info: TargetInfo
    obstacle: Obstacle | None = None
    is_suggested: bool = False  # becomes a target when it is chosen
    sees: bool | None = None

    @property
    def is_remote(self) -> bool:
        """Not a model of this machine."""
        return self.info.kind != "local"

    @property
    def way(self) -> WayOn:
        """What can be done about the obstacle, or to choose one of a provider's models."""
        return self.obstacle.way if self.obstacle else "" if self.info.name else "models"


_MORE = SearchLine(WAY_WORDS["providers"], "plus", value="providers")


def price_words(info: TargetInfo) -> str:
    """What a million tokens cost, in and out."""
    if info.input_price is None or info.output_price is None:
        return "" if info.kind != "api" else "price not known"
    per_in = formatting.price(info.input_price, info.currency)
    return f"{per_in} in, {formatting.price(info.output_price, info.currency)} out"


def mark_words(info: TargetInfo) -> str:
    """Where the text goes; nothing for a model of this machine."""
    if info.kind == "local":
        return ""
    return LEAVES if leaves(info) else HERE


def target_lines(
    destinations: Sequence[Destination],
    *,
    words: str = "",
    current: str = "",
    remote_only: bool = False,
    recent: Sequence[str] = (),
) -> list[SearchLine]:
    """The lines that match the words of the search. Recently used targets come first."""
    wanted = words.casefold().split()
    order = {name: place for place, name in enumerate(recent)}
    found: list[SearchLine] = []
    for kind, title in _GROUPS.items():
        if remote_only and kind == "local":
            continue
        group = [one for one in destinations if one.info.kind == kind and _matches(one, wanted)]
        if kind != "local":  # there the default stands first
            group.sort(key=lambda one: (*_readiness(one), order.get(one.info.name, len(order))))
        if group:
            found += [SearchLine(title), *(_line(one, current) for one in group)]
    return found if wanted else [*found, _MORE]


def _readiness(destination: Destination) -> tuple[bool, bool, bool]:
    """Who can answer now comes first, then what needs one step; whole providers at the end."""
    obstacle = destination.obstacle
    return (not destination.info.name, obstacle is not None, destination.is_suggested)


def _matches(destination: Destination, wanted: Iterable[str]) -> bool:
    info = destination.info
    told = f"{info.title} {info.name} {info.detail} {info.provider_title} {info.host}".casefold()
    return all(word in told for word in wanted)


def _line(destination: Destination, current: str) -> SearchLine:
    info = destination.info
    state = destination.obstacle.word if destination.obstacle else ""
    mark = mark_words(info)
    line = SearchLine(
        info.title or info.name,
        action=WAY_WORDS.get(destination.way, ""),
        pill="Leaves" if mark == LEAVES else mark,
        spoken_pill=mark,
        pill_icon="" if not mark else "arrow-up-right" if mark == LEAVES else "house",
        pill_tone="warning" if mark == LEAVES else "neutral",
        value=destination,
    )
    if not line.title:
        detail = " · ".join(part for part in (host_name(info.host), state) if part)
        return replace(line, title=info.provider_title, icon="key-round", detail=detail)
    remote = (info.provider_title, info.detail, host_name(info.host))
    parts = remote if destination.is_remote else (info.detail,)
    pieces = dict.fromkeys((state, *parts, price_words(info)))
    return replace(
        line,
        icon="globe" if destination.is_remote else "cpu",
        detail=" · ".join(part for part in pieces if part),
        is_current=info.name == current,
    )


class TargetPopup(SearchDialog):
    """The list, opened beside the button that was pressed; Esc and a click outside close it.

    Not one of Qt's popups: those are left out of what screen readers are told.
    """

    chosen = Signal(object)  # Destination
    way_wanted = Signal(str, str)  # WayOn, provider's name

    def __init__(
        self,
        theme: Theme,
        read: Callable[[], Sequence[Destination]],
        parent: QWidget,
        *,
        title: str = "",
        current: str = "",
        remote_only: bool = False,
        recent: Sequence[str] = (),
    ) -> None:
        """``read`` tells which targets there are, now and when the list is to change."""
        super().__init__(
            theme, parent, "target_popup", prompt="Search models", listed="Models", parts="target"
        )
        self._over = parent
        self._read = read
        self._current = current
        self._remote_only = remote_only
        self._recent = tuple(recent)
        self._was_active = False
        self.setAccessibleName(title or "Choose a model")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title or "Choose a model")
        heading = (label(title, role="strong"),) if title else ()
        parts = (*heading, self.edit, (self.view, 1), self.nothing)
        column(theme, *parts, gap=6, margins=(8, 8), on=self)
        self.fill()

    def open_at(self, anchor: QRect) -> None:
        """Show above that place of the screen, or below it where there is more room."""
        px = self._theme.px
        screen = self.screen().availableGeometry()
        window = self._over.window().geometry()
        rows = sum(self.view.sizeHintForRow(row) for row in range(self.model.rowCount()))
        around = px(16) + px(32) + px(6) + px(28)
        wanted = QSize(px(_WIDTH), min(rows + around, px(_MOST_HEIGHT)))
        edge = px(8)
        least = min(wanted.height(), px(_LEAST_HEIGHT)) + edge
        room = room_for(anchor, least, window, screen)
        self.setGeometry(beside(anchor, wanted, room.adjusted(edge, edge, -edge, -edge), px(4)))
        self.show()
        self.activateWindow()
        self.edit.setFocus(Qt.FocusReason.PopupFocusReason)

    def refill(self) -> None:
        """There may be other targets now."""
        self.fill()

    def fill(self) -> None:
        """The targets that match what is typed."""
        words = self.edit.text()
        lines = target_lines(
            tuple(self._read()),
            words=words,
            current=self._current,
            remote_only=self._remote_only,
            recent=self._recent,
        )
        nothing = ""
        if words and not lines:
            nothing = f"No model matches “{words.strip()}”."
        elif lines == [_MORE]:
            nothing = "No models yet."
        current = next((row for row, line in enumerate(lines) if line.is_current), None)
        self.show_lines(lines, nothing, current=current if not words else None)

    def choose(self, line: SearchLine) -> None:
        """Tell which target was chosen, or the way to it."""
        self.close()
        if not isinstance(line.value, Destination):
            self.way_wanted.emit("providers", "")
            return
        found = line.value
        if found.info.name:
            self.chosen.emit(found)
        if found.way:
            self.way_wanted.emit(found.way, found.info.provider or "")

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WindowActivate:
            self._was_active = True
        elif event.type() == QEvent.Type.WindowDeactivate and self._was_active:
            self.close()
        return super().event(event)

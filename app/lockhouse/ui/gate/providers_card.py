"""Providers and your own servers: their keys, whether they answer, what can be done with each."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import (
    IconLabel,
    icon_button,
    label,
    make_menu,
    pop_under,
    push_button,
)
from lockhouse.ui.gate.card import Card
from lockhouse.ui.gate.provider_dialogs import ProviderDialogs
from lockhouse.ui.gate.provider_values import ProviderRow
from lockhouse.ui.layouts import MIDDLE, STRETCH, Part, column, row
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.paragraph import Elided
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Spinner

_SHOWN_UNUSED = 4


class ProvidersCard(Card):
    """A row for each; unused ones are folded behind a line."""

    open_wanted = Signal(str)  # a provider: network access to it
    stop_wanted = Signal(str)  # a provider: what is asked of it

    def __init__(
        self, theme: Theme, dialogs: ProviderDialogs, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, "providers_card", "Providers", parent)
        self._dialogs = dialogs
        self._rows: tuple[ProviderRow, ...] = ()
        self._view = NetworkView()
        self._busy: set[str] = set()
        self._is_unfolded = self._is_narrow = False
        self._check = push_button(
            theme, "Check servers", self._check_all,
            name="providers_check", kind="quiet", compact=True,
        )  # fmt: skip
        self._check.setToolTip("Request the list of models from each of your servers")
        self._check.hide()  # until there is a server that may be reached
        self.head.addWidget(self._check)
        add = icon_button(theme, "plus", "Add server or API", dialogs.add, name="provider_add")
        self.head.addWidget(add)
        self.add_row(label("Reading the keyring…", ink="3"), side=12, gap=4)
        theme.changed.connect(self._dress)

    def show_rows(self, rows: tuple[ProviderRow, ...]) -> None:
        """Show these providers."""
        self._rows = rows
        self._build()

    def show_network(self, view: NetworkView) -> None:
        """Network access has changed."""
        if (view.is_open, view.hosts) != (self._view.is_open, self._view.hosts):
            self._view = view
            self._build()

    def show_narrow(self, *, narrow: bool) -> None:
        """In a narrow card, a state stands below the name."""
        if narrow != self._is_narrow:
            self._is_narrow = narrow
            self._dress()

    def show_busy(self, name: str, *, busy: bool) -> None:
        """A request to that provider is under way."""
        before = set(self._busy)
        (self._busy.add if busy else self._busy.discard)(name)
        if before != self._busy:
            self._build()

    def _build(self) -> None:
        focused: QWidget | None = QApplication.focusWidget()
        is_inside = focused is not None and self.isAncestorOf(focused)
        name = focused.objectName() if focused is not None and is_inside else ""
        self.clear()
        self._check.setVisible(bool(self._checkable()))
        used = [one for one in self._rows if one.is_used]
        others = [one for one in self._rows if not one.is_used]
        shown = others if self._is_unfolded else others[: max(0, _SHOWN_UNUSED - len(used))]
        for one in (*used, *shown):
            self.add(self._row(one))
        hidden = len(others) - len(shown)
        if hidden or (self._is_unfolded and len(self._rows) > _SHOWN_UNUSED):
            title = f"{hidden} more…" if hidden else "Show fewer"
            more = push_button(
                self.theme, title, self._fold, name="providers_more", kind="link", compact=True,
                spoken="Show all providers" if hidden else "Show fewer providers",
            )  # fmt: skip
            self.add_row(more, side=12, gap=4)
        if name and (found := self.findChild(QWidget, name)) is not None:
            found.setFocus()
        self.rebuilt.emit()

    def _checkable(self) -> list[str]:
        """Servers that can be checked now."""
        if not self._view.is_open:
            return []
        return [
            row.provider.name
            for row in self._rows
            if row.is_server and row.is_open(self._view.hosts)
        ]

    def _check_all(self) -> None:
        for name in self._checkable():
            if name not in self._busy:
                self._dialogs.check(name)

    def _dress(self) -> None:
        """Build again in other colours or sizes."""
        if self._rows:
            self._build()

    def _fold(self) -> None:
        self._is_unfolded = not self._is_unfolded
        self._build()

    def _row(self, one: ProviderRow) -> QWidget:
        theme, px, narrow = self.theme, self.theme.px, self._is_narrow
        provider, name = one.provider, one.provider.name
        has_button = one.wants_key or one.key_refused
        is_busy = name in self._busy
        is_below = not is_busy and (narrow or (has_button and one.is_server))
        below = self._state(one) if is_below else []
        below += self._place(one, is_short=is_below, has_room=not has_button)
        title = Elided(provider.title, role="medium")
        parts: list[Part] = [(column(theme, STRETCH, title, row(theme, *below, gap=4), STRETCH), 1)]
        if is_busy:
            parts += self._waiting(one)
        elif not is_below:
            parts += self._state(one)
        if has_button:
            act = "Replace key" if one.may_have_key else "Set key"
            shown = "Replace…" if narrow and one.may_have_key else f"{act}…"
            parts.append(
                push_button(
                    theme,
                    shown,
                    lambda: self._dialogs.set_key(name),
                    name=f"key_{name}",
                    compact=True,
                    spoken=f"{act} for {provider.title}",
                )
            )
        more = icon_button(theme, "ellipsis", f"More for {provider.title}", name=f"more_{name}")
        more.clicked.connect(lambda: pop_under(self._menu(one), more))
        line = QWidget()
        line.setObjectName(f"provider_{name}")
        line.setFixedHeight(px(52))
        margins = (12 if narrow else 16, 0, 4 if narrow else 8, 0)
        row(theme, *parts, more, gap=4 if narrow else 6, margins=margins, on=line)
        return line

    def _place(self, one: ProviderRow, *, is_short: bool, has_room: bool) -> list[Part]:
        """When it was checked, where it is, and whether access is missing.

        After a state there is little room: the tool tip has what does not fit.
        """
        parts: list[Part] = []
        when = formatting.clock(one.checked_at, formatting.local_now()) if one.checked_at else ""
        if when and (has_room or not self._is_narrow):
            shown = when if is_short else f"Checked {when}"
            parts.append(label(shown, role="caption", ink="2"))
        closed = self._view.is_open and one.is_used and not one.is_open(self._view.hosts)
        words = ["No access"] if closed else []
        if not (is_short and (when or (self._is_narrow and not has_room))):
            words.append(one.short_place)
        if words and (parts or is_short):
            words.insert(0, "")
        place = Elided(" · ".join(words).strip(), role="caption", ink="2")
        place.setToolTip("\n".join(_health_lines(one) or one.provider.endpoints))
        return [*parts, (place, 1)]

    def _state(self, one: ProviderRow) -> list[Part]:
        state = one.state()
        shown = label(state.words, role="caption", ink=state.ink, name=f"state_{one.provider.name}")
        shown.setToolTip("\n".join(_health_lines(one)))
        if not state.icon:
            return [shown]
        return [(IconLabel(self.theme, state.icon, 14, state.token), MIDDLE), shown]

    def _waiting(self, one: ProviderRow) -> list[Part]:
        theme, title, name = self.theme, one.provider.title, one.provider.name
        stop = icon_button(
            theme, "x", f"Stop checking {title}", lambda: self.stop_wanted.emit(name),
            name=f"stop_{name}", size=14,
        )  # fmt: skip
        words = label("Checking…", role="caption", ink="2")
        return [Spinner(theme, f"Checking {title}"), words, stop]

    def _menu(self, row: ProviderRow) -> QMenu:
        provider, name, icon = row.provider, row.provider.name, self.theme.icon
        dialogs = self._dialogs
        menu = make_menu(self)

        def add(picture: str, title: str, act: Callable[[str], None]) -> None:
            menu.addAction(icon(picture), title, lambda: act(name))

        ticked = f" ({row.chosen} ticked)" if row.chosen else ""
        add("list", f"Models{ticked}…", dialogs.show_models)
        if row.is_server:
            add("refresh-cw", "Check server", dialogs.check)
        if self._view.is_open and not row.is_open(self._view.hosts):
            add("lock-open", f"Allow access to {row.place}…", self.open_wanted.emit)
        if provider.key != "none":
            menu.addSeparator()
            add("key-round", "Replace key…" if row.may_have_key else "Set key…", dialogs.set_key)
            if row.may_have_key:
                add("circle-check", "Test key", dialogs.test_key)
                add("x", "Remove key…", dialogs.remove_key)
        if row.may_send:
            menu.addSeparator()
            add("ban", "Ask again before sending", dialogs.withdraw)
        if row.is_own:
            menu.addSeparator()
            add("pencil", "Edit server…", dialogs.change)
            add("trash-2", "Remove server…", dialogs.remove)
        return menu


def _health_lines(row: ProviderRow) -> list[str]:
    lines = []
    for one in row.health:
        what = one.problem or f"up, {one.latency_s * 1000:.0f} ms"
        lines.append(f"{one.url}: {what}")
    return lines

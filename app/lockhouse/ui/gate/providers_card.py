"""Providers and your own servers: their keys, whether they answer, what can be done with each."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QApplication, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import icon_button, label, make_menu, push_button
from lockhouse.ui.gate.card import Card, Elided
from lockhouse.ui.gate.provider_dialogs import ProviderDialogs
from lockhouse.ui.gate.provider_values import ProviderRow
from lockhouse.ui.network_monitor import NetworkView
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
            theme, "Check servers", name="providers_check", kind="quiet", compact=True
        )
        self._check.setToolTip("Request the list of models from each of your servers")
        self._check.clicked.connect(self._check_all)
        self._check.hide()  # until there is a server that may be reached
        self.head.addWidget(self._check)
        add = icon_button(theme, "plus", "Add server or API", name="provider_add")
        add.clicked.connect(dialogs.add)
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
        used = [row for row in self._rows if row.is_used]
        others = [row for row in self._rows if not row.is_used]
        shown = others if self._is_unfolded else others[: max(0, _SHOWN_UNUSED - len(used))]
        for row in (*used, *shown):
            self.add(self._row(row))
        hidden = len(others) - len(shown)
        if hidden or (self._is_unfolded and len(self._rows) > _SHOWN_UNUSED):
            title = f"{hidden} more…" if hidden else "Show fewer"
            more = push_button(
                self.theme, title, name="providers_more", kind="link", compact=True,
                spoken="Show all providers" if hidden else "Show fewer providers",
            )  # fmt: skip
            more.clicked.connect(self._fold)
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

    def _row(self, row: ProviderRow) -> QWidget:
        theme, px = self.theme, self.theme.px
        provider, name = row.provider, row.provider.name
        line = QWidget()
        line.setObjectName(f"provider_{name}")
        line.setFixedHeight(px(52))
        has_button = row.wants_key or row.key_refused
        is_busy = name in self._busy
        is_below = not is_busy and (self._is_narrow or (has_button and row.is_server))
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addStretch(1)
        texts.addWidget(Elided(provider.title, role="medium"))
        below = QHBoxLayout()
        below.setSpacing(px(4))
        if is_below:
            self._add_state(below, row)
        self._add_place(below, row, is_short=is_below, has_room=not has_button)
        texts.addLayout(below)
        texts.addStretch(1)
        layout = QHBoxLayout(line)
        narrow = self._is_narrow
        layout.setContentsMargins(px(12 if narrow else 16), 0, px(4 if narrow else 8), 0)
        layout.setSpacing(px(4 if narrow else 6))
        layout.addLayout(texts, 1)
        if is_busy:
            self._add_waiting(layout, row)
        elif not is_below:
            self._add_state(layout, row)
        if has_button:
            act = "Replace key" if row.may_have_key else "Set key"
            shown = "Replace…" if narrow and row.may_have_key else f"{act}…"
            set_key = push_button(
                theme, shown, name=f"key_{name}", compact=True,
                spoken=f"{act} for {provider.title}",
            )  # fmt: skip
            set_key.clicked.connect(lambda: self._dialogs.set_key(name))
            layout.addWidget(set_key)
        more = icon_button(theme, "ellipsis", f"More for {provider.title}", name=f"more_{name}")
        more.clicked.connect(lambda: self._show_menu(row, more))
        layout.addWidget(more)
        return line

    def _add_place(
        self, layout: QHBoxLayout, row: ProviderRow, *, is_short: bool, has_room: bool
    ) -> None:
        """When it was checked, where it is, and whether access is missing.

        After a state there is little room: the tool tip has what does not fit.
        """
        when = formatting.clock(row.checked_at, formatting.local_now()) if row.checked_at else ""
        if when and (has_room or not self._is_narrow):
            shown = when if is_short else f"Checked {when}"
            layout.addWidget(label(shown, role="caption", ink="2"))
        closed = self._view.is_open and row.is_used and not row.is_open(self._view.hosts)
        parts = ["No access"] if closed else []
        if not (is_short and (when or (self._is_narrow and not has_room))):
            parts.append(row.short_place)
        if layout.count() and parts:
            parts.insert(0, "")
        place = Elided(" · ".join(parts).strip(), role="caption", ink="2")
        place.setToolTip("\n".join(_health_lines(row) or row.provider.endpoints))
        layout.addWidget(place, 1)

    def _add_state(self, layout: QHBoxLayout, row: ProviderRow) -> None:
        state = row.state()
        if state.icon:
            icon = label("")
            icon.setPixmap(self.theme.pixmap(state.icon, 14, state.token))
            layout.addWidget(icon, 0, Qt.AlignmentFlag.AlignVCenter)
        name = f"state_{row.provider.name}"
        shown = label(state.words, role="caption", ink=state.ink, name=name)
        if row.health:
            shown.setToolTip("\n".join(_health_lines(row)))
        layout.addWidget(shown)

    def _add_waiting(self, layout: QHBoxLayout, row: ProviderRow) -> None:
        theme, title, name = self.theme, row.provider.title, row.provider.name
        layout.addWidget(Spinner(theme, f"Checking {title}"))
        layout.addWidget(label("Checking…", role="caption", ink="2"))
        stop = icon_button(theme, "x", f"Stop checking {title}", name=f"stop_{name}", size=14)
        stop.clicked.connect(lambda: self.stop_wanted.emit(name))
        layout.addWidget(stop)

    def _show_menu(self, row: ProviderRow, under: QWidget) -> None:
        menu = self._menu(row)
        corner = under.mapToGlobal(under.rect().bottomRight())
        menu.popup(QPoint(corner.x() - menu.sizeHint().width(), corner.y() + 4))

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

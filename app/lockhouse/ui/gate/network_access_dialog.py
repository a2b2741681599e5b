"""Choosing which hosts may be reached, what that means, and that it may take a restart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QWidget

from lockhouse import processes
from lockhouse.gate.network import (
    allows,
    at_time,
    ends_with_process,
    split_host,
    with_process,
)
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import hairline, label, object_name, scrolling
from lockhouse.ui.gate.provider_values import ProviderRow
from lockhouse.ui.layouts import STRETCH, Part, column, holding, row
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.paragraph import Elided
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import CheckBox, SegmentedControl

_MOST_LIST_HEIGHT = 320
_LEAST_LIST_HEIGHT = 100
_ABOUT = (
    "A separate network process can then reach the hosts you select, and no others. This window and"
    " all models stay sealed. Every connection is recorded, and “Seal now” ends access at once."
)
_AFTER_RESTART = (
    "This window was started sealed and stays sealed for as long as it runs. Network access starts"
    " after a restart{how}."
)
_ALLOWED_ALREADY = "Network access is already allowed and starts after a restart{how}."
_BY_ITSELF = ", which opens this chat again, with what you typed"
_BY_HAND = ": quit Lockhouse and start it again"
_ENDS = (("", "Until I seal it"), ("hour", "For one hour"), ("quit", "Until I quit"))
_AT_ONCE = (
    "Hosts that you add can be reached at once. Removing a host stops the network process and all"
    " transfers; restart Lockhouse to use the remaining hosts."
)


@dataclass(frozen=True, slots=True)
class NetworkPermission:
    """Something that network access can be allowed for."""

    key: str
    title: str
    words: str
    hosts: tuple[str, ...]
    is_near: bool = False  # only addresses of this machine and private networks


def permissions_of(
    rows: Iterable[ProviderRow], hub_hosts: Sequence[str]
) -> tuple[NetworkPermission, ...]:
    """Downloads, each provider and each server of your own; those that are used come first."""
    used: list[NetworkPermission] = []
    others: list[NetworkPermission] = []
    if hub_hosts:
        used.append(
            NetworkPermission("hub", "Model downloads", "Find and get models", tuple(hub_hosts))
        )
    for one in rows:
        (used if one.is_used else others).append(_permission(one))
    return (*used, *others)


def _permission(row: ProviderRow) -> NetworkPermission:
    provider = row.provider
    is_near = provider.zone == "lan"
    if is_near:
        words = "Your own network only"
    elif row.may_send:
        words = "Sends without asking again"
    elif row.may_have_key or provider.key != "required":
        words = "Asks you before the first request"
    else:
        words = "No key yet"
    return NetworkPermission(provider.name, provider.title, words, provider.hosts, is_near)


def end_after(choice: str) -> str:
    """When access ends that is allowed now, as ``gate.network`` writes it."""
    if choice == "hour":
        return at_time(datetime.now(UTC) + timedelta(hours=1))
    return with_process(*processes.lasting()) if choice == "quit" else ""


def _end_of(until: str) -> str:
    """Which choice that was."""
    return ("quit" if ends_with_process(until) else "hour") if until else ""


class NetworkAccessDialog(FormDialog):
    """Says what will be allowed and what follows from it; restarts only when asked to."""

    # hosts, those that must be near, when it ends, restart afterwards
    allow_wanted = Signal(object, object, str, bool)
    seal_wanted = Signal()
    quit_wanted = Signal()

    def __init__(
        self,
        theme: Theme,
        view: NetworkView,
        permissions: tuple[NetworkPermission, ...],
        *,
        wanted: str = "",
        parent: QWidget | None = None,
    ) -> None:
        """``wanted`` is the key of the permission that was asked for."""
        title = "Network access" if view.hosts else "Allow network access"
        super().__init__(theme, "network_access_dialog", title, _ABOUT, width=600, parent=parent)
        self._view = view
        self._boxes: list[tuple[NetworkPermission, CheckBox]] = []
        known = [host for one in permissions for host in one.hosts]
        others = tuple(
            NetworkPermission(
                host, host.removesuffix(":443"), "Added by you", (host,), host in view.lan_hosts
            )
            for host in view.hosts
            if host not in known
        )
        self.content.addWidget(self._make_list((*permissions, *others), wanted))
        when = _ALLOWED_ALREADY if view.opens_next else _AT_ONCE if view.is_open else _AFTER_RESTART
        self._ends = SegmentedControl("Network access lasts", _ENDS)
        self._ends.setObjectName("access_ends")
        self._kept_end = _end_of(view.until)
        self._ends.set_current(self._kept_end)
        lasts = row(theme, label("Lasts"), self._ends, STRETCH, gap=12)
        self.content.addSpacing(theme.px(4))
        self.content.addLayout(lasts)
        when = when.format(how=_BY_ITSELF if processes.can_restart() else _BY_HAND)
        self.content.addWidget(label(when, ink="2", wrap=True, name="access_start"))
        self._make_actions()
        self._check()

    def _make_list(self, permissions: tuple[NetworkPermission, ...], wanted: str) -> QWidget:
        px = self._theme.px
        lines: list[Part] = []
        for one in permissions:
            lines += [hairline()] if lines else []
            lines.append(self._row(one, is_ticked=one.key == wanted or self._is_allowed(one)))
        inside = holding(column(self._theme, *lines, STRETCH, margins=(0, 0, 8, 0)))
        area = scrolling(inside, "access_area")
        area.setAccessibleName("Hosts")
        whole = min(px(_MOST_LIST_HEIGHT), len(permissions) * px(49) + px(2))
        room = int(self.screen().availableGeometry().height() * 0.4)
        area.setMinimumHeight(min(whole, max(px(_LEAST_LIST_HEIGHT), room)))
        return area

    def _is_allowed(self, permission: NetworkPermission) -> bool:
        listed = self._view.hosts
        return bool(listed) and all(
            host in listed or allows(listed, *split_host(host)) for host in permission.hosts
        )

    def _row(self, permission: NetworkPermission, *, is_ticked: bool) -> QWidget:
        px = self._theme.px
        metrics = QFontMetrics(self._theme.font("body"))
        title = metrics.elidedText(permission.title, Qt.TextElideMode.ElideMiddle, px(240))
        box = CheckBox(self._theme, title)
        box.setObjectName(f"access_{object_name(permission.key)}")
        box.setAccessibleName(permission.title)
        box.setAccessibleDescription(f"{permission.words}: {', '.join(permission.hosts)}")
        box.setChecked(is_ticked)
        box.toggled.connect(self._check)
        self._boxes.append((permission, box))
        hosts = ", ".join(host.removesuffix(":443") for host in permission.hosts)
        texts = (
            Elided(permission.words, role="caption", ink="2"),
            Elided(hosts, role="code-small", ink="3"),
        )
        for part in texts:
            part.setAlignment(Qt.AlignmentFlag.AlignRight)
            part.setToolTip("\n".join(permission.hosts))
        margins = (2, 4, 0, 4)
        line = holding(
            row(self._theme, box, (column(self._theme, *texts), 1), gap=12, margins=margins)
        )
        line.setMinimumHeight(px(48))
        return line

    def _make_actions(self) -> None:
        view = self._view
        if view.hosts:
            self.add_button("Seal now", self._seal, name="access_seal", icon="lock", on_left=True)
        stay = "Cancel" if view.hosts else "Stay sealed"
        self.add_button(stay, self.reject, name="access_cancel")
        later = "Save" if view.is_open else "Allow at next start"
        self._actions = [self.add_button(later, self._allow, name="access_later")]
        if not view.is_open:
            words = "Allow and restart" if processes.can_restart() else "Allow and quit"
            self._actions.append(
                self.add_button(words, self._allow_and_restart, name="access_allow", kind="primary")
            )

    def _selected(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The hosts anywhere, and those that must be near."""
        ticked = [one for one, box in self._boxes if box.isChecked()]
        far = (host for one in ticked if not one.is_near for host in one.hosts)
        near = (host for one in ticked if one.is_near for host in one.hosts)
        return tuple(dict.fromkeys(far)), tuple(dict.fromkeys(near))

    def _check(self) -> None:
        for button in getattr(self, "_actions", ()):  # none while it is laid out
            button.setEnabled(any(self._selected()))

    def _allow(self, *, leave: bool = False) -> None:
        far, near = self._selected()
        ends = self._ends.current()
        if set(far) | set(near) != set(self._view.hosts) or ends != self._kept_end:
            self.allow_wanted.emit(far, near, end_after(ends), leave)
        elif leave:  # it is written already
            self.quit_wanted.emit()
        self.accept()

    def _allow_and_restart(self) -> None:
        self._allow(leave=True)

    def _seal(self) -> None:
        self.seal_wanted.emit()
        self.accept()

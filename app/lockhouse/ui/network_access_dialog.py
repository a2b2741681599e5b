"""Before a door is opened: to whom, what that means, and that it may take a new start."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from lockhouse.gate.network import allows, split_host
from lockhouse.ui.chat.details import scrolling
from lockhouse.ui.frame_parts import hairline, label, object_name, push_button
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import CheckBox

_MOST_LIST_HEIGHT = 320
_LEAST_LIST_HEIGHT = 100
_MEANING = (
    "One small process, the broker, can then reach the hosts you choose and no others. This window "
    "and every model stay sealed. Every connection is recorded, and Seal now closes it at once."
)
_NEW_START = (
    "This window was started sealed, and the kernel keeps it so for as long as it runs. So your "
    "permission is written down, Lockhouse quits, and you start it again."
)
_AT_ONCE = (
    "What you add can be reached at once. What you take away ends the broker, with everything that "
    "is under way; Lockhouse must then be started anew to use the rest."
)


@dataclass(frozen=True, slots=True)
class Way:
    """Something that a door can be opened for."""

    key: str
    title: str
    words: str
    hosts: tuple[str, ...]
    is_near: bool = False  # only addresses of this machine and private networks


class NetworkAccessDialog(QDialog):
    """Says what will be written and what follows from it; quits only when asked to."""

    allow_wanted = Signal(object, object, bool)  # hosts, those that must be near, quit afterwards
    seal_wanted = Signal()
    quit_wanted = Signal()

    def __init__(
        self,
        theme: Theme,
        view: NetworkView,
        ways: tuple[Way, ...],
        *,
        wanted: str = "",
        parent: QWidget | None = None,
    ) -> None:
        """``wanted`` is the key of the way that somebody asked for."""
        super().__init__(parent)
        self._theme = theme
        self._view = view
        self._ways = ways
        self._boxes: dict[str, CheckBox] = {}
        known = [host for way in ways for host in way.hosts]
        self._others = tuple(host for host in view.hosts if host not in known)
        px = theme.px
        self.setObjectName("open_dialog")
        self.setWindowTitle("Open a door")
        self.setMinimumWidth(px(600))
        column = QVBoxLayout(self)
        column.setContentsMargins(px(24), px(20), px(24), px(20))
        column.setSpacing(px(10))
        title = "Who may be reached" if view.hosts else "Open a door"
        column.addWidget(label(title, role="h3", wrap=True, name="open_title"))
        column.addWidget(label(_MEANING, ink="2", wrap=True))
        column.addWidget(self._make_list(wanted))
        column.addWidget(
            label(_AT_ONCE if view.is_open else _NEW_START, ink="2", wrap=True, name="open_start")
        )
        if view.opens_next:
            column.addWidget(
                label(
                    "A door is open from the next start on already: quit and start Lockhouse "
                    "again, or change to whom.",
                    wrap=True,
                )
            )
        column.addSpacing(px(4))
        column.addStretch(1)
        column.addLayout(self._make_buttons())
        self._look()

    def _make_list(self, wanted: str) -> QWidget:
        px = self._theme.px
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, px(8), 0)
        column.setSpacing(0)
        for number, way in enumerate(self._ways):
            if number:
                column.addWidget(hairline())
            column.addWidget(self._row(way, is_ticked=self._is_ticked(way, wanted)))
        for host in self._others:
            column.addWidget(hairline())
            column.addWidget(
                self._row(Way(host, host.removesuffix(":443"), "A host you listed", (host,)),
                          is_ticked=True)
            )  # fmt: skip
        column.addStretch(1)
        area = scrolling(inside, "open_area")
        area.setAccessibleName("Whom to open to")
        rows = len(self._ways) + len(self._others)
        whole = min(px(_MOST_LIST_HEIGHT), rows * px(49) + px(2))
        room = int(self.screen().availableGeometry().height() * 0.4)
        area.setMinimumHeight(min(whole, max(px(_LEAST_LIST_HEIGHT), room)))
        return area

    def _is_ticked(self, way: Way, wanted: str) -> bool:
        if way.key == wanted:
            return True
        listed = self._view.hosts
        return bool(listed) and all(
            host in listed or allows(listed, *split_host(host)) for host in way.hosts
        )

    def _row(self, way: Way, *, is_ticked: bool) -> QWidget:
        px = self._theme.px
        line = QWidget()
        line.setMinimumHeight(px(48))
        box = CheckBox(self._theme, way.title)
        box.setObjectName(f"way_{object_name(way.key)}")
        box.setAccessibleName(way.title)
        box.setAccessibleDescription(f"{way.words}: {', '.join(way.hosts)}")
        box.setChecked(is_ticked)
        box.toggled.connect(lambda _: self._look())
        self._boxes[way.key] = box
        row = QHBoxLayout(line)
        row.setContentsMargins(px(2), px(4), 0, px(4))
        row.setSpacing(px(12))
        row.addWidget(box)
        texts = QVBoxLayout()
        texts.setSpacing(0)
        words = label(way.words, role="caption", ink="2")
        hosts = label(
            ", ".join(host.removesuffix(":443") for host in way.hosts), role="code-small", ink="3"
        )
        for part in (words, hosts):
            part.setAlignment(Qt.AlignmentFlag.AlignRight)
            part.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            part.setToolTip("\n".join(way.hosts))
            texts.addWidget(part)
        row.addLayout(texts, 1)
        return line

    def _make_buttons(self) -> QHBoxLayout:
        theme, px, view = self._theme, self._theme.px, self._view
        row = QHBoxLayout()
        row.setSpacing(px(8))
        if view.hosts:
            seal = push_button(theme, "Seal now", name="open_seal", icon="lock")
            seal.clicked.connect(self._seal)
            row.addWidget(seal)
        row.addStretch(1)
        stay = push_button(theme, "Cancel" if view.hosts else "Stay sealed", name="open_cancel")
        stay.clicked.connect(self.reject)
        row.addWidget(stay)
        self._later = push_button(
            theme, "Save" if view.is_open else "Allow, quit later", name="open_later"
        )
        self._later.clicked.connect(lambda: self._allow(leave=False))
        row.addWidget(self._later)
        self._now = push_button(theme, "Allow and quit now", name="open_allow")
        self._now.clicked.connect(lambda: self._allow(leave=True))
        self._now.setVisible(not view.is_open)
        row.addWidget(self._now)
        return row

    def _chosen(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        far: list[str] = []
        near: list[str] = []
        for way in self._ways:
            if self._boxes[way.key].isChecked():
                (near if way.is_near else far).extend(way.hosts)
        for host in self._others:
            if self._boxes[host].isChecked():
                (near if host in self._view.lan_hosts else far).append(host)
        return tuple(dict.fromkeys(far)), tuple(dict.fromkeys(near))

    def _look(self) -> None:
        if not hasattr(self, "_now"):
            return  # still being laid out
        far, near = self._chosen()
        self._later.setEnabled(bool(far or near))
        self._now.setEnabled(bool(far or near))

    def _allow(self, *, leave: bool) -> None:
        far, near = self._chosen()
        if set(far) | set(near) != set(self._view.hosts):
            self.allow_wanted.emit(far, near, leave)
        elif leave:  # it is written already
            self.quit_wanted.emit()
        self.accept()

    def _seal(self) -> None:
        self.seal_wanted.emit()
        self.accept()

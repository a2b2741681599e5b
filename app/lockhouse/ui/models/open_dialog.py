"""Before a door is opened: what it is, to whom, and that it takes a new start."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.ui.network import NetworkView
from lockhouse.ui.parts import label, push_button
from lockhouse.ui.theme import Theme

_OPENS_NEXT = (
    (
        "This window was started sealed. The kernel keeps it so for as long as it runs, and "
        "nothing can take that back."
    ),
    "Quit it and start Lockhouse again: then Discover can search.",
)
_SEALED = (
    (
        "This window was started sealed, and the kernel keeps it so for as long as it runs. So a "
        "door needs a new start of the program: your permission is written down, Lockhouse "
        "quits, and you start it again."
    ),
    (
        "Then one small process, the broker, can reach the hosts below. The window itself and "
        "every model stay sealed. Every connection is recorded, and Seal closes the door at once."
    ),
)


class OpenDialog(QDialog):
    """Says what will be written and what follows from it; quits only when asked to."""

    allow_wanted = Signal()
    quit_wanted = Signal()

    def __init__(
        self,
        theme: Theme,
        view: NetworkView,
        hosts: tuple[str, ...],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        px = theme.px
        self.setObjectName("open_dialog")
        self.setWindowTitle("Open a door for model downloads")
        self.setMinimumWidth(px(540))
        column = QVBoxLayout(self)
        column.setContentsMargins(px(24), px(20), px(24), px(20))
        column.setSpacing(px(10))
        heading = label("", role="h3", wrap=True, name="open_title")
        column.addWidget(heading)
        for sentence in self._sentences(view):
            column.addWidget(label(sentence, ink="2", wrap=True))
        column.addWidget(label("The door leads to these hosts and to no other:"))
        listed = label("\n".join(hosts) or "none", role="code-small", wrap=True)
        column.addWidget(listed)
        column.addSpacing(px(8))
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addStretch(1)
        stay = push_button(theme, "Stay sealed", name="open_cancel")
        stay.clicked.connect(self.reject)
        row.addWidget(stay)
        if view.opens_next:
            heading.setText("The door is open from the next start on")
            quit_now = push_button(theme, "Quit Lockhouse", name="open_quit")
            quit_now.clicked.connect(lambda: self._do(allow=False, leave=True))
            row.addWidget(quit_now)
        else:
            heading.setText("Open a door for model downloads?")
            later = push_button(theme, "Allow, quit later", name="open_later")
            later.clicked.connect(lambda: self._do(allow=True, leave=False))
            now = push_button(theme, "Allow and quit now", name="open_allow")
            now.clicked.connect(lambda: self._do(allow=True, leave=True))
            row.addWidget(later)
            row.addWidget(now)
        column.addStretch(1)
        column.addLayout(row)

    def _sentences(self, view: NetworkView) -> tuple[str, ...]:
        return _OPENS_NEXT if view.opens_next else _SEALED

    def _do(self, *, allow: bool, leave: bool) -> None:
        if allow:
            self.allow_wanted.emit()
        if leave:
            self.quit_wanted.emit()
        self.accept()

"""The states of a model that are kept here: which one answers, what differs, the way back."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.library.model_info import Difference, Revision
from lockhouse.ui import formatting
from lockhouse.ui.chat.details import scrolling
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.models import words
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Pill

_KINDS = {
    "content": "Content",
    "template": "Chat template",
    "tokenizer": "Tokenizer",
    "metadata": "Header",
    "tensors": "Tensors",
}
_LONGEST = 600


class RevisionPanel(QWidget):
    """One row a revision. Hidden while there is only one and nothing newer is known."""

    compare_wanted = Signal(str, str)  # two revisions
    use_wanted = Signal(str)
    get_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.px(8))
        self._rows = QWidget()
        self._newer = self._make_newer()
        self._column.addWidget(label("Revisions", role="strong"))
        self._column.addWidget(self._newer)
        self._column.addWidget(self._rows)
        self.hide()

    def _make_newer(self) -> QWidget:
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        self._newer_words = label("", wrap=True, name="newer_words")
        row.addWidget(self._newer_words, 1)
        get = push_button(self._theme, "Look at it", name="newer_get", compact=True)
        get.clicked.connect(self.get_wanted)
        row.addWidget(get)
        return whole

    def show_revisions(self, revisions: tuple[Revision, ...], newer: str) -> None:
        """What is kept, and what the hub was seen to have."""
        self.setVisible(len(revisions) > 1 or bool(newer))
        self._newer.setVisible(bool(newer))
        self._newer_words.setText(f"The hub has a newer one, {newer[:8]}.")
        fresh = self._make_rows(revisions)
        self._column.replaceWidget(self._rows, fresh)
        self._rows.hide()
        self._rows.deleteLater()
        self._rows = fresh

    def _make_rows(self, revisions: tuple[Revision, ...]) -> QWidget:
        px = self._theme.px
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(4))
        current = next((one for one in revisions if one.current), None)
        now = formatting.local_now()
        for one in revisions if len(revisions) > 1 else ():
            row = QHBoxLayout()
            row.setSpacing(px(6))
            row.addWidget(
                label(one.revision[:8] or formatting.short_hash(one.sha256), role="code-small")
            )
            added = words.moment_of(one.added_at)
            row.addWidget(label(words.day(added, now) if added else "", ink="3"), 1)
            if one is current:
                row.addWidget(Pill(self._theme, "In use", icon="check", tone="accent"))
            elif current is not None:
                self._add_buttons(row, one, current)
            column.addLayout(row)
        return whole

    def _add_buttons(self, row: QHBoxLayout, one: Revision, current: Revision) -> None:
        short = one.revision[:8]
        compare = push_button(
            self._theme, "Compare", name=f"compare_{short}", kind="quiet", compact=True,
            spoken=f"Compare {short} with the one in use",
        )  # fmt: skip
        compare.clicked.connect(lambda: self.compare_wanted.emit(current.revision, one.revision))
        use = push_button(
            self._theme, "Use", name=f"use_{short}", compact=True, spoken=f"Use {short}"
        )
        use.clicked.connect(lambda: self.use_wanted.emit(one.revision))
        row.addWidget(compare)
        row.addWidget(use)


class DifferenceDialog(QDialog):
    """What differs between two revisions, before one is changed for the other."""

    def __init__(
        self, theme: Theme, differences: tuple[Difference, ...], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        px = theme.px
        self.setObjectName("difference_dialog")
        self.setWindowTitle("What differs")
        self.resize(px(720), px(520))
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setContentsMargins(px(4), px(4), px(12), px(4))
        grid.setHorizontalSpacing(px(16))
        grid.setVerticalSpacing(px(8))
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        for column, head in enumerate(("", "In use", "The other")):
            grid.addWidget(label(head, role="caption-strong", ink="3"), 0, column)
        top = Qt.AlignmentFlag.AlignTop
        for row, one in enumerate(differences, 1):
            kind = _KINDS.get(one.kind, one.kind)
            what = label(f"{kind}\n{one.what}" if one.what else kind, wrap=True)
            what.setFixedWidth(px(140))
            grid.addWidget(what, row, 0, top)
            for column, text in enumerate((one.before, one.after), 1):
                shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
                value = label(shown or "not there", role="code-small", wrap=True)
                value.setProperty("ink", "" if shown else "3")
                value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                grid.addWidget(value, row, column, top)
        if not differences:
            grid.addWidget(label("Nothing: both have the same content.", ink="2"), 1, 0, 1, 3)
        grid.setRowStretch(len(differences) + 2, 1)
        column_box = QVBoxLayout(self)
        column_box.setContentsMargins(px(20), px(16), px(20), px(16))
        column_box.setSpacing(px(12))
        column_box.addWidget(label("What differs", role="h3"))
        column_box.addWidget(scrolling(inside, "difference_area"), 1)
        row_box = QHBoxLayout()
        row_box.addStretch(1)
        close = push_button(theme, "Close", name="difference_close")
        close.clicked.connect(self.accept)
        row_box.addWidget(close)
        column_box.addLayout(row_box)

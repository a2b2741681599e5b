"""The revisions of a model on this machine: which one is in use, and what differs."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from lockhouse.library.model_info import Difference, Revision
from lockhouse.ui import formatting
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import label, push_button, scrolling
from lockhouse.ui.models import model_text
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Pill

_KINDS = {
    "content": "Content",
    "template": "Chat template",
    "tokenizer": "Tokenizer",
    "metadata": "Metadata",
    "tensors": "Tensors",
}
_MAX_CHARACTERS = 600


class RevisionPanel(QWidget):
    """One row per revision. Hidden while there is only one and no newer one is known."""

    compare_wanted = Signal(str, str)  # two revisions
    use_wanted = Signal(str)
    newer_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.px(8))
        self._newer = label("", wrap=True, name="newer_revision")
        view = push_button(
            theme, "View", name="newer_view", compact=True, spoken="View the newer revision"
        )
        view.clicked.connect(self.newer_wanted)
        self._newer_row = QWidget()
        row = QHBoxLayout(self._newer_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._newer, 1)
        row.addWidget(view)
        self._rows = QWidget()
        self._column.addWidget(label("Revisions", role="strong"))
        self._column.addWidget(self._newer_row)
        self._column.addWidget(self._rows)
        self.hide()

    def show_revisions(self, revisions: tuple[Revision, ...], newer: str) -> None:
        """Show the revisions here, and the newer one on the hub when one is known."""
        self.setVisible(len(revisions) > 1 or bool(newer))
        self._newer_row.setVisible(bool(newer))
        self._newer.setText(f"A newer revision is on the hub: {newer[:8]}")
        rows = self._make_rows(revisions)
        self._column.replaceWidget(self._rows, rows)
        self._rows.hide()
        self._rows.deleteLater()
        self._rows = rows

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
            name = one.revision[:8] or formatting.short_hash(one.sha256)
            row.addWidget(label(name, role="code-small"))
            added = model_text.parse_time(one.added_at)
            row.addWidget(label(model_text.day(added, now) if added else "", ink="3"), 1)
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
            spoken=f"Compare {short} with the revision in use",
        )  # fmt: skip
        compare.clicked.connect(lambda: self.compare_wanted.emit(current.revision, one.revision))
        use = push_button(
            self._theme, "Use", name=f"use_{short}", compact=True, spoken=f"Use {short}"
        )
        use.clicked.connect(lambda: self.use_wanted.emit(one.revision))
        row.addWidget(compare)
        row.addWidget(use)


class DifferenceDialog(FormDialog):
    """What differs between two revisions."""

    def __init__(
        self, theme: Theme, differences: tuple[Difference, ...], parent: QWidget | None = None
    ) -> None:
        super().__init__(
            theme, "difference_dialog", "Differences", width=720, height=520, parent=parent
        )
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.add_button("Close", self.accept, name="difference_close")
        px = theme.px
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setContentsMargins(0, px(4), px(12), px(4))
        grid.setHorizontalSpacing(px(16))
        grid.setVerticalSpacing(px(8))
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        for column, head in enumerate(("", "In use", "Other")):
            grid.addWidget(label(head, role="caption-strong", ink="3"), 0, column)
        top = Qt.AlignmentFlag.AlignTop
        for row, one in enumerate(differences, 1):
            kind = _KINDS.get(one.kind, one.kind)
            what = label(f"{kind}\n{one.what}" if one.what else kind, wrap=True)
            what.setFixedWidth(px(140))
            grid.addWidget(what, row, 0, top)
            for column, text in enumerate((one.before, one.after), 1):
                is_hash = one.kind == "content"
                grid.addWidget(_make_side(text, is_hash=is_hash), row, column, top)
        if not differences:
            same = "No differences: both have the same content."
            grid.addWidget(label(same, ink="2"), 1, 0, 1, 3)
        grid.setRowStretch(len(differences) + 2, 1)
        self.content.addWidget(scrolling(inside, "difference_area"), 1)


def _make_side(text: str, *, is_hash: bool) -> QWidget:
    """One side of a difference. Its longest word does not widen the column."""
    shown = text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"
    if is_hash:
        shown = formatting.short_hash(text)
    side = label(shown or "none", role="code-small", ink="" if shown else "3", wrap=True)
    side.setToolTip(text if is_hash else "")
    side.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    policy = side.sizePolicy()
    policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
    side.setSizePolicy(policy)
    return side

"""What is guaranteed: the project's own page on it, readable without a network."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.bundled import document
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.markdown import parse
from lockhouse.ui.models.model_card import ModelCard
from lockhouse.ui.theme import Theme

CLAIMS = "CLAIMS.md"
_PLAIN = re.compile(r"\s*(?![-*+>|#]|\d+[.)]|```)\S|\s*\*\*")  # no list, table, heading or code
_OPEN_END = re.compile(r"(?!\s*$|\s*[|#]|```)")  # a line that can go on


class ClaimsDialog(QDialog):
    """Links are told, not followed: this window has no network."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        px = theme.px
        self.setObjectName("claims_dialog")
        self.setWindowTitle("What is guaranteed")
        self.resize(px(780), px(640))
        self._card = ModelCard(theme)
        self._card.setObjectName("claims_text")
        self._card.setAccessibleName("What is guaranteed")
        self._card.link_pressed.connect(self._tell)
        self._card.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # arrows and Page Down scroll
        self._card.setFocus()
        self._told = label("", role="caption", ink="2", wrap=True, name="claims_link")
        close = push_button(theme, "Close", name="claims_close")
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addWidget(self._told, 1)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(8), px(8), px(16), px(12))
        column.setSpacing(px(8))
        column.addWidget(self._card, 1)
        column.addLayout(row)
        self._card.show_blocks(tuple(parse(joined(document(CLAIMS)))))

    def _tell(self, address: str) -> None:
        QApplication.clipboard().setText(address)
        self._told.setText(f"Copied: {address}")


def joined(text: str) -> str:
    """The text without the line ends inside its paragraphs, which are there for its editor."""
    lines: list[str] = []
    in_code = False
    for line in text.splitlines():
        goes_on = bool(_PLAIN.match(line)) and bool(lines) and bool(_OPEN_END.match(lines[-1]))
        if goes_on and not in_code:
            lines[-1] = f"{lines[-1].rstrip()} {line.strip()}"
        else:
            lines.append(line)
        in_code ^= line.startswith("```")
    return "\n".join(lines)

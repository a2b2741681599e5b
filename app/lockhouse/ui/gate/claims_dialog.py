"""What is guaranteed: the document of the project, readable without a network."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from lockhouse.bundled import document
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import label
from lockhouse.ui.markdown import parse
from lockhouse.ui.models.model_card import ModelCard
from lockhouse.ui.theme import Theme

CLAIMS = "CLAIMS.md"
_PLAIN = re.compile(r"\s*(?![-*+>|#]|\d+[.)]|```)\S|\s*\*\*")  # no list, table, heading or code
_OPEN_END = re.compile(r"(?!\s*$|\s*[|#]|```)")  # a line that can go on


class ClaimsDialog(FormDialog):
    """Links are copied, not followed: this window has no network."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        title = "What is guaranteed"
        super().__init__(theme, "claims_dialog", title, width=780, height=640, parent=parent)
        self.setMinimumWidth(0)
        self.heading.hide()  # the text has its own
        self._card = ModelCard(theme)
        self._card.setObjectName("claims_text")
        self._card.setAccessibleName(title)
        self._card.link_pressed.connect(self._copy)
        self._card.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # arrows and Page Down scroll
        self._card.setFocus()
        self._card.show_blocks(tuple(parse(joined(document(CLAIMS)))))
        self._copied = label("", role="caption", ink="2", wrap=True, name="claims_link")
        self.content.addWidget(self._card, 1)
        self.content.addWidget(self._copied)
        self.add_button("Close", self.accept, name="claims_close")

    def _copy(self, address: str) -> None:
        QApplication.clipboard().setText(address)
        self._copied.setText(f"Copied: {address}")


def joined(text: str) -> str:
    """The text with one line per paragraph; the line breaks inside are for its editor."""
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

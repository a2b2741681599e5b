"""What is guaranteed: the document of the project, readable without a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from lockhouse.bundled import document
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import label
from lockhouse.ui.markdown import Block, Paragraph, TextBlock, parse
from lockhouse.ui.models.model_card import ModelCard
from lockhouse.ui.theme import Theme

CLAIMS = "CLAIMS.md"


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
        self._card.show_blocks(flowing(parse(document(CLAIMS))))
        self._copied = label("", role="caption", ink="2", wrap=True, name="claims_link")
        self.content.addWidget(self._card, 1)
        self.content.addWidget(self._copied)
        self.add_button("Close", self.accept, name="claims_close")

    def _copy(self, address: str) -> None:
        QApplication.clipboard().setText(address)
        self._copied.setText(f"Copied: {address}")


def flowing(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The blocks without the line breaks inside paragraphs: those are for an editor."""
    return tuple(
        replace(block, paragraphs=tuple(map(_flowing, block.paragraphs)))
        if isinstance(block, TextBlock)
        else block
        for block in blocks
    )


def _flowing(paragraph: Paragraph) -> Paragraph:
    runs = (replace(run, text=run.text.replace("\n", " ")) for run in paragraph.runs)
    return replace(paragraph, runs=tuple(runs))

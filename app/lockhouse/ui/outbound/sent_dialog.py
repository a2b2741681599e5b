"""What was sent for an answer, to be read again. Nothing can be sent from here."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.gate.sent_requests import SentRequest
from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.outbound import words
from lockhouse.ui.outbound.body_box import BodyBox
from lockhouse.ui.theme import Theme

_OUTCOMES = {"ok": "answered", "cancelled": "stopped by you", "sending": "not ended"}


def box_for(theme: Theme, sent: SentRequest, parent: QWidget | None = None) -> BodyBox:
    """A request that was sent, in its frame."""
    box = BodyBox(theme, parent)
    box.show_request(
        f"{words.host_name(sent.host)}/…{sent.path}",
        sent.headers,
        sent.body,
        sha256=sent.sha256,
        size_bytes=sent.size_bytes,
        has_key=sent.has_key,
    )
    return box


class SentDialog(QDialog):
    """One request, or several where one answer took more than one."""

    def __init__(
        self, theme: Theme, requests: tuple[SentRequest, ...], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        px = theme.px
        self.setObjectName("sent_dialog")
        self.setWindowTitle("What was sent")
        self.setSizeGripEnabled(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(24), px(20), px(24), px(20))
        column.setSpacing(px(10))
        column.addWidget(label("What was sent", role="title"))
        if not requests:
            sentence = "Nothing is kept of this request any more."
            column.addWidget(label(sentence, ink="2", wrap=True, name="sent_sentence"))
            column.addStretch(1)
        for sent in requests:
            told = label(_sentence(sent), ink="2", wrap=True, name="sent_sentence")
            column.addWidget(told)
            if sent.added:
                added = f"Went along: {' '.join(sent.added)}"
                column.addWidget(label(added, ink="2", wrap=True))
            column.addWidget(box_for(theme, sent), 1)
        row = QHBoxLayout()
        row.addStretch(1)
        close = push_button(theme, "Close", name="sent_close")
        close.clicked.connect(self.accept)
        row.addWidget(close)
        column.addLayout(row)
        self.resize(px(760), px(560) if requests else px(180))


def _sentence(sent: SentRequest) -> str:
    outcome = _OUTCOMES.get(sent.outcome, f"ended in an error ({sent.outcome})")
    size = formatting.exact_bytes(sent.size_bytes)
    told = f"{size} to {words.host_name(sent.host)}, for {sent.model}: {outcome}."
    at = datetime.fromisoformat(sent.at).astimezone()
    return f"{at:%d %b %Y, %H:%M:%S}. {told}"

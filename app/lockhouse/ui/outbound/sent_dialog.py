"""What was sent for an answer. Nothing can be sent from here."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from lockhouse.gate.sent_requests import SentRequest
from lockhouse.ui import formatting
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import label
from lockhouse.ui.outbound.request_box import RequestBox
from lockhouse.ui.outbound.words import host_name
from lockhouse.ui.theme import Theme

_OUTCOMES = {"ok": "answered", "cancelled": "stopped by you", "sending": "not finished"}


class SentDialog(FormDialog):
    """One request, or several where one answer took more than one."""

    def __init__(
        self, theme: Theme, requests: tuple[SentRequest, ...], parent: QWidget | None = None
    ) -> None:
        nothing = "" if requests else "This request is no longer stored."
        super().__init__(
            theme, "sent_dialog", "What was sent", nothing,
            width=760, height=560 if requests else 180, parent=parent,
        )  # fmt: skip
        self.setMinimumWidth(0)
        self.setSizeGripEnabled(True)
        for sent in requests:
            self.content.addWidget(label(_sentence(sent), ink="2", wrap=True, name="sent_sentence"))
            if sent.added:
                added = f"Also sent: {' '.join(sent.added)}"
                self.content.addWidget(label(added, ink="2", wrap=True))
            box = RequestBox(theme)
            box.show_request(f"{host_name(sent.host)}/…{sent.path}", sent)
            self.content.addWidget(box, 1)
        self.add_button("Close", self.accept, name="sent_close")


def _sentence(sent: SentRequest) -> str:
    outcome = _OUTCOMES.get(sent.outcome, f"failed ({sent.outcome})")
    size = formatting.exact_bytes(sent.size_bytes)
    at = formatting.full_time(sent.at)
    return f"{at}. {size} to {host_name(sent.host)}, for {sent.model}: {outcome}."

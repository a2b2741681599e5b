"""One request in a frame: address, size, hash, headers and body, exactly as sent.

And the dialog that shows what was sent for an answer.
"""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QWidget

from lockhouse.gate.outbound import Outbound
from lockhouse.gate.sent_requests import SentRequest
from lockhouse.ui import formatting
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import hairline, label, push_button
from lockhouse.ui.layouts import column, row
from lockhouse.ui.outbound.body_view import BodyView
from lockhouse.ui.outbound.words import host_name
from lockhouse.ui.theme import Theme

_NO_BODY = (
    "The text is no longer stored: its chat was deleted, it belonged to none, or it was very large."
    " Its size and hash are kept."
)
_OUTCOMES = {"ok": "answered", "cancelled": "stopped by you", "sending": "not finished"}


class RequestBox(QFrame):
    """Shows one request. Copy takes the body and nothing else."""

    copied = Signal(str)  # what was put on the clipboard, in words

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setObjectName("request_box")
        self._address = label(
            "", role="code-small", ink="2", selectable=True, name="outbound_address"
        )
        self._size = label("", role="code-small", ink="2", name="outbound_size")
        self._hash = label("", role="code-small", ink="2", name="outbound_hash")
        self._headers_button = push_button(
            theme, "Headers", name="outbound_headers", kind="quiet", compact=True
        )
        self._headers_button.setCheckable(True)
        self._copy = push_button(
            theme, "Copy", self._copy_body,
            name="outbound_copy", kind="quiet", icon="copy", compact=True, spoken="Copy the body",
        )  # fmt: skip
        self._headers = label(
            "", role="code-small", ink="2", wrap=True, name="outbound_header_list"
        )
        self._note = label("", role="caption", ink="2", wrap=True, name="outbound_note")
        self.view = BodyView(theme)
        self._lay_out()
        self._headers.hide()
        self._note.hide()
        self._headers_button.toggled.connect(self._headers.setVisible)
        theme.changed.connect(self._dress)
        self._dress()

    def _lay_out(self) -> None:
        theme, buttons = self._theme, (self._headers_button, self._copy)
        margins = (12, 4, 8, 4)
        facts = row(theme, self._size, (self._hash, 1), *buttons, gap=12, margins=margins)
        address = column(theme, self._address, self._headers, gap=4, margins=(12, 8, 12, 0))
        note = row(theme, self._note, margins=(12, 0, 12, 8))
        parts = (facts, hairline(), address, (self.view, 1), note)
        column(theme, *parts, margins=(1, 0, 1, 1), on=self)

    def show_request(self, address: str, request: Outbound | SentRequest) -> None:
        """Show a request that would be sent, or was."""
        body, sha256 = request.body, request.sha256
        size_bytes = request.size_bytes if isinstance(request, SentRequest) else len(request.body)
        self._address.setText(f"POST {address}")
        self._address.setAccessibleName(f"Sent as POST to {address}")
        self._size.setText(formatting.exact_bytes(size_bytes))
        self._hash.setText(f"sha256 {formatting.short_hash(sha256)}")
        self._hash.setToolTip(sha256)
        self._hash.setAccessibleName(f"SHA-256 of the body: {sha256}")
        lines = [f"{name}: {value}" for name, value in request.headers]
        if request.has_key:
            lines.append("and your API key, which the network process adds")
        self._headers.setText("\n".join(lines))
        self._headers_button.setText(formatting.counted(len(lines), "header"))
        self._copy.setEnabled(body is not None)
        self.view.show_body(body if body is not None else b"")
        self.view.setVisible(body is not None)
        notes = []
        if body is None:
            notes.append(_NO_BODY)
        if self.view.has_instructions:
            notes.append("The system prompt is highlighted.")
        if self.view.invisible:
            many = formatting.counted(self.view.invisible, "invisible character")
            notes.append(f"{many} shown as \ufffd.")
        self._note.setText(" ".join(notes))
        self._note.setVisible(bool(notes))

    def tab_order(self) -> tuple[QWidget, ...]:
        """The parts that Tab visits, in order."""
        return (self.view, self._headers_button, self._copy)

    def _copy_body(self) -> None:
        self.view.copy_all()
        self._theme.bind_icon(self._copy, "check", role="success")
        self._copy.setText("Copied")
        self.copied.emit("Copied the body")

    def _dress(self) -> None:
        theme = self._theme
        self.setStyleSheet(
            f"QFrame#request_box {{ background: {theme.hex('code-bg')};"
            f" border: 1px solid {theme.hex('border')}; border-radius: {theme.px(6)}px; }}"
        )


class SentDialog(FormDialog):
    """What was sent for an answer, in one request or several. Nothing can be sent from here."""

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

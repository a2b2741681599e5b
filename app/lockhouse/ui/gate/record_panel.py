"""What an open row shows: the request exactly as it left, or the facts of an attempt."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetricsF, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.gate.sent_requests import SentRequest
from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.gate import words
from lockhouse.ui.gate.card import Elided
from lockhouse.ui.gate.values import Opened
from lockhouse.ui.outbound.body_view import BodyView
from lockhouse.ui.theme import Theme

_MOST_LINES = 16
_REFIT_MS = 80
_ERASED = (
    "Its text is not kept any more: it went with its conversation, or belonged to none, or was very"
    " large. Size and hash stay."
)


class RecordPanel(QFrame):
    """Lies under an open row of the records."""

    copied = Signal(str)
    resized = Signal()  # it wants another height

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        px = theme.px
        self.setObjectName("record_panel")
        self.setAccessibleName("The record")
        self.setProperty("tone", "bg-1")
        self.setAutoFillBackground(True)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(px(28), px(8), px(16), px(12))
        self._column.setSpacing(px(8))
        self._made: QWidget | None = None
        self._shown: Opened | None = None  # a body, whose lines depend on the width
        self._refit = QTimer(self)
        self._refit.setSingleShot(True)
        self._refit.setInterval(_REFIT_MS)
        self._refit.timeout.connect(self._fit_again)
        self._wanted_px = px(60)
        self.say_reading()
        theme.changed.connect(self._fit_again)

    def sizeHint(self) -> QSize:
        return QSize(self.width(), self._wanted_px)

    def say_reading(self) -> None:
        """What is to be shown is being read."""
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(label("Reading…", ink="3"))
        self._put(line, self._theme.px(20 + 20))

    def show_opened(self, opened: Opened) -> None:
        """The whole of a record."""
        if opened.sent is None:
            self._show_facts(opened)
        else:
            self._show_request(opened, opened.sent)
        self.resized.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._shown is not None and event.size().width() != event.oldSize().width():
            self._refit.start()

    def _fit_again(self) -> None:
        if self._shown is not None:
            self.show_opened(self._shown)

    def _put(self, made: QWidget, height: int) -> None:
        self._shown = None
        if self._made is not None:
            self._column.removeWidget(self._made)
            self._made.hide()
            self._made.deleteLater()
        self._made = made
        self._column.addWidget(made)
        self._wanted_px = height

    # one request

    def _show_request(self, opened: Opened, sent: SentRequest) -> None:
        theme, px = self._theme, self._theme.px
        made = QWidget()
        column = QVBoxLayout(made)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(6))
        view = BodyView(theme)
        column.addLayout(self._head(sent, view))
        line = label(f"POST {opened.address}", role="code-small", ink="3", name="request_line")
        line.setContentsMargins(px(12), 0, 0, 0)
        line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        box = QFrame()
        box.setObjectName("payload_box")
        box.setStyleSheet(
            f"QFrame#payload_box {{ background: {theme.hex('code-bg')}; border: 1px solid"
            f" {theme.hex('border')}; border-radius: {px(6)}px; }}"
        )
        inside = QVBoxLayout(box)
        inside.setContentsMargins(0, px(8), px(2), px(2))
        inside.setSpacing(0)
        inside.addWidget(line)
        if sent.body is None:
            erased = label(_ERASED, ink="2", wrap=True)
            erased.setContentsMargins(px(12), px(4), px(12), px(6))
            inside.addWidget(erased)
            box_height = px(8 + 20 + 50 + 8)
        else:
            view.show_body(sent.body)
            body_height = self._body_height(view)
            view.setFixedHeight(body_height)
            inside.addWidget(view)
            box_height = px(8 + 18 + 2) + body_height
        box.setFixedHeight(box_height)
        column.addWidget(box)
        column.addLayout(self._foot(opened, sent))
        self._put(made, px(28 + 6) + box_height + px(6 + 20) + px(8 + 12))
        self._shown = opened

    def _head(self, sent: SentRequest, view: BodyView) -> QHBoxLayout:
        head = QHBoxLayout()
        head.setSpacing(self._theme.px(12))
        head.addWidget(label("As sent", role="caption-strong"))
        head.addStretch(1)
        size = formatting.counted(sent.size_bytes, "byte")
        head.addWidget(label(size, role="code-small", ink="2"))
        digest = label(
            f"sha256 {formatting.short_hash(sent.sha256)}",
            role="code-small",
            ink="2",
            name="sha256",
        )
        digest.setToolTip(sent.sha256)
        digest.setAccessibleName(f"SHA-256 {sent.sha256}")
        head.addWidget(digest)
        if sent.body is not None:
            copy = push_button(
                self._theme, "Copy", name="copy_body", kind="quiet", icon="copy", compact=True
            )
            copy.clicked.connect(lambda: self._copy(view))
            head.addWidget(copy)
        return head

    def _body_height(self, view: BodyView) -> int:
        """As high as its lines, up to a limit; beyond it scrolls."""
        px = self._theme.px
        metrics = QFontMetricsF(self._theme.font("code-small"))
        room = self.width() - px(28 + 16 + 12 + 12 + 16)
        columns = max(20, int(room / metrics.horizontalAdvance("0")))
        rows = sum(-(-(end - start) // columns) for start, end in view.body.pieces(columns))
        shown = min(_MOST_LINES, max(1, rows))
        return int(shown * metrics.lineSpacing()) + px(2 * 12 + 2)

    def _foot(self, opened: Opened, sent: SentRequest) -> QHBoxLayout:
        parts = [f"{sent.provider_title or sent.provider}: {sent.model}"]
        if sent.usage is not None:
            parts.append(
                f"{formatting.tokens(sent.usage.prompt_tokens)} tokens in,"
                f" {formatting.tokens(sent.usage.completion_tokens)} out"
            )
        if sent.cost is not None:
            parts.append(formatting.money(sent.cost.amount, sent.cost.currency))
        elif sent.zone == "cloud":
            parts.append("cost unknown")
        if trouble := words.trouble_of(opened.row.record):
            parts.append(trouble)
        foot = QHBoxLayout()
        foot.setSpacing(self._theme.px(12))
        facts = Elided(" · ".join(parts), role="caption", ink="2", name="record_facts")
        facts.setToolTip(facts.text())
        foot.addWidget(facts, 1)
        moment = words.whole_time(sent.at)
        foot.addWidget(label(f"Sent {moment}", role="caption", ink="2"))
        return foot

    def _copy(self, view: BodyView) -> None:
        view.copy_all()
        self.copied.emit("Copied exactly as it was sent")

    # an attempt

    def _show_facts(self, opened: Opened) -> None:
        px = self._theme.px
        record = opened.row.record
        facts = [("When", words.whole_time(record.at))]
        if record.kind == "unsealed":
            facts.append(("Open to", ", ".join(record.outcome.split())))
        elif record.host:
            facts.append(("Host", record.host))
        if record.kind in ("transfer", "refused"):
            facts.append(("What came of it", _outcome(record.outcome)))
        if record.kind == "transfer":
            moved = (
                f"{formatting.counted(record.bytes_out, 'byte')} out,"
                f" {formatting.counted(record.bytes_in, 'byte')} in"
            )
            facts.append(("Moved", f"{moved}, in {words.latency(record.duration_s)}"))
        made = QWidget()
        grid = QGridLayout(made)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(px(4))
        grid.setColumnStretch(1, 1)
        grid.setColumnMinimumWidth(0, px(104))
        room = self.width() - px(28 + 16 + 104 + 12)
        height = 0
        for number, (name, value) in enumerate(facts):
            grid.addWidget(label(name, ink="3", wrap=True), number, 0, Qt.AlignmentFlag.AlignTop)
            told = label(value, wrap=True)
            told.ensurePolished()
            high = max(px(20), told.heightForWidth(max(px(80), room)))
            grid.setRowMinimumHeight(number, high)
            grid.addWidget(told, number, 1, Qt.AlignmentFlag.AlignTop)
            height += high + px(4)
        self._put(made, height + px(8 + 12))
        self._shown = opened  # how many lines it takes depends on the width


def _outcome(outcome: str) -> str:
    if outcome.isdecimal():
        return f"The host answered {outcome}"
    if outcome in ("", "ok"):
        return "It went well"
    shown = words.OUTCOMES.get(outcome, outcome.replace("_", " "))
    return shown[:1].upper() + shown[1:]

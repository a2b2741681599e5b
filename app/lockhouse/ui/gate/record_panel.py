"""The details of an open record: the request exactly as sent, or the facts of an attempt."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QWidget

from lockhouse.gate.sent_requests import SentRequest
from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import label
from lockhouse.ui.gate.record_row import result_of, trouble_of
from lockhouse.ui.gate.records_model import OpenedRecord
from lockhouse.ui.layouts import column, holding, replace, row
from lockhouse.ui.outbound.request_box import RequestBox
from lockhouse.ui.paragraph import Elided
from lockhouse.ui.theme import Theme

_MOST_ROWS = 16


class RecordPanel(QFrame):
    """Lies under an open row of the records."""

    copied = Signal(str)
    resized = Signal()  # it may want another height

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setObjectName("record_panel")
        self.setAccessibleName("Details of the record")
        self.setProperty("tone", "bg-1")
        self.setAutoFillBackground(True)
        self._content = QWidget()
        self._column = column(theme, self._content, margins=(28, 8, 16, 12))
        self.setLayout(self._column)
        self._box: RequestBox | None = None
        self.show_waiting()
        theme.changed.connect(self._fit_body)

    def height_at(self, width: int) -> int:
        """How high it has to be in this width."""
        if width != self.width():
            self.resize(width, self.height())
        layout = self._column
        layout.activate()
        flows = layout.hasHeightForWidth()
        return layout.totalHeightForWidth(width) if flows else layout.totalSizeHint().height()

    def show_waiting(self) -> None:
        """The details are being read."""
        self._put(holding(row(self._theme, label("Loading…", ink="3"))))

    def show_record(self, opened: OpenedRecord) -> None:
        """The whole of a record."""
        if opened.sent is None:
            self._put(self._facts(opened))
        else:
            content = self._request(opened, opened.sent)  # makes the box
            box = self._box
            self._put(content)
            self._box = box
            self._fit_body()
        self.resized.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit_body()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.resized.emit()
        return super().event(event)

    # Inside

    def _put(self, content: QWidget) -> None:
        self._box = None
        self._content = replace(self._column, self._content, content)
        content.show()
        for part in content.findChildren(QWidget):
            part.ensurePolished()  # only then are heights right

    def _fit_body(self) -> None:
        """As high as the lines of the body, up to a limit; beyond it scrolls."""
        if self._box is None:
            return
        px = self._theme.px
        rows = self._box.view.rows_at(self.width() - px(28 + 16 + 16), _MOST_ROWS)
        line = QFontMetricsF(self._theme.font("code-small")).lineSpacing()
        self._box.view.setFixedHeight(int(rows * line) + px(2 * 12 + 2))

    def _request(self, opened: OpenedRecord, sent: SentRequest) -> QWidget:
        self._box = RequestBox(self._theme)
        self._box.copied.connect(self.copied)
        self._box.show_request(opened.address, sent)
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
        if trouble := trouble_of(opened.row.record):
            parts.append(trouble)
        facts = Elided(" · ".join(parts), role="caption", ink="2", name="record_facts")
        facts.setToolTip(facts.text())
        at = label(f"Sent {formatting.full_time(sent.at)}", role="caption", ink="2")
        return holding(
            column(self._theme, self._box, row(self._theme, (facts, 1), at, gap=12), gap=6)
        )

    def _facts(self, opened: OpenedRecord) -> QWidget:
        px = self._theme.px
        record = opened.row.record
        facts = [("Time", formatting.full_time(record.at))]
        if record.kind == "unsealed":
            facts.append(("Allowed hosts", ", ".join(record.outcome.split())))
        elif record.host:
            facts.append(("Host", record.host))
        if record.kind in ("transfer", "refused"):
            facts.append(("Result", result_of(record)))
        if record.kind == "transfer":
            moved = (
                f"{formatting.counted(record.bytes_out, 'byte')} out,"
                f" {formatting.counted(record.bytes_in, 'byte')} in"
            )
            facts.append(("Transferred", f"{moved}, in {formatting.latency(record.duration_s)}"))
        content = QWidget()
        grid = QGridLayout(content)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(px(4))
        grid.setColumnStretch(1, 1)
        grid.setColumnMinimumWidth(0, px(104))
        top = Qt.AlignmentFlag.AlignTop
        for number, (name, value) in enumerate(facts):
            grid.addWidget(label(name, ink="3", wrap=True), number, 0, top)
            grid.addWidget(label(value, wrap=True), number, 1, top)
        return content

"""What llama.cpp computes with on this machine, and why a graphics processor stays idle."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.core.errors import LockhouseError
from lockhouse.engine.planning import Device, DeviceReport
from lockhouse.ui import formatting
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.frame_parts import hairline, label, push_button
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Banner, Pill, Spinner


class DevicesDialog(QDialog):
    """A row a device, the build, the processor's features in use."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        px = theme.px
        self.setObjectName("devices_dialog")
        self.setWindowTitle("What models run on")
        self.setMinimumWidth(px(560))
        self._column = QVBoxLayout()
        self._column.setSpacing(px(8))
        self._spinner = Spinner(theme, "Looking")
        self._words = label("llama.cpp is asked what it sees…", ink="2", name="devices_words")
        waiting = QHBoxLayout()
        waiting.addWidget(self._spinner)
        waiting.addWidget(self._words, 1)
        self._column.addLayout(waiting)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(px(24), px(20), px(24), px(20))
        whole.setSpacing(px(12))
        whole.addWidget(label("What models run on", role="h3"))
        whole.addLayout(self._column)
        whole.addStretch(1)
        row = QHBoxLayout()
        row.addStretch(1)
        close = push_button(theme, "Close", name="devices_close")
        close.clicked.connect(self.accept)
        row.addWidget(close)
        whole.addLayout(row)

    def show_report(self, report: DeviceReport) -> None:
        """What there is."""
        theme = self._theme
        self._spinner.hide()
        self._words.hide()
        for device in report.devices:
            self._column.addWidget(self._device(device))
            self._column.addWidget(hairline())
        if report.why_no_gpu:
            note = Banner(theme, "info", "No graphics processor is used.", hint=report.why_no_gpu)
            note.setObjectName("why_no_gpu")
            self._column.addWidget(note)
        elif not report.graphics and len(report.devices) == 1:
            self._column.addWidget(label("This machine has no graphics processor.", ink="2"))
        self._column.addWidget(label("Processor features in use", role="strong"))
        box = QWidget()
        flow = FlowLayout(box, spacing=theme.px(6))
        for feature in report.features:
            flow.addWidget(Pill(theme, feature))
        box.setMinimumHeight(flow.heightForWidth(theme.px(512)))
        self._column.addWidget(box)
        backends = ", ".join(report.backends)
        build = label(f"{report.build}; {backends}", role="caption", ink="3", wrap=True)
        build.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._column.addWidget(build)
        self.adjustSize()

    def show_error(self, error: LockhouseError) -> None:
        """Why nothing can be told."""
        self._spinner.hide()
        self._words.setText(f"{error.message} {error.hint}".strip())

    def _device(self, device: Device) -> QWidget:
        theme, px = self._theme, self._theme.px
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, px(4), 0, px(4))
        row.setSpacing(px(10))
        icon = label("")
        icon.setPixmap(theme.pixmap("cpu" if device.kind == "CPU" else "gauge", 20, "text-2"))
        row.addWidget(icon)
        texts = QVBoxLayout()
        texts.setSpacing(px(2))
        texts.addWidget(label(device.description or device.name, role="medium"))
        texts.addWidget(label(f"{device.kind}, {device.backend}", role="caption", ink="2"))
        row.addLayout(texts, 1)
        if device.memory_total_bytes:
            free = formatting.gigabytes(device.memory_free_bytes)
            total = formatting.gigabytes(device.memory_total_bytes)
            row.addWidget(label(f"{free} of {total}{formatting.NBSP}GB free", ink="2"))
        return whole

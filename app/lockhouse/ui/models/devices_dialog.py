"""What llama.cpp computes with on this machine, and why a GPU is not used."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.core.errors import LockhouseError
from lockhouse.engine.planning import Device, DeviceReport
from lockhouse.ui import formatting
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import hairline, label
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Banner, Pill


class DevicesDialog(FormDialog):
    """One row per device, the CPU features in use, the build of llama.cpp."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "devices_dialog", "Hardware", width=560, parent=parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.add_button("Close", self.accept, name="devices_close")
        self.show_busy("Detecting hardware…")

    def show_report(self, report: DeviceReport) -> None:
        """Show what llama.cpp found."""
        theme, body = self._theme, self.content
        self.show_idle()
        for device in report.devices:
            body.addWidget(self._make_device(device))
            body.addWidget(hairline())
        if report.why_no_gpu:
            note = Banner(theme, "info", "No GPU is used.", hint=report.why_no_gpu)
            note.setObjectName("why_no_gpu")
            body.addWidget(note)
        elif not report.graphics and len(report.devices) == 1:
            body.addWidget(label("No GPU was found.", ink="2"))
        body.addWidget(label("CPU features in use", role="strong"))
        box = QWidget()
        flow = FlowLayout(box, spacing=theme.px(6))
        for feature in report.features:
            flow.addWidget(Pill(theme, feature))
        box.setMinimumHeight(flow.heightForWidth(theme.px(512)))
        body.addWidget(box)
        build = f"{report.build}; {', '.join(report.backends)}"
        build_label = label(f"llama.cpp {build}", role="caption", ink="3", wrap=True)
        build_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        body.addWidget(build_label)
        self.fit()

    def show_error(self, error: LockhouseError) -> None:
        """Show why nothing could be found out."""
        self.show_idle()
        self.say(error.message, error.hint)

    def _make_device(self, device: Device) -> QWidget:
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
        kinds = dict.fromkeys((device.kind, device.backend))
        texts.addWidget(label(", ".join(kinds), role="caption", ink="2"))
        row.addLayout(texts, 1)
        if device.memory_total_bytes:
            free = formatting.gigabytes(device.memory_free_bytes)
            total = formatting.gigabytes(device.memory_total_bytes)
            row.addWidget(label(f"{free} of {total}{formatting.NBSP}GB free", ink="2"))
        return whole

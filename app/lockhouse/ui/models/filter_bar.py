"""The bars above and below the table: filter and Import…, disks, and the selected models."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from lockhouse.ui import formatting
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.frame_parts import icon_button, label, push_button
from lockhouse.ui.models.controller import Freeing
from lockhouse.ui.models.disk_use import DiskUse
from lockhouse.ui.models.model_table import Filter
from lockhouse.ui.models.search_edit import SearchEdit
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import ThinBar

_FITS = (
    ("", "Any fit"),
    ("fits", "Fits"),
    ("may be slow", "May be slow"),
    ("won't fit", "Won’t fit"),
)
_ALL_FOLDERS = ("", "All folders")
_FILTER_DELAY_MS = 30
_DISK_WIDTH = 390


class FilterBar(QWidget):
    """Filters by words, fit and folder; buttons for folders and import."""

    changed = Signal(object)  # Filter
    import_wanted = Signal()
    folders_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        px = theme.px
        self.edit = SearchEdit(
            theme, "models_filter", "Filter models", "Filter by name, family, folder…"
        )
        self.edit.setMaximumWidth(px(280))
        self._fit = ChoiceButton(theme, "Fit", _FITS, chip=True)
        self._fit.setObjectName("models_fit")
        self._folder = ChoiceButton(theme, "Folder", (_ALL_FOLDERS,), chip=True)
        self._folder.setObjectName("models_folder")
        self._delay = QTimer(self)  # several keys in a row are one change
        self._delay.setSingleShot(True)
        self._delay.setInterval(_FILTER_DELAY_MS)
        self._delay.timeout.connect(self._tell)
        self.edit.textChanged.connect(lambda _: self._delay.start())
        self._fit.picked.connect(lambda _: self._tell())
        self._folder.picked.connect(lambda _: self._tell())
        folders = push_button(theme, "Folders…", name="models_folders", kind="quiet", compact=True)
        folders.clicked.connect(self.folders_wanted)
        import_button = push_button(theme, "Import…", name="models_import", icon="file-input")
        import_button.clicked.connect(self.import_wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(px(16), px(12), px(16), px(12))
        row.setSpacing(px(8))
        row.addWidget(self.edit, 12)
        row.addWidget(self._fit)
        row.addWidget(self._folder)
        row.addStretch(1)
        row.addWidget(folders)
        row.addWidget(import_button)

    def show_owners(self, owners: Sequence[str]) -> None:
        """The folders to choose from, by their owners."""
        self._folder.set_options((_ALL_FOLDERS, *((owner, owner) for owner in owners)))

    def clear(self) -> None:
        """Show all models again."""
        self._fit.set_key("")
        self._folder.set_key("")
        self.edit.clear()
        self._tell()

    def _tell(self) -> None:
        words = tuple(self.edit.text().casefold().split())
        self.changed.emit(Filter(words, self._fit.key, self._folder.key))


class DiskRow(QFrame):
    """What the models take and what is free on each disk; a button for the hardware."""

    devices_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shown: tuple[DiskUse, ...] = ()
        self._bars: list[ThinBar] = []
        self.setObjectName("models_disks")
        self.setProperty("line", "top")
        self.setFixedHeight(theme.px(40))
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(theme.px(16), 0, theme.px(16), 0)
        self._row.setSpacing(theme.px(24))
        theme.changed.connect(self._build)

    def show_disks(self, disks: tuple[DiskUse, ...]) -> None:
        """Show these disks."""
        if disks != self._shown:
            self._shown = disks
            self._build()

    def _build(self) -> None:
        self._bars.clear()
        while self._row.count():
            item = self._row.takeAt(0)
            widget = item.widget() if item else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for disk in self._shown[:3]:
            self._row.addWidget(self._make_disk(disk))
        if len(self._shown) > 3:
            more = label(f"and {len(self._shown) - 3} more", role="caption", ink="3")
            more.setToolTip("\n".join(disk.sentence for disk in self._shown[3:]))
            self._row.addWidget(more)
        self._row.addStretch(1)
        devices = icon_button(self._theme, "cpu", "Hardware", name="models_devices", size=14)
        devices.clicked.connect(self.devices_wanted)
        self._row.addWidget(devices)
        self._fit()

    def _fit(self) -> None:
        """Where there is no room for the bars, the figures say the same."""
        room = self._theme.px(100 + _DISK_WIDTH * len(self._bars))
        for bar in self._bars:
            bar.setVisible(self.width() >= room)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _make_disk(self, disk: DiskUse) -> QWidget:
        theme, px = self._theme, self._theme.px
        whole = QWidget()
        whole.setMinimumWidth(px(40))
        whole.setAccessibleName(disk.sentence)
        whole.setToolTip("\n".join((disk.sentence, *disk.folders)))
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(8))
        icon = label("")
        icon.setPixmap(theme.pixmap("usb" if disk.is_removable else "hard-drive", 14))
        row.addWidget(icon)
        row.addWidget(label(disk.label, role="caption-strong"))
        bar = ThinBar(theme, f"{disk.label}: used", ink="text-2")
        bar.setFixedWidth(px(96))
        bar.set_fraction(disk.used)
        self._bars.append(bar)
        row.addWidget(bar)
        row.addWidget(label(disk.summary, role="caption", ink="2"))
        return whole


class SelectionBar(QFrame):
    """Takes the place of the disks while several models are selected."""

    remove_wanted = Signal()
    clear_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        px = theme.px
        self.setObjectName("models_selection")
        self.setProperty("tone", "accent-tint")
        self.setProperty("line", "top")
        self.setFixedHeight(px(48))
        self._count = label("", role="medium", name="selection_count")
        self._freeing = label("", ink="2", name="selection_freeing")
        remove = push_button(
            theme, "Remove…", name="selection_remove", kind="danger", icon="trash-2", compact=True
        )
        remove.clicked.connect(self.remove_wanted)
        clear = push_button(
            theme, "Clear", name="selection_clear", kind="quiet", compact=True,
            spoken="Clear selection",
        )  # fmt: skip
        clear.clicked.connect(self.clear_wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(px(16), 0, px(16), 0)
        row.setSpacing(px(12))
        row.addWidget(self._count)
        row.addWidget(self._freeing, 1)
        row.addWidget(remove)
        row.addWidget(clear)

    def show_selection(self, count: int, size_bytes: int) -> None:
        """How many are selected; what removing them frees is not known yet."""
        self._count.setText(
            f"{formatting.counted(count, 'model')} selected, {formatting.size(size_bytes)}"
        )
        self._freeing.setText("")

    def show_freeing(self, freeing: Freeing) -> None:
        """What removing them would free."""
        self._freeing.setText(freeing.sentence)

"""The bars of the Models page: filter and import, disks, selected models, why it is sealed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QWidget

from lockhouse.ui import formatting
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.frame_parts import (
    IconLabel,
    SearchEdit,
    icon_button,
    label,
    push_button,
    small_button,
)
from lockhouse.ui.layouts import STRETCH, add, clear, column, holding, row
from lockhouse.ui.models.controller import Freeing
from lockhouse.ui.models.disk_use import DiskUse
from lockhouse.ui.models.model_table import Filter
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import once
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
_OFFLINE = (
    "Searching needs network access. You can also download a file on another computer and copy it "
    "here; these models are a good start."
)


class FilterBar(QWidget):
    """Filters by words, fit and folder; buttons for folders and import."""

    changed = Signal(object)  # Filter
    import_wanted = Signal()
    folders_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        px = theme.px
        self.edit = SearchEdit(
            theme, "models_filter", "Filter models", "Filter by name, family, folder…"
        )
        self.edit.setMaximumWidth(px(280))
        self._fit = ChoiceButton(theme, "Fit", _FITS, chip=True)
        self._fit.setObjectName("models_fit")
        self._folder = ChoiceButton(theme, "Folder", (_ALL_FOLDERS,), chip=True)
        self._folder.setObjectName("models_folder")
        # Several keys in a row are one change.
        self._delay = once(self, _FILTER_DELAY_MS, self._tell)
        self.edit.textChanged.connect(lambda _: self._delay.start())
        self._fit.picked.connect(lambda _: self._tell())
        self._folder.picked.connect(lambda _: self._tell())
        row(
            theme,
            (self.edit, 12),
            self._fit,
            self._folder,
            STRETCH,
            small_button(
                theme, "Folders…", self.folders_wanted, name="models_folders", kind="quiet"
            ),
            push_button(
                theme, "Import…", self.import_wanted, name="models_import", icon="file-input"
            ),
            gap=8,
            margins=(16, 12),
            on=self,
        )

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

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._shown: tuple[DiskUse, ...] = ()
        self._bars: list[ThinBar] = []
        self.setObjectName("models_disks")
        self.setProperty("line", "top")
        self.setFixedHeight(theme.px(40))
        self._row = row(theme, gap=24, margins=(16, 0))
        self.setLayout(self._row)
        theme.changed.connect(self._build)

    def show_disks(self, disks: tuple[DiskUse, ...]) -> None:
        """Show these disks."""
        if disks != self._shown:
            self._shown = disks
            self._build()

    def _build(self) -> None:
        self._bars.clear()
        clear(self._row)
        add(self._theme, self._row, *(self._make_disk(disk) for disk in self._shown[:3]))
        if len(self._shown) > 3:
            more = label(f"and {len(self._shown) - 3} more", role="caption", ink="3")
            more.setToolTip("\n".join(disk.sentence for disk in self._shown[3:]))
            self._row.addWidget(more)
        devices = icon_button(
            self._theme, "cpu", "Hardware", self.devices_wanted, name="models_devices", size=14
        )
        add(self._theme, self._row, STRETCH, devices)
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
        bar = ThinBar(theme, f"{disk.label}: used", ink="text-2")
        bar.setFixedWidth(px(96))
        bar.set_fraction(disk.used)
        self._bars.append(bar)
        whole = holding(
            row(
                theme,
                IconLabel(theme, "usb" if disk.is_removable else "hard-drive", 14),
                label(disk.label, role="caption-strong"),
                bar,
                label(disk.summary, role="caption", ink="2"),
                gap=8,
            )
        )
        whole.setMinimumWidth(px(40))
        whole.setAccessibleName(disk.sentence)
        whole.setToolTip("\n".join((disk.sentence, *disk.folders)))
        return whole


class SelectionBar(QFrame):
    """Takes the place of the disks while several models are selected."""

    remove_wanted = Signal()
    clear_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        px = theme.px
        self.setObjectName("models_selection")
        self.setProperty("tone", "accent-tint")
        self.setProperty("line", "top")
        self.setFixedHeight(px(48))
        self._count = label("", role="medium", name="selection_count")
        self._freeing = label("", ink="2", name="selection_freeing")
        remove = small_button(
            theme,
            "Remove…",
            self.remove_wanted,
            name="selection_remove",
            kind="danger",
            icon="trash-2",
        )
        unselect = small_button(
            theme,
            "Clear",
            self.clear_wanted,
            name="selection_clear",
            kind="quiet",
            spoken="Clear selection",
        )
        row(
            theme,
            self._count,
            (self._freeing, 1),
            remove,
            unselect,
            gap=12,
            margins=(16, 0),
            on=self,
        )

    def show_selection(self, count: int, size_bytes: int) -> None:
        """How many are selected; what removing them frees is not known yet."""
        self._count.setText(
            f"{formatting.counted(count, 'model')} selected, {formatting.size(size_bytes)}"
        )
        self._freeing.setText("")

    def show_freeing(self, freeing: Freeing) -> None:
        """What removing them would free."""
        self._freeing.setText(freeing.sentence)


class SealedStrip(QFrame):
    """Says why Discover cannot search now, with a button to change that."""

    open_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("sealed_strip")
        self.setProperty("tone", "accent-tint")
        self.setProperty("line", "bottom")
        self._title = label("", role="medium", name="sealed_title")
        self._text = label("", ink="2", wrap=True, name="sealed_text")
        self._open = push_button(
            theme, "Allow network access…", self.open_wanted, name="open_network", icon="lock-open"
        )
        row(
            theme,
            IconLabel(theme, "lock", 24, "accent-text"),
            (column(theme, self._title, self._text, gap=2), 1),
            self._open,
            gap=12,
            margins=(16, 12),
            on=self,
        )
        self.show_network(NetworkView())

    def show_network(self, view: NetworkView) -> None:
        """Why there is no network access."""
        if view.opens_next:
            title, button = "Network access starts after a restart.", "Restart…"
            text = f"Restart Lockhouse to search {view.place or 'the hub'}."
        else:
            title, button = "Sealed: no network access", "Allow network access…"
            broken = view.way in ("damaged", "broker_gone")
            text = f"{view.explanation} {_OFFLINE}" if broken else _OFFLINE
        self._title.setText(title)
        self._text.setText(text)
        self._open.setText(button)
        self._open.setAccessibleName(button.rstrip("…"))

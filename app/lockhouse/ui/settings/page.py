"""The Settings page, built from the fields of the settings file. Changes hold at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QButtonGroup, QFrame, QPushButton, QVBoxLayout, QWidget

from lockhouse.answer.target import TargetInfo
from lockhouse.storage.settings import Field, Settings, fields
from lockhouse.ui.frame_parts import (
    hairline,
    icon_button,
    label,
    object_name,
    scrolling,
    small_button,
)
from lockhouse.ui.layouts import STRETCH, clear, column, holding, row
from lockhouse.ui.settings.rows import SettingRow, label_of, shown_value, titled
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.theme import Theme
from lockhouse.ui.toast import Toast

_COLUMN_WIDTH = 680
_NAV_WIDTH = 200


class SettingsPage(QWidget):
    """Sections at the left, all settings in one column at the right."""

    shortcuts_wanted = Signal()

    def __init__(
        self,
        store: SettingsStore,
        theme: Theme,
        places: Sequence[tuple[str, Path]],
        about: tuple[str, str],
    ) -> None:
        """``places``: files and folders to list, each with a title. ``about``: what this program
        is, and what its engine is."""
        super().__init__()
        self._store = store
        self._theme = theme
        self._places = places
        self._about = about
        self._targets: tuple[TargetInfo, ...] = ()
        self._rows: dict[str, SettingRow] = {}
        self._undo: dict[str, object] = {}
        self._sections: list[tuple[str, QWidget]] = []
        self._pressed = 0
        self.setObjectName("settings_page")
        self._group = QButtonGroup(self)
        self._lay_out()
        self._rebuild()
        self.toast = Toast(theme, self)
        self.toast.undo_wanted.connect(self._undo_reset)
        store.changed.connect(self._show)
        theme.changed.connect(self._restyle)
        self._scale = theme.scale

    def show_targets(self, targets: tuple[TargetInfo, ...]) -> None:
        """The models to choose from for new chats."""
        if targets != self._targets:
            self._targets = targets
            self._rebuild()

    # layout

    def _lay_out(self) -> None:
        theme, px = self._theme, self._theme.px
        title = label("Settings", role="page-title")
        title.setContentsMargins(px(8), 0, 0, 0)
        title.setFixedHeight(px(48))
        self._nav = column(theme, gap=2)
        nav = QFrame()
        nav.setObjectName("settings_nav")
        nav.setProperty("tone", "bg-1")
        nav.setProperty("line", "right")
        nav.setFixedWidth(px(_NAV_WIDTH))
        column(theme, title, self._nav, STRETCH, gap=6, margins=(8, 0, 8, 8), on=nav)
        self._area = scrolling(QWidget(), "settings_area")
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        bar = self._area.verticalScrollBar()
        bar.valueChanged.connect(lambda _: self._mark_section())
        # The headings get their places only after the range is known.
        bar.rangeChanged.connect(lambda *_: QTimer.singleShot(0, self, self._mark_section))
        row(theme, nav, (self._area, 1), on=self)

    def _rebuild(self) -> None:
        theme = self._theme
        self._rows.clear()
        self._sections.clear()
        place = self._area.verticalScrollBar().value()
        groups: dict[str, list[QWidget]] = {}
        for field in fields():
            groups.setdefault(field.group, []).append(self._row(field))
        groups["Keyboard"] = [self._keyboard_row()]
        groups["Folders"] = [self._place_row(*one) for one in self._places]
        groups["About"] = [self._about_row()]
        sections = [self._section(name, rows) for name, rows in groups.items()]
        middle = holding(column(theme, *sections, STRETCH, gap=8))
        middle.setMaximumWidth(theme.px(_COLUMN_WIDTH))
        page = holding(row(theme, STRETCH, (middle, 1000), STRETCH, margins=(24, 12, 24, 32)))
        page.setObjectName("settings_column")
        self._area.setWidget(page)
        self._fill_nav()
        self._show(self._store.current)
        self._area.verticalScrollBar().setValue(place)

    def _section(self, name: str, rows: list[QWidget]) -> QVBoxLayout:
        heading = label(name, role="strong")
        heading.setContentsMargins(0, self._theme.px(16), 0, 0)
        card = QFrame()
        card.setObjectName(f"section_{object_name(name)}")
        card.setProperty("tone", "card")
        lines = [part for one in rows for part in (hairline(), one)][1:]
        column(self._theme, *lines, margins=(1, 1), on=card)
        self._sections.append((name, heading))
        return column(self._theme, heading, card, gap=8)

    def _row(self, field: Field) -> SettingRow:
        options: tuple[tuple[str, str], ...] = ()
        if field.name == "default_target":
            known = tuple((one.name, one.title or one.name) for one in self._targets)
            options = (("", "Starter model"), *known)
        row = SettingRow(self._theme, field, options=options)
        row.changed.connect(self._store.set)
        row.reset_wanted.connect(self._reset)
        self._rows[field.name] = row
        return row

    def _line(self, title: str, below: str, *buttons: QWidget) -> QWidget:
        texts = titled(self._theme, title, below, selectable=True)
        return holding(row(self._theme, (texts, 1), *buttons, gap=8, margins=(16, 10, 12, 10)))

    def _keyboard_row(self) -> QWidget:
        show = small_button(
            self._theme,
            "Show shortcuts",
            self.shortcuts_wanted,
            name="show_shortcuts",
            icon="keyboard",
        )
        return self._line("Keyboard shortcuts", "Everything can be done with the keyboard.", show)

    def _place_row(self, title: str, path: Path) -> QWidget:
        copy = icon_button(
            self._theme, "copy", f"Copy path: {title}", lambda: self._copy_path(path)
        )
        show = small_button(
            self._theme,
            "Open folder",
            lambda: _open_folder(path),
            name=f"open_{object_name(title)}",
            spoken=f"Open folder: {title}",
        )
        return self._line(title, str(path), copy, show)

    def _about_row(self) -> QWidget:
        program, engine = self._about
        return self._line(
            program, f"Apache License 2.0. {engine}. No telemetry and no update checks."
        )

    def _fill_nav(self) -> None:
        for gone in self._group.buttons():
            self._group.removeButton(gone)
        clear(self._nav)
        for name, heading in self._sections:
            button = QPushButton(name)
            button.setObjectName(f"nav_{object_name(name)}")
            button.setAccessibleName(f"Settings: {name}")
            button.setProperty("kind", "quiet")
            button.setCheckable(True)
            button.setProperty("compact", "true")
            button.setStyleSheet("text-align: left;")
            button.clicked.connect(lambda _checked=False, wanted=heading: self._scroll_to(wanted))
            self._group.addButton(button)
            self._nav.addWidget(button)
        self._mark_section()

    # changes

    def _show(self, settings: Settings) -> None:
        for name, one in self._rows.items():
            one.show_value(getattr(settings, name))

    def _restyle(self) -> None:
        if self._theme.scale != self._scale:
            self._scale = self._theme.scale
            self._rebuild()

    def _reset(self, name: str) -> None:
        row = self._rows[name]
        before = getattr(self._store.current, name)
        self._undo[name] = before
        self._store.set(name, row.field.default)
        self.toast.say(
            f"{label_of(row.field)} was reset to {shown_value(row.field, row.field.default)}",
            undo_token=name,
        )

    def _undo_reset(self, name: str) -> None:
        if name in self._undo:
            self._store.set(name, self._undo.pop(name))

    def _copy_path(self, path: Path) -> None:
        QApplication.clipboard().setText(str(path))
        self.toast.say("Copied the path")

    def _mark_section(self) -> None:
        """Mark the section at the left that is in view at the right."""
        page = self._area.widget()
        if page is None:
            return
        bar = self._area.verticalScrollBar()
        at_end = bar.value() == bar.maximum() > 0
        current = 0
        for number, (_, heading) in enumerate(self._sections):
            top = heading.mapTo(page, heading.rect().topLeft()).y()
            if top <= bar.value() + self._theme.px(64) and not at_end:
                current = number
        buttons = self._group.buttons()
        if self._pressed and at_end:
            current = self._pressed
        elif at_end:
            current = len(buttons) - 1
        if current < len(buttons):
            buttons[current].setChecked(True)

    def _scroll_to(self, heading: QWidget) -> None:
        bar = self._area.verticalScrollBar()
        page = self._area.widget()
        if page is None:
            return
        top = heading.mapTo(page, heading.rect().topLeft()).y()
        self._pressed = [one for _, one in self._sections].index(heading)
        bar.setValue(top)
        self._mark_section()
        self._pressed = 0


def _open_folder(path: Path) -> None:
    folder = path if path.is_dir() else path.parent
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

"""The shape of a dialog: a title, a sentence, its fields, what happened, and a row of buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLineEdit, QPushButton, QWidget

from lockhouse.ui.frame_parts import FieldLabel, label, push_button
from lockhouse.ui.layouts import STRETCH, clear, column, row
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Banner, BannerTone, Spinner


class FormDialog(QDialog):
    """Its fields go to ``content``. It is as high as its text, unless a height is given."""

    def __init__(
        self,
        theme: Theme,
        name: str,
        title: str,
        about: str = "",
        *,
        width: int = 520,
        height: int = 0,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._is_fixed = height > 0
        self._fitted = 0  # the height that it gave itself
        px = theme.px
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setMinimumWidth(px(width))
        self.heading = label(title, role="h3", wrap=True, name=f"{name}_title")
        self.about = label(about, ink="2", wrap=True, name=f"{name}_about")
        self.about.setVisible(bool(about))
        self.content = column(theme, gap=10)
        self._banners = column(theme, gap=6)
        self._column = column(
            theme,
            self.heading,
            self.about,
            (self.content, 1 if height else 0),
            self._banners,
            gap=10,
            margins=(24, 20),
        )
        if not height:
            self._column.addSpacing(px(8))
            self._column.addStretch(1)
        self._column.addLayout(self._make_buttons())
        self.setLayout(self._column)
        if height:
            self.resize(px(width), px(height))

    def _make_buttons(self) -> QHBoxLayout:
        self._left, self._right = row(self._theme, gap=8), row(self._theme, gap=8)
        self._spinner = Spinner(self._theme, "Working")
        self._spinner.hide()
        self._doing = label("", role="caption", ink="2", name=f"{self.objectName()}_doing")
        return row(self._theme, self._left, self._spinner, self._doing, STRETCH, self._right, gap=8)

    def add_button(
        self,
        words: str,
        act: Callable[[], object],
        *,
        name: str,
        kind: str = "",
        icon: str = "",
        on_left: bool = False,
    ) -> QPushButton:
        """A button at the right, after those that are there; Enter presses a primary one."""
        button = push_button(self._theme, words, name=name, kind=kind, icon=icon)
        button.clicked.connect(lambda _checked=False: act())
        if kind == "primary":
            button.setDefault(True)
        (self._left if on_left else self._right).addWidget(button)
        return button

    def add_fields(self, *fields: tuple[str, QWidget]) -> dict[QWidget, FieldLabel]:
        """Fields with their names at the left."""
        px = self._theme.px
        grid = QGridLayout()
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(px(8))
        grid.setColumnStretch(1, 1)
        names = {}
        for number, (words, field) in enumerate(fields):
            names[field] = FieldLabel(words, field)
            grid.addWidget(names[field], number, 0)
            grid.addWidget(field, number, 1)
        self.content.addLayout(grid)
        return names

    def show_busy(self, words: str = "") -> None:
        """Something is under way."""
        self._spinner.show()
        self._doing.setText(words)

    def show_idle(self) -> None:
        """It is over."""
        self._spinner.hide()
        self._doing.clear()

    def say(
        self,
        message: str,
        hint: str = "",
        *,
        tone: BannerTone = "danger",
        actions: Sequence[tuple[str, str, Callable[[], None]]] = (),
    ) -> None:
        """Tell what happened, below the fields; ``actions`` are key, label and what to do."""
        banner = Banner(self._theme, tone, message, hint=hint, actions=[one[:2] for one in actions])
        banner.setObjectName("banner")
        calls = {key: call for key, _, call in actions}
        banner.action_chosen.connect(lambda key: calls[key]())
        self._banners.addWidget(banner)
        banner.show()  # only what is shown counts for the height
        self.fit()

    def clear_messages(self) -> None:
        """Take away what was said."""
        clear(self._banners)
        self.fit()

    def show_once(self) -> None:
        """Show it, and delete it when it is closed."""
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.show()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.fit()

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:  # what was added later is shown by now
            self.fit()
        return handled

    def fit(self) -> None:
        """As high as its text: a dialog does not grow by itself for lines that wrap.

        A height that the user chose stays, as long as the text has room in it.
        """
        if self._is_fixed or not self.isVisible():
            return
        self._column.activate()
        # The layout by itself keeps the height that the text needs where it is narrowest.
        self.setMinimumHeight(self._column.totalMinimumHeightForWidth(self.width()))
        wanted = max(self._column.totalHeightForWidth(self.width()), self.minimumHeight())
        if self._fitted in (0, self.height()) or wanted > self.height():
            self.resize(self.width(), wanted)
            self._fitted = wanted


def ask_text(
    parent: QWidget, theme: Theme, title: str, prompt: str, accept: str, text: str = ""
) -> str:
    """One line of text; "" when the dialog was cancelled."""
    dialog = FormDialog(theme, "line_dialog", title, width=368, parent=parent)
    edit = QLineEdit(text)
    edit.setObjectName("line_edit")
    edit.setAccessibleName(prompt)
    edit.setPlaceholderText(prompt)
    edit.selectAll()
    dialog.content.addWidget(edit)
    dialog.add_button("Cancel", dialog.reject, name="line_cancel")
    dialog.add_button(accept, dialog.accept, name="line_accept", kind="primary")
    edit.setFocus()
    return edit.text().strip() if dialog.exec() == QDialog.DialogCode.Accepted else ""

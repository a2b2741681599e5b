"""What a person does on the Gate page and sees of it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import (
    QDialog,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from lockhouse.ui.gate.page import GatePage
from lockhouse.ui.widgets import Banner
from tests.ui.window.driving import Window


def gate_page(window: Window) -> GatePage:
    window.main.show_page("gate")
    page = window.main.findChild(GatePage)
    assert isinstance(page, GatePage)
    window.until(lambda: bool(window.app.pages.gate.providers.rows))
    return page


def text_of(root: QWidget, name: str) -> str:
    found = root.findChild(QLabel, name)
    assert found is not None, name
    return found.text()


def state_of(page: GatePage, name: str) -> str:
    found = page.providers.findChild(QLabel, f"state_{name}")
    return found.text() if found is not None else ""


def typed(dialog: QDialog, name: str, text: str) -> None:
    field = dialog.findChild(QWidget, name)
    if isinstance(field, QPlainTextEdit):
        field.setPlainText(text)
    else:
        assert isinstance(field, QLineEdit)
        field.setText(text)


def banner_in(dialog: QWidget, name: str) -> str:
    shown = [one for one in dialog.findChildren(Banner, name) if one.isVisible()]
    return shown[-1].accessibleName() if shown else ""


def menu_entry(page: GatePage, name: str, words: str) -> Callable[[], None]:
    row = page._controller.providers.row(name)
    assert row is not None
    menu = page.providers._menu(row)
    return next(action.trigger for action in menu.actions() if action.text().startswith(words))


def check(window: Window, page: GatePage) -> None:
    """As the button does, once network access is seen."""
    window.until(page.providers._check.isVisible)
    window.press("providers_check", page)

"""Everything that can be pressed, typed into or chosen from is reached with Tab."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QTabBar,
    QTextEdit,
    QWidget,
)

from lockhouse.ui.models.page import ModelsPage
from lockhouse.workspace import Workspace
from tests.ui.window.driving import OpenWindow, Window

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QTextEdit,
)
MOST = 400


def named(part: QWidget) -> str:
    return f"{type(part).__name__} {part.objectName()} {part.accessibleName()[:40]}".strip()


def controls(root: QWidget) -> set[QWidget]:
    """All that is shown and can be used, inner parts of one control left out."""
    found = set()
    for part in root.findChildren(QWidget):
        is_control = isinstance(part, CONTROLS) and not isinstance(part, QScrollBar)
        if not (is_control and part.isVisible() and part.isEnabled()):
            continue
        inside = part.parentWidget()
        while inside is not None and inside is not root and not isinstance(inside, CONTROLS):
            inside = inside.parentWidget()
        if inside is root or inside is None:
            found.add(part)
    return found


def reached(window: Window, root: QWidget) -> set[QWidget]:
    """What gets the keyboard while Tab is pressed around the whole window."""
    root.activateWindow()
    window.until(root.isActiveWindow)
    seen: list[QWidget] = []
    for _ in range(MOST):
        now = QApplication.focusWidget()
        if now is not None and now in seen:
            first = seen.index(now)
            if len(seen) - first > 1 or now is seen[-1]:
                break
        if now is not None:
            seen.append(now)
        window.qtbot.keyClick(now or root, Qt.Key.Key_Tab)
    return set(seen)


def missed(window: Window, root: QWidget) -> list[str]:
    """What Tab does not reach. In a group of which one is chosen, arrows reach the others."""
    found = reached(window, root)
    groups = {part.group() for part in found if isinstance(part, QAbstractButton)} - {None}
    return sorted(
        named(part)
        for part in controls(root) - found
        if not any(one.isAncestorOf(part) for one in found if isinstance(one, CONTROLS))
        and not (isinstance(part, QAbstractButton) and part.group() in groups)
    )


@pytest.fixture
def window(open_window: OpenWindow, home: Path) -> Window:
    def prepare(workspace: Workspace) -> None:
        made = workspace.conversations.create(title="Boats")
        workspace.conversations.add_user(made.id, "About boats", parent_id=None)

    made = open_window(home, prepare=prepare)
    made.main.resize(1280, 800)
    return made


def test_on_the_chat_page(window: Window, tmp_path: Path) -> None:
    window.open(window.workspace.conversations.list()[0])
    (tmp_path / "notes.txt").write_text("Anything.")
    window.page.composer.take_files([tmp_path / "notes.txt"])
    window.page.aside.open("prompt")
    window.stored()
    assert missed(window, window.main) == []
    card = next(iter(window.page.transcript._board.live.values()))
    assert card in reached(window, window.main)


def test_on_the_models_page(window: Window) -> None:
    window.main.show_page("models")
    page = window.main.findChild(ModelsPage)
    assert page is not None
    page.installed.choose(window.app.models.installed.models[0].name)
    window.until(lambda: page.details.about._shown is not None)
    assert missed(window, window.main) == []
    for tab in ("discover", "transfers"):
        page.show_tab(tab)
        window.stored()
        assert missed(window, window.main) == []


def test_on_the_gate_and_in_the_settings(window: Window) -> None:
    window.main.show_page("gate")
    window.until(lambda: bool(window.app.pages.gate.providers.rows))
    assert missed(window, window.main) == []
    window.main.show_page("settings")
    window.stored()
    assert missed(window, window.main) == []

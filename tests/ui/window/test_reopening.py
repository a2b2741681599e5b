"""What a window finds again, and what it shows while it is still looking."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtWidgets import QApplication, QLabel, QWidget

from lockhouse.ui.app import build
from lockhouse.workspace import Workspace, open_workspace
from tests.ui.window.driving import OpenWindow, Window, close


def _two(workspace: Workspace) -> None:
    for title in ("Alpha", "Beta"):
        made = workspace.conversations.create(title=title)
        workspace.conversations.add_user(made.id, f"About {title}", parent_id=None)


def _open(window: Window, title: str) -> None:
    window.open(next(o for o in window.workspace.conversations.list() if o.title == title))


def _kept(home: Path) -> dict[str, object]:
    path = home / "window.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def test_nothing_is_called_empty_before_it_was_looked_at(
    open_window: OpenWindow, home: Path
) -> None:
    first = open_window(home, prepare=_two)
    theme = first.app._theme
    _open(first, "Alpha")
    close(first)
    workspace = open_workspace(home)
    instance = QApplication.instance()
    assert isinstance(instance, QApplication)
    second = Window(build(instance, theme, workspace), workspace, first.qtbot)
    try:
        second.main.show()
        words = _visible_words(second.main)
        assert not words & {"No chats yet", "Bring a model to this machine", "New chat"}
        seen: set[str] = set()
        second.page.work._stack.currentChanged.connect(
            lambda _: seen.update(_visible_words(second.main))
        )
        second.app.start()
        second.until(lambda: [one.text for one in second.messages] == ["About Alpha"])
        assert not seen & {"No chats yet", "Bring a model to this machine", "New chat"}
    finally:
        close(second)


def _visible_words(widget: QWidget) -> set[str]:
    return {label.text() for label in widget.findChildren(QLabel) if label.isVisible()}


def test_the_open_chat_is_found_again_after_a_kill(open_window: OpenWindow, home: Path) -> None:
    window = open_window(home, prepare=_two)
    _open(window, "Alpha")
    alpha = window.app.chat.conversation_id
    window.until(lambda: _kept(home).get("conversation_id") == alpha)
    _open(window, "Beta")
    beta = window.app.chat.conversation_id
    window.until(lambda: _kept(home).get("conversation_id") == beta)


def test_the_size_is_found_again_after_a_kill(open_window: OpenWindow, home: Path) -> None:
    window = open_window(home, prepare=_two)
    window.until(lambda: bool(_kept(home)))
    before = _kept(home)["geometry"]
    window.main.resize(1111, 777)
    window.until(lambda: _kept(home)["geometry"] != before)


def test_a_new_chats_draft_is_found_again_after_a_kill(open_window: OpenWindow, home: Path) -> None:
    window = open_window(home, prepare=_two)
    window.page.new_chat()
    window.qtbot.keyClicks(window.page.composer.edit, "not yet sent")
    window.until(lambda: _kept(home).get("draft") == "not yet sent")


def test_a_start_makes_a_backup_when_one_is_due(open_window: OpenWindow, home: Path) -> None:
    window = open_window(home, prepare=_two)
    folder = window.workspace.paths.backups
    window.until(lambda: folder.exists() and any(folder.iterdir()))


def test_a_window_closed_before_its_chat_came_finds_it_the_next_time(
    open_window: OpenWindow, home: Path
) -> None:
    window = open_window(home, prepare=_two)
    _open(window, "Alpha")
    theme, alpha = window.app._theme, window.app.chat.conversation_id
    close(window)
    workspace = open_workspace(home)
    instance = QApplication.instance()
    assert isinstance(instance, QApplication)
    close(Window(build(instance, theme, workspace), workspace, window.qtbot))
    assert _kept(home)["conversation_id"] == alpha

"""A person's session with the window, without a screen: chat, library, search, gate, export.

    silent_session.py FOLDER

Started and sealed as the launcher does it; run under strace. Where the home is open, the hub is
searched too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from lockhouse import launcher, seal

launcher.start_broker([])
seal.seal_network()

from PySide6.QtCore import QEvent, Qt  # noqa: E402 - the seal comes first
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget  # noqa: E402
from pytestqt.qtbot import QtBot  # noqa: E402

from lockhouse.core.errors import LockhouseError  # noqa: E402
from lockhouse.ui.app import build  # noqa: E402
from lockhouse.ui.theme import Theme  # noqa: E402
from lockhouse.workspace import open_workspace  # noqa: E402
from tests.ui.window.driving import Window, close  # noqa: E402

_LIMIT_S = 60.0


class Robot:
    """The few things that a window under test asks of its driver."""

    def waitUntil(self, true: Callable[[], bool], timeout: int = 0) -> None:  # noqa: N802
        give_up_at = time.monotonic() + _LIMIT_S
        while not true():
            if time.monotonic() > give_up_at:
                raise TimeoutError
            QTest.qWait(10)

    def keyClicks(self, widget: QWidget, text: str) -> None:  # noqa: N802
        QTest.keyClicks(widget, text)

    def keyClick(self, widget: QWidget, key: Qt.Key) -> None:  # noqa: N802
        QTest.keyClick(widget, key)


def session(window: Window, folder: Path) -> None:
    answer = window.ask("What is the capital of France?")
    assert answer.text, "no answer"
    print("chat", flush=True)
    for page in ("models", "gate", "settings", "chat"):
        window.main.show_page(page)
        window.stored()
    print("library", flush=True)
    window.main.show_palette()
    palette = window.dialog("palette")
    edit = palette.findChild(QLineEdit)
    assert edit is not None
    QTest.keyClicks(edit, "capital")
    window.stored()
    palette.close()
    print("search", flush=True)
    chat = window.app.chat
    chat.export.save(chat.conversation_id, "md", folder / "chat.md")
    window.until((folder / "chat.md").exists)
    print("export", flush=True)
    try:
        window.workspace.hub.search("tiny")
    except LockhouseError as error:
        print(error.code, flush=True)


def main() -> None:
    application = QApplication(sys.argv[:1])
    theme = Theme(application, choice="light", reduce_motion="on")
    workspace = open_workspace()
    workspace.save_settings(answer_max_tokens=8)
    app = build(application, theme, workspace)
    window = Window(app, workspace, cast("QtBot", Robot()))
    app.window.show()
    app.start()
    window.until(lambda: app.is_usable)
    session(window, Path(sys.argv[1]))
    close(window)
    application.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    workspace.engines.stop()
    workspace.close()
    print("done", flush=True)


main()

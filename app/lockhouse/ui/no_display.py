"""What is said where no window can be opened: no display, one that does not answer, a library.

Qt itself ends the process by abort, after some lines about plugins. Its messages are held back
while the application is made, and come out as one sentence with what to do instead. Qt is loaded
by none of this.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from PySide6.QtCore import QMessageLogContext, QtMsgType
    from PySide6.QtWidgets import QApplication

EXIT_CODE = 1
_WORDS = """\
lockhouse: The window cannot open: {reason}.
  In the terminal: lockhouse chat, or lockhouse ask "Hello". All commands: lockhouse --help
  What is missing for the window: lockhouse doctor
"""
_NAMES = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
_SHARED = re.compile(r"\blib[\w.+-]+\.so[\w.]*")
_LIBRARY = "is needed to load"
_UNREACHABLE = "could not connect to display"


def is_hopeless() -> bool:
    """Whether there is no display, so that loading Qt is of no use."""
    return sys.platform == "linux" and not any(os.environ.get(name) for name in _NAMES)


def say(reason: str) -> int:
    """Say why the window cannot open and what to do; the exit code."""
    sys.stderr.write(_WORDS.format(reason=reason))
    sys.stderr.flush()
    return EXIT_CODE


def say_missing(error: ImportError) -> int:
    """Say which library the window needs; the exit code. Raises what is not about Qt's loading."""
    library = _SHARED.search(str(error))
    if library is None and not (error.name or "").startswith(("PySide6", "shiboken6")):
        raise error
    return say(f"a library is missing ({library[0] if library else error})")


def application(make: Callable[[], QApplication]) -> QApplication:
    """The application that ``make`` makes; ends the process with a sentence where Qt cannot."""
    from PySide6.QtCore import QtMsgType, qInstallMessageHandler

    said: list[str] = []

    def hear(kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
        if kind == QtMsgType.QtFatalMsg:
            _end(said)
        said.append(message)

    before = qInstallMessageHandler(hear)
    try:
        made = make()
    finally:
        qInstallMessageHandler(before)
    for message in said:
        sys.stderr.write(f"{message}\n")
    return made


def _end(said: list[str]) -> NoReturn:
    """End the process, in the middle of Qt: nothing of Python's own tidying up can be done."""
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY", "")
    if any(_UNREACHABLE in message for message in said):
        reason = f"the display {display} does not answer" if display else "there is no display"
    else:
        library = next((message for message in said if _LIBRARY in message), "")
        reason = library.rstrip(".") or "Qt finds no way to show one"
    os._exit(say(reason))

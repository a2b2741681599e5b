"""The window for bugs: what happened, and a report to copy. Nothing is sent."""

from __future__ import annotations

import platform
import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtCore import QObject, Signal, qVersion
from PySide6.QtWidgets import QApplication, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse import seal
from lockhouse.ui.error_views import details_box
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.theme import Theme


def report(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None, version: str
) -> str:
    """Everything a developer needs, as text."""
    lines = "".join(traceback.format_exception(kind, error, trace))
    return (
        f"Lockhouse {version}, Python {platform.python_version()}, Qt {qVersion()}, "
        f"{platform.system()} {platform.release()} {platform.machine()}, seal {seal.state()}\n\n"
        f"{lines}"
    )


class CrashWindow(QDialog):
    """Shown for unexpected errors. The program continues if it can."""

    def __init__(self, theme: Theme, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        px = theme.px
        self.setObjectName("crash_window")
        self.setWindowTitle("Something went wrong")
        self.setMinimumWidth(px(560))
        self.text = text
        column = QVBoxLayout(self)
        column.setContentsMargins(px(24), px(20), px(24), px(20))
        column.setSpacing(px(8))
        column.addWidget(label("Something went wrong in Lockhouse", role="h3"))
        column.addWidget(
            label(
                "This is a bug in Lockhouse. Your chats are saved. Nothing is sent anywhere: to "
                "report the bug, copy the report and send it yourself. Read it first, because it "
                "may contain text from your chats.",
                ink="2",
                wrap=True,
            )
        )
        column.addWidget(details_box(theme, text, "crash_report"))
        row = QHBoxLayout()
        row.setSpacing(px(8))
        copy = push_button(theme, "Copy report", name="crash_copy", icon="copy")
        copy.clicked.connect(self._copy)
        self._copy_button = copy
        leave = push_button(theme, "Quit", name="crash_quit")
        leave.clicked.connect(self._quit)
        on = push_button(theme, "Continue", name="crash_continue", kind="primary")
        on.setDefault(True)
        on.clicked.connect(self.accept)
        row.addWidget(copy)
        row.addStretch(1)
        row.addWidget(leave)
        row.addWidget(on)
        column.addSpacing(px(8))
        column.addLayout(row)
        on.setFocus()

    def _copy(self) -> None:
        QApplication.clipboard().setText(self.text)
        self._copy_button.setText("Copied")

    def _quit(self) -> None:
        self.reject()
        QApplication.closeAllWindows()


class CrashCatcher(QObject):
    """Replaces the excepthook of every thread; shows one window at a time."""

    _caught = Signal(str)

    def __init__(self, theme: Theme, version: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._version = version
        self._window: CrashWindow | None = None
        self.over: QWidget | None = None
        self._caught.connect(self._show)

    def install(self) -> None:
        """Show bugs from now on."""
        sys.excepthook = self._hook
        threading.excepthook = self._thread_hook

    def _hook(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.closeAllWindows()
            return
        sys.__excepthook__(kind, error, trace)
        self._caught.emit(report(kind, error, trace, self._version))

    def _thread_hook(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            self._hook(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    def _show(self, text: str) -> None:
        if self._window is not None:
            return
        self._window = CrashWindow(self._theme, text, self.over)
        self._window.finished.connect(self._closed)
        self._window.show()

    def _closed(self, _result: int) -> None:
        if self._window is not None:
            self._window.deleteLater()
            self._window = None

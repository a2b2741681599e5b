"""How an error is shown in the window: a banner, or a dialog with what can be done.

One place for the table of kinds: what was not found or cannot be used, and what crashed, is a
banner with its hint; what does not fit is a dialog with the smaller choice that would; a bug is a
dialog with a report to copy, of which nothing is sent.
"""

from __future__ import annotations

import platform
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType

from PySide6.QtCore import QObject, Signal, qVersion
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QWidget

from lockhouse import seal
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import label, text_box
from lockhouse.ui.layouts import column, discard
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Banner, BannerTone

_MAX_BANNERS = 3


class BannerStack(QWidget):
    """Banners above the work area, newest first, each shown once."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shown: dict[str, Banner] = {}
        self._lasting: set[str] = set()
        self.setObjectName("banners")
        self._column = column(theme, gap=6, margins=(16, 8, 16, 0), on=self)
        self.hide()

    def say(
        self,
        message: str,
        hint: str = "",
        *,
        tone: BannerTone = "danger",
        actions: Sequence[tuple[str, str, Callable[[], None]]] = (),
        lasts: bool = False,
    ) -> None:
        """Show what happened; ``actions`` are key, label and what to do.

        ``lasts``: it holds for every chat, until somebody closes it.
        """
        if message in self._shown:
            return
        if lasts:
            self._lasting.add(message)
        banner = Banner(
            self._theme,
            tone,
            message,
            hint=hint,
            actions=[(key, words) for key, words, _ in actions],
            closable=True,
        )
        banner.setObjectName("banner")
        calls = {key: call for key, _, call in actions}

        def act(key: str) -> None:
            self._drop(message)
            calls[key]()

        banner.action_chosen.connect(act)
        banner.closed.connect(lambda: self._drop(message))
        self._shown[message] = banner
        self._column.insertWidget(0, banner)
        while len(self._shown) > _MAX_BANNERS:
            self._drop(next((one for one in self._shown if one not in self._lasting), message))
        self.show()

    def clear(self) -> None:
        """Remove what belonged to another page."""
        for message in self._shown.keys() - self._lasting:
            self._drop(message)

    @property
    def messages(self) -> tuple[str, ...]:
        """What is shown now, oldest first."""
        return tuple(self._shown)

    def _drop(self, message: str) -> None:
        self._lasting.discard(message)
        banner = self._shown.pop(message, None)
        if banner is not None:
            self._column.removeWidget(banner)
            discard(banner)
        self.setVisible(bool(self._shown))


class ChoiceDialog(FormDialog):
    """What happened, a hint, and a button for each choice."""

    chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        title: str,
        message: str,
        *,
        hint: str = "",
        choices: Sequence[tuple[str, str]] = (),
        details: str = "",
        close_words: str = "Close",
        name: str = "choice_dialog",
        destroys: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """``choices`` are keys and labels; the first is the recommended one.

        Where it ``destroys`` something it is coloured as danger, and Enter closes the dialog.
        """
        super().__init__(theme, name, title, width=440, parent=parent)
        self.content.addWidget(label(message, wrap=True, name="dialog_message"))
        if hint:
            self.content.addWidget(label(hint, ink="2", wrap=True, name="dialog_hint"))
        if details:
            self.content.addWidget(_details_box(theme, details, "dialog_details"))
        close = self.add_button(close_words, self.reject, name="dialog_close")
        close.setDefault(destroys)
        for key, words in reversed(choices):
            main = "danger" if destroys else "primary"
            kind = main if key == choices[0][0] else ""
            act = partial(self._choose, key)
            self.add_button(words, act, name=f"dialog_{key}", kind=kind)

    def _choose(self, key: str) -> None:
        self.chosen.emit(key)
        self.accept()


def _details_box(theme: Theme, text: str, name: str) -> QPlainTextEdit:
    box = text_box(theme, text, name, "Details")
    box.setMinimumHeight(120)
    box.setMaximumHeight(260)
    return box


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


class CrashWindow(FormDialog):
    """Shown for unexpected errors. The program continues if it can."""

    def __init__(self, theme: Theme, text: str, parent: QWidget | None = None) -> None:
        about = (
            "This is a bug in Lockhouse. Your chats are saved. Nothing is sent anywhere: to report "
            "the bug, copy the report and send it yourself. Read it first, because it may contain "
            "text from your chats."
        )
        title = "Something went wrong in Lockhouse"
        super().__init__(theme, "crash_window", title, about, width=560, parent=parent)
        self.text = text
        self.content.addWidget(_details_box(theme, text, "crash_report"))
        self._copy_button = self.add_button(
            "Copy report", self._copy, name="crash_copy", icon="copy", on_left=True
        )
        self.add_button("Quit", self._quit, name="crash_quit")
        go_on = self.add_button("Continue", self.accept, name="crash_continue", kind="primary")
        go_on.setFocus()

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

"""What a window needs before there is one: the Qt application, its theme, a home that opens."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

import lockhouse
from lockhouse.core.errors import LockhouseError
from lockhouse.storage.settings import Settings
from lockhouse.ui.error_views import ChoiceDialog
from lockhouse.ui.rail import app_icon_path
from lockhouse.ui.theme import Theme

_SWITCH_INTERVAL_S = 0.0001
_GC_THRESHOLDS = (50_000, 20, 50)
_ICON_SIZES = (16, 24, 32, 48, 64, 128, 256)


def tidy() -> None:
    """What was made at the start stays: looking through it all again would halt the window."""
    gc.collect()
    gc.freeze()


class FirstPaint(QObject):
    """Tells when the window was painted for the first time."""

    painted = Signal()

    def __init__(self, window: QObject) -> None:
        super().__init__(window)
        self._done = False
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and not self._done:
            self._done = True
            QTimer.singleShot(0, self.painted.emit)
        return False


def make_application(arguments: list[str]) -> QApplication:
    """The Qt application with its names and icon."""
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(arguments)
    # A thread that computes in Python makes each call of Qt's wait this long for Python's lock.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # Reading a library makes tens of thousands of values that die at once: not worth a search.
    gc.set_threshold(*_GC_THRESHOLDS)
    application.setOrganizationName("Lockhouse")
    application.setApplicationName("Lockhouse")
    application.setApplicationDisplayName("Lockhouse")
    application.setApplicationVersion(lockhouse.__version__)
    application.setDesktopFileName("lockhouse")
    icon = QIcon()
    for size in _ICON_SIZES:
        icon.addFile(app_icon_path(size))
    application.setWindowIcon(icon)
    return application


def home_of(arguments: list[str]) -> Path | None:
    """The home that was named on the command line."""
    for number, word in enumerate(arguments):
        if word == "--home" and number + 1 < len(arguments):
            return Path(arguments[number + 1])
        if word.startswith("--home="):
            return Path(word.removeprefix("--home="))
    return None


def tell_storage_error(theme: Theme, error: LockhouseError) -> None:
    """The database cannot be used: say which and what to do, then end."""
    titles = {
        "database_damaged": "The database is damaged",
        "database_too_new": "The database was written by a newer Lockhouse",
    }
    dialog = ChoiceDialog(
        theme,
        titles.get(error.code, "Lockhouse cannot open its database"),
        error.message,
        hint=error.hint,
        close_words="Quit",
    )
    dialog.setObjectName("storage_dialog")
    dialog.exec()


def theme_for(application: QApplication, settings: Settings) -> Theme:
    """The look that the settings ask for."""
    return Theme(
        application,
        choice=settings.theme,
        scale=settings.text_scale,
        reduce_motion=settings.reduce_motion,
    )

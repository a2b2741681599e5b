"""What is set up before the window: the Qt application, the theme, the home folder."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

import lockhouse
from lockhouse.bundled import resource
from lockhouse.core.errors import LockhouseError, StorageError
from lockhouse.storage.settings import Settings
from lockhouse.ui import no_display
from lockhouse.ui.error_views import ChoiceDialog
from lockhouse.ui.theme import Theme

_SWITCH_INTERVAL_S = 0.0001
_GC_THRESHOLDS = (50_000, 20, 50)
_ICON_SIZES = (16, 24, 32, 48, 64, 128, 256)


def tidy() -> None:
    """Exclude what exists after the start from garbage collection, which would stall the window."""
    gc.collect()
    gc.freeze()


class FirstPaint(QObject):
    """Signals the first paint of the window."""

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
    if isinstance(existing, QApplication):
        application = existing
    else:
        application = no_display.application(lambda: QApplication(arguments))
    # How long a thread busy in Python keeps the lock that the GUI thread waits for.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # Reading a library makes many short-lived objects: collect less often.
    gc.set_threshold(*_GC_THRESHOLDS)
    application.setOrganizationName("Lockhouse")
    application.setApplicationName("Lockhouse")
    application.setApplicationDisplayName("Lockhouse")
    application.setApplicationVersion(lockhouse.__version__)
    application.setDesktopFileName("lockhouse")
    icon = QIcon()
    for size in _ICON_SIZES:
        icon.addFile(str(resource("app", f"lockhouse-{size}.png")))
    application.setWindowIcon(icon)
    return application


def load_qt() -> QApplication:
    """Load what a window loads, without a screen: for the self-test in a process like it."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    return QApplication(sys.argv[:1])


def home_of(arguments: list[str]) -> Path | None:
    """The home folder named on the command line."""
    for number, word in enumerate(arguments):
        if word == "--home" and number + 1 < len(arguments):
            return Path(arguments[number + 1])
        if word.startswith("--home="):
            return Path(word.removeprefix("--home="))
    return None


def tell_storage_error(
    theme: Theme, error: LockhouseError, recover: Callable[[], str] | None = None
) -> bool:
    """Say which database cannot be used and what to do; whether it was recovered.

    ``recover`` does that and returns what came of it; it is offered for a damaged one.
    """
    titles = {
        "database_damaged": "The database is damaged",
        "database_too_new": "The database was written by a newer Lockhouse",
    }
    can_recover = recover is not None and error.code == "database_damaged"
    dialog = ChoiceDialog(
        theme,
        titles.get(error.code, "Lockhouse cannot open its database"),
        error.message,
        hint=error.hint,
        choices=[("recover", "Recover what can be read")] if can_recover else (),
        close_words="Quit",
        name="storage_dialog",
    )
    chosen: list[str] = []
    dialog.chosen.connect(chosen.append)
    dialog.exec()
    if not chosen or recover is None:
        return False
    try:
        done = recover()
    except StorageError as failed:
        return tell_storage_error(theme, failed)
    ChoiceDialog(
        theme, "The database was recovered", done, close_words="Continue", name="recovered_dialog"
    ).exec()
    return True


def theme_for(application: QApplication, settings: Settings) -> Theme:
    """The theme according to the settings."""
    return Theme(
        application,
        choice=settings.theme,
        scale=settings.text_scale,
        reduce_motion=settings.reduce_motion,
    )

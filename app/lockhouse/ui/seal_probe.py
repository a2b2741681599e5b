"""What a window has loaded, for the self-test in a process like it: Qt and its native code."""

from __future__ import annotations

import os
import sys

from PySide6.QtWidgets import QApplication


def load_qt() -> QApplication:
    """An application without a screen; it lives as long as the process."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    return QApplication(sys.argv[:1])

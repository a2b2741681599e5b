"""The binding itself: releases that lose references must not come back."""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QWidget


def test_void_calls_do_not_lose_references_to_none(qapp: QApplication) -> None:
    """PySide6 6.12.0 drops one reference to None a call on Python 3.11, until it crashes."""
    widget, plain = QWidget(), QObject()
    before = sys.getrefcount(None)
    for number in range(200):
        widget.setObjectName(str(number))
        plain.setObjectName(str(number))
        widget.update()
    assert abs(sys.getrefcount(None) - before) < 50
    assert qapp is not None

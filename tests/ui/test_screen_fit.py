"""A window is never larger than the screen it opens on."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QRect

from lockhouse.ui.screen_fit import fitted

FRAME = QMargins(2, 30, 2, 2)


def test_a_first_window_fits_on_a_laptop_with_its_frame() -> None:
    screen = QRect(0, 0, 1280, 800)
    fit = fitted(QRect(0, 0, 1280, 800), FRAME, screen)
    assert screen.contains(fit.marginsAdded(FRAME))
    assert fit.size().width() == 1276
    assert fit.size().height() == 768


def test_a_window_half_off_the_screen_is_moved_and_keeps_its_size() -> None:
    screen = QRect(0, 24, 1920, 1056)
    fit = fitted(QRect(1500, -40, 1000, 700), FRAME, screen)
    assert (fit.width(), fit.height()) == (1000, 700)
    assert screen.contains(fit.marginsAdded(FRAME))


def test_a_window_that_fits_stays_where_it_is() -> None:
    here = QRect(200, 150, 900, 600)
    assert fitted(here, FRAME, QRect(0, 0, 1920, 1080)) == here

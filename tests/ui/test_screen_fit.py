"""A window is never larger than its screen, and a list that opens over it stays inside."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QRect, QSize

from lockhouse.ui.screen_fit import beside, fitted, room_for

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


SCREEN = QRect(0, 0, 1600, 1200)
WINDOW = QRect(100, 100, 1280, 800)


def test_a_list_opened_in_the_middle_does_not_hang_out_below_the_window() -> None:
    button = QRect(540, 500, 28, 28)
    room = room_for(button, 288, WINDOW, SCREEN)
    list_ = beside(button, QSize(480, 440), room, 4)
    assert WINDOW.contains(list_)
    assert not list_.intersects(button)


def test_a_list_at_the_lower_right_opens_above_and_moves_left() -> None:
    button = QRect(1340, 860, 28, 28)
    list_ = beside(button, QSize(480, 440), WINDOW, 4)
    assert WINDOW.contains(list_)
    assert list_.size() == QSize(480, 440)
    assert list_.bottom() < button.top()


def test_a_window_too_low_for_a_list_lends_it_the_screen() -> None:
    low = QRect(100, 100, 640, 300)
    button = QRect(300, 240, 28, 28)
    list_ = beside(button, QSize(480, 440), room_for(button, 288, low, SCREEN), 4)
    assert SCREEN.contains(list_)
    assert list_.size() == QSize(480, 440)

"""The shared painted parts: what they say in words, and that keys reach them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from lockhouse.ui.error_views import ChoiceDialog
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.widgets import (
    Banner,
    IconButton,
    KeyCap,
    MemoryBar,
    MemoryPart,
    Meter,
    Pill,
    SegmentedControl,
    Spinner,
    Switch,
    ThinBar,
)


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    made = Theme(qapp, choice="light", reduce_motion="off")
    yield made
    made.setParent(None)
    qapp.setStyleSheet("")


def test_memory_bar_says_what_it_shows(theme: Theme, qtbot: QtBot) -> None:
    bar = MemoryBar(theme)
    qtbot.addWidget(bar)
    parts = [
        MemoryPart("Weights", "mem-weights", 5_000_000_000),
        MemoryPart("Cache", "mem-cache", 2_400_000_000),
    ]
    bar.set_parts(parts, 24_000_000_000)
    assert bar.accessibleName() == "Memory: weights 5.0, cache 2.4, free 16.6 GB"
    bar.set_parts(parts, 7_000_000_000)
    assert bar.accessibleName().endswith("0.4 GB more than there is")
    bar.resize(100, 12)
    assert bar.grab().toImage().pixelColor(98, 6).name() == tokens.LIGHT["danger"].lower()


def test_meter_and_thin_bar_say_what_they_show(theme: Theme, qtbot: QtBot) -> None:
    meter, line = Meter(theme, "Context"), ThinBar(theme, "Reading")
    qtbot.addWidget(meter)
    qtbot.addWidget(line)
    meter.set_amount(2900, 16000, "2.9k of 16k")
    assert meter.accessibleName() == "Context: 2.9k of 16k"
    line.set_fraction(7)
    assert line.accessibleName() == "Reading: 100%"


def test_spinner_stands_still_with_less_motion(theme: Theme, qtbot: QtBot) -> None:
    spinner = Spinner(theme, "Answering")
    qtbot.addWidget(spinner)
    spinner.show()
    assert spinner.is_turning()
    theme.set_reduce_motion("on")
    assert not spinner.is_turning()
    theme.set_reduce_motion("off")
    spinner.hide()
    assert not spinner.is_turning()


def test_switch_by_mouse_and_keyboard(theme: Theme, qtbot: QtBot) -> None:
    switch = Switch(theme, "Reduce motion")
    qtbot.addWidget(switch)
    switch.show()
    qtbot.mouseClick(switch, Qt.MouseButton.LeftButton)
    assert switch.isChecked()
    qtbot.keyClick(switch, Qt.Key.Key_Return)
    qtbot.keyClick(switch, Qt.Key.Key_Space)
    assert switch.isChecked()


def test_segmented_control_announces_only_what_a_person_chose(theme: Theme, qtbot: QtBot) -> None:
    control = SegmentedControl("Theme", [("system", "System"), ("dark", "Dark")])
    qtbot.addWidget(control)
    control.show()
    heard: list[str] = []
    control.selected.connect(heard.append)
    control.set_current("dark")
    assert (control.current(), heard) == ("dark", [])
    first = control.findChild(type(control._group.button(0)), "segment-system")
    qtbot.mouseClick(first, Qt.MouseButton.LeftButton)
    assert (control.current(), heard) == ("system", ["system"])


def test_icon_button_is_28_square_and_needs_a_name(theme: Theme, qtbot: QtBot) -> None:
    button = IconButton(theme, "copy", "Copy answer", shortcut="Ctrl+C")
    qtbot.addWidget(button)
    button.show()
    assert (button.sizeHint().width(), button.sizeHint().height()) == (28, 28)
    assert button.accessibleName() == "Copy answer"
    assert "Ctrl+C" in button.toolTip()
    with pytest.raises(ValueError, match="name"):
        IconButton(theme, "copy", "")


def test_banner_says_what_happened_and_offers_a_way_on(theme: Theme, qtbot: QtBot) -> None:
    banner = Banner(
        theme,
        "danger",
        "The engine stopped.",
        hint="It ran out of memory.",
        actions=[("again", "Try again")],
        closable=True,
    )
    qtbot.addWidget(banner)
    banner.show()
    assert banner.accessibleName() == "Error: The engine stopped. It ran out of memory."
    with qtbot.waitSignal(banner.action_chosen) as chosen:
        button = banner.findChild(QPushButton, "banner-again")
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert chosen.args == ["again"]
    with qtbot.waitSignal(banner.closed):
        qtbot.mouseClick(banner.findChild(IconButton), Qt.MouseButton.LeftButton)
    assert not banner.isVisible()


def test_pill_and_key_cap_grow_with_their_words(theme: Theme, qtbot: QtBot) -> None:
    pill, cap = Pill(theme, "Fits", icon="check", tone="success"), KeyCap("Ctrl K")
    qtbot.addWidget(pill)
    qtbot.addWidget(cap)
    before = pill.sizeHint()
    assert before.height() == 20
    pill.show_state("May be slow", icon="gauge", tone="warning")
    assert pill.sizeHint().width() > before.width()
    assert pill.accessibleName() == "May be slow"
    cap.ensurePolished()
    assert cap.sizeHint().height() == 18


def test_a_dialog_is_as_high_as_its_text(theme: Theme, qtbot: QtBot) -> None:
    lines = "Deletes the 6.0 GB downloaded so far.", "Pause it instead to continue later."
    dialog = ChoiceDialog(theme, "Cancel the download?", lines[0], hint=lines[1])
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitExposed(dialog)
    below = dialog.findChild(QPushButton, "dialog_close")
    hint = dialog.findChild(QLabel, "dialog_hint")
    assert below is not None
    assert hint is not None
    assert below.y() - hint.geometry().bottom() <= 24


def test_a_dialog_grows_with_what_it_is_given_later(theme: Theme, qtbot: QtBot) -> None:
    dialog = FormDialog(theme, "later", "Hardware")
    dialog.add_button("Close", dialog.accept, name="later_close")
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitExposed(dialog)
    low = dialog.height()
    for number in range(12):
        dialog.content.addWidget(QLabel(f"Line {number}"))
    qtbot.waitUntil(lambda: dialog.height() > low + 12 * 16)
    close = dialog.findChild(QPushButton, "later_close")
    last = dialog.findChildren(QLabel)[-1]
    assert close is not None
    assert close.y() >= last.geometry().bottom()

"""The theme as an application wears it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontInfo, QFontMetricsF, QIcon, QPalette
from PySide6.QtWidgets import QApplication, QHBoxLayout, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from lockhouse.bundled import resource
from lockhouse.core.errors import NotFound
from lockhouse.ui.theme import Theme, sheet, tokens


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    made = Theme(qapp, choice="light")
    yield made
    made.setParent(None)
    qapp.setStyleSheet("")


def test_switching_reaches_palette_and_signal(theme: Theme, qtbot: QtBot) -> None:
    with qtbot.waitSignal(theme.changed):
        theme.set_choice("dark")
    assert theme.is_dark
    assert QApplication.palette().color(QPalette.ColorRole.Window).name() == "#1f1d1c"
    assert theme.color("text-1").name() == "#ece9e3"


def test_the_bundled_fonts_are_the_ones_drawn(theme: Theme) -> None:
    for role, family in (("reading", "Inter"), ("code", "JetBrains Mono")):
        assert QFontInfo(theme.font(role)).family() == family  # type: ignore[arg-type]
    assert QFontInfo(theme.font("reading", weight=600)).weight() == 600
    assert QFontInfo(theme.font("code", weight=500)).weight() == 500


def test_code_has_no_ligatures(theme: Theme) -> None:
    metrics = QFontMetricsF(theme.font("code"))
    assert metrics.horizontalAdvance("!=") == pytest.approx(2 * metrics.horizontalAdvance("="))
    assert theme.font("code").isFeatureSet(QFont.Tag("calt"))


def test_zoom_scales_type_sizes_and_sheet_but_not_hairlines(theme: Theme) -> None:
    theme.set_scale(1.5)
    assert theme.font("reading").pixelSize() == 21
    assert theme.px(28) == 42
    text = sheet.build(tokens.LIGHT, theme.px)
    assert "min-height: 45px" in text
    assert "1px solid" in text
    theme.set_scale(9)
    assert theme.scale == 2.0


def test_the_sheet_has_no_unknown_token_and_parses(theme: Theme, qtbot: QtBot) -> None:
    for scheme in ("light", "dark"):
        text = sheet.build(tokens.PALETTES[scheme], theme.px)
        assert not re.search(r"@[a-z]", text)
        assert text.count("{") == text.count("}")
    button = QPushButton("Send")
    button.setProperty("kind", "primary")
    qtbot.addWidget(button)
    button.show()
    assert button.sizeHint().height() == 32
    middle = button.grab().toImage().pixelColor(4, button.height() // 2)
    assert middle.name() == tokens.LIGHT["accent"].lower()


def test_icons_take_the_colour_of_their_role(theme: Theme) -> None:
    image = theme.pixmap("square", 16, "danger", ratio=2.0).toImage()
    assert image.width() == 32
    drawn = {
        image.pixelColor(x, y).name()
        for x in range(32)
        for y in range(32)
        if image.pixelColor(x, y).alpha() == 255
    }
    assert drawn == {tokens.LIGHT["danger"].lower()}
    assert not theme.icon("copy").pixmap(16, QIcon.Mode.Disabled).isNull()
    with pytest.raises(NotFound):
        theme.pixmap("no-such-icon")


def test_every_bundled_icon_can_be_drawn(theme: Theme) -> None:
    names = [path.stem for path in resource("icons").glob("*.svg")]
    assert len(names) > 60
    for name in names:
        image = theme.pixmap(name, 16, "text-1", ratio=1.0).toImage()
        assert any(image.pixelColor(x, y).alpha() for x in range(16) for y in range(16)), name


def test_a_bound_icon_follows_the_theme(theme: Theme, qtbot: QtBot) -> None:
    button = QToolButton()
    qtbot.addWidget(button)
    theme.bind_icon(button, "copy")
    before = button.icon().cacheKey()
    theme.set_choice("dark")
    assert button.icon().cacheKey() != before


def test_only_the_keyboard_draws_a_ring(theme: Theme, qtbot: QtBot) -> None:
    window = QWidget()
    row = QHBoxLayout(window)
    first, second = QPushButton("First"), QPushButton("Second")
    row.addWidget(first)
    row.addWidget(second)
    qtbot.addWidget(window)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    qtbot.mouseClick(first, Qt.MouseButton.LeftButton)
    assert not first.property("ring")
    qtbot.keyClick(first, Qt.Key.Key_Tab)
    assert second.hasFocus()
    assert second.property("ring")
    assert second.sizeHint().height() == 32
    qtbot.mouseClick(first, Qt.MouseButton.LeftButton)
    assert not second.property("ring")
    assert not first.property("ring")


def test_less_motion_is_what_the_user_says(theme: Theme) -> None:
    theme.set_reduce_motion("on")
    assert theme.less_motion
    theme.set_reduce_motion("off")
    assert not theme.less_motion

"""The Settings page: built from the fields, applied at once, kept, taken back."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QLineEdit

from lockhouse.storage.settings import fields
from lockhouse.ui.settings.page import SettingsPage
from lockhouse.ui.settings.rows import SettingRow
from lockhouse.ui.widgets import SegmentedControl, Switch
from lockhouse.workspace import open_workspace
from tests.ui.window.driving import OpenWindow, Window, close


def _page(window: Window) -> SettingsPage:
    window.app.window.show_page("settings")
    page = window.main.findChild(SettingsPage)
    assert page is not None
    return page


def _row(window: Window, name: str) -> SettingRow:
    row = _page(window).findChild(SettingRow, f"row_{name}")
    assert row is not None
    return row


def test_every_field_has_a_row(window: Window) -> None:
    rows = {row.field.name for row in _page(window).findChildren(SettingRow)}
    assert rows == {field.name for field in fields()}


def test_a_change_is_in_force_at_once_and_kept(window: Window) -> None:
    row = _row(window, "theme")
    control = row.findChild(SegmentedControl)
    assert control is not None
    window.press("segment-dark", control)
    assert window.app._theme.is_dark
    window.stored()
    assert window.workspace.settings_file.load().theme == "dark"


def test_the_way_back_and_its_undo(window: Window) -> None:
    window.app.settings.set("temperature", 1.5)
    row = _row(window, "temperature")
    window.press("reset_temperature", row)
    assert window.app.settings.current.temperature == 0.7
    assert not row._reset.isVisible()
    window.press("toast_undo", _page(window))
    assert window.app.settings.current.temperature == 1.5


def test_a_wrong_number_is_told_beside_the_field_and_not_kept(window: Window) -> None:
    row = _row(window, "top_p")
    edit = row.findChild(QLineEdit)
    assert edit is not None
    edit.setFocus()
    edit.selectAll()
    window.qtbot.keyClicks(edit, "7")
    assert "Top-p has to be a number from 0 to 1" in row._problem.text()
    edit.editingFinished.emit()
    assert window.app.settings.current.top_p == 0.95
    edit.selectAll()
    window.qtbot.keyClicks(edit, "0.5")
    edit.editingFinished.emit()
    assert not row._problem.isVisible()
    assert window.app.settings.current.top_p == 0.5


def test_enter_sends_reaches_the_composer(window: Window) -> None:
    switch = _row(window, "enter_sends").findChild(Switch)
    assert switch is not None
    switch.click()
    assert not window.page.composer.edit._enter_sends


def test_text_size_by_keys_scales_everything(window: Window) -> None:
    before = window.page.composer.send_button.sizeHint()
    window.app.settings.set("text_scale", 1.5)
    assert window.page.composer.send_button.sizeHint().width() == round(before.width() * 1.5)
    rail = window.app.window._rail.width()
    window.app.settings.set("text_scale", 1.0)
    assert window.page.composer.send_button.sizeHint() == before
    assert window.app.window._rail.width() == round(rail / 1.5)


def test_settings_are_found_again(open_window: OpenWindow, home: Path) -> None:
    first = open_window(home)
    first.app.settings.set("context_length", 2048)
    close(first)
    workspace = open_workspace(home)
    assert workspace.settings.context_length == 2048
    workspace.close()


def test_a_settings_file_that_cannot_be_read_is_told(open_window: OpenWindow, home: Path) -> None:
    home.mkdir(parents=True)
    (home / "settings.json").write_text("{ not json", encoding="utf-8")
    window = open_window(home)
    assert window.page.banners.messages
    assert window.app.settings.current.temperature == 0.7


def test_a_settings_file_that_cannot_be_written_is_told_and_taken_back(window: Window) -> None:
    path = window.workspace.paths.settings
    path.unlink(missing_ok=True)
    path.mkdir()
    window.app.settings.set("temperature", 1.9)
    window.until(lambda: bool(window.page.banners.messages))
    assert window.app.settings.current.temperature == 0.7


def test_a_setting_changed_by_a_command_reaches_an_open_window(window: Window, home: Path) -> None:
    for wanted in ("dark", "light"):  # the file is new the first time and replaced the second
        other = open_workspace(home)
        other.save_settings(theme=wanted)
        other.close()
        window.until(lambda wanted=wanted: window.app.settings.current.theme == wanted)  # type: ignore[misc]
        assert window.app._theme.is_dark == (wanted == "dark")
    assert window.workspace.settings.theme == "light"


def test_a_half_written_settings_file_is_left_alone(window: Window, home: Path) -> None:
    path = home / "settings.json"
    path.write_text('{"theme": "da', encoding="utf-8")
    path.write_text('{"theme": "dark"}', encoding="utf-8")
    window.until(lambda: window.app.settings.current.theme == "dark")
    assert [each.name for each in home.glob("settings*")] == ["settings.json"]

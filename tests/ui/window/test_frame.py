"""The frame: pages, shortcuts, narrow windows, names for screen readers, what comes back."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAccessible, QDropEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QDialog,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from lockhouse.library.starter import starter_model
from lockhouse.ui import shortcuts
from lockhouse.ui.chat.first_start import CardButton
from lockhouse.ui.chat.palette import Palette
from lockhouse.ui.models import disk_use
from lockhouse.ui.models.page import ModelsPage
from lockhouse.ui.pages import PAGES, PageEntry
from lockhouse.ui.window_state import WindowState, load_state, save_state
from lockhouse.workspace import Workspace
from tests.ui.window.driving import OpenWindow, Window, close

CONTROLS = (QAbstractButton, QAbstractItemView, QComboBox, QLineEdit, QPlainTextEdit, QTextEdit)


def _unnamed(root: QWidget) -> list[str]:
    """Controls that a test or a screen reader could not tell apart."""
    missing = []
    for widget in root.findChildren(QWidget):
        if not isinstance(widget, CONTROLS) or widget.objectName().startswith("qt_"):
            continue
        if isinstance(widget.parent(), QAbstractItemView | QComboBox | QLineEdit):
            continue
        interface = QAccessible.queryAccessibleInterface(widget)
        name = interface.text(QAccessible.Text.Name) if interface else ""
        if not widget.objectName() or not name:
            missing.append(f"{type(widget).__name__} {widget.objectName()!r} {name!r}")
    return missing


def test_every_control_has_an_object_name_and_an_accessible_name(window: Window) -> None:
    main = window.app.window
    for page in (entry.key for entry in PAGES):
        main.show_page(page)
    window.page.aside.open("prompt")
    window.page.aside.open("details")
    window.until(lambda: bool(window.app.models.installed.models))
    assert _unnamed(main) == []
    for show, name in (
        (main.show_palette, "palette"),
        (main.show_shortcuts, "shortcut_list"),
        (window.app.pages.ask_network_access, "network_access_dialog"),
    ):
        show()
        dialog = window.dialog(name)
        assert _unnamed(dialog) == []
        dialog.close()


def test_shortcuts_have_one_owner_each() -> None:
    keys = [key for entry in shortcuts.with_pages(PAGES) for key in entry.keys]
    assert len(keys) == len(set(keys))


def test_a_missing_handler_is_noticed(qapp: QApplication) -> None:
    widget = QWidget()
    with pytest.raises(KeyError):
        shortcuts.bind(widget, shortcuts.SHORTCUTS, {"new_chat": lambda: None})


def test_shortcuts_do_what_the_list_says(window: Window) -> None:
    main = window.app.window
    actions = {action.objectName(): action for action in main.actions()}
    actions["action_page_settings"].trigger()
    assert main.page == "settings"
    actions["action_page_models"].trigger()
    assert main.page == "models"
    actions["action_new_chat"].trigger()
    assert main.page == "chat"
    assert window.page.composer.isVisible()
    actions["action_sidebar"].trigger()
    assert not window.page.columns.list_visible
    actions["action_sidebar"].trigger()
    assert window.page.columns.list_visible
    actions["action_larger"].trigger()
    window.until(lambda: window.app.settings.current.text_scale == pytest.approx(1.1))
    actions["action_larger"].trigger()
    actions["action_normal_size"].trigger()
    assert window.app.settings.current.text_scale == 1.0
    window.qtbot.wait(150)  # longer than a step waits for the next
    assert window.app.settings.current.text_scale == 1.0
    actions["action_shortcuts"].trigger()
    window.dialog("shortcut_list").close()


def test_a_page_is_added_by_one_entry(open_window: OpenWindow, home: Path) -> None:
    sketches = PageEntry("sketches", "Sketches", "pencil", "Ctrl+9", lambda _: QLabel("Sketchbook"))
    window = open_window(home, pages=(*PAGES, sketches))
    main = window.main

    button = main.findChild(QAbstractButton, "rail_sketches")
    assert button is not None
    assert button.accessibleName() == "Sketches"
    window.press("rail_sketches")
    assert main.page == "sketches"
    assert main.windowTitle() == "Sketches – Lockhouse"
    assert any(label.text() == "Sketchbook" and label.isVisible() for label in _labels(main))

    main.show_page("chat")
    main.activateWindow()
    window.until(main.isActiveWindow)
    window.qtbot.keyClick(main, Qt.Key.Key_9, Qt.KeyboardModifier.ControlModifier)
    assert main.page == "sketches"

    main.show_page("chat")
    main.show_palette()
    palette = window.dialog("palette")
    assert isinstance(palette, Palette)
    window.qtbot.keyClicks(palette.edit, "sketches")
    window.qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    assert main.page == "sketches"

    main.show_shortcuts()
    dialog = window.dialog("shortcut_list")
    assert {"Sketches", "Models"} <= {label.text() for label in _labels(dialog)}
    dialog.close()

    close(window)
    assert open_window(home, pages=(*PAGES, sketches)).main.page == "sketches"
    assert open_window(home).main.page == "chat"  # an unknown page of another version


def _labels(root: QWidget) -> list[QLabel]:
    return root.findChildren(QLabel)


def test_when_it_gets_narrow_the_details_go_first_then_the_list(window: Window) -> None:
    main, columns = window.app.window, window.page.columns
    window.page.new_chat()
    main.resize(1280, 800)
    window.page.aside.open("details")
    assert columns.list_visible
    assert columns.details_visible
    main.resize(1100, 800)
    window.until(lambda: not columns.details_visible)
    assert columns.list_visible
    main.resize(900, 700)
    window.until(lambda: not columns.list_visible)
    columns.toggle_list()
    assert columns.drawer_open
    assert columns.list_visible
    window.page.stop_or_close()
    assert not columns.list_visible
    main.resize(1280, 800)
    window.until(lambda: columns.list_visible and columns.details_visible)


def test_nothing_is_cut_off_at_900(window: Window) -> None:
    window.page.new_chat()
    window.app.window.resize(900, 700)
    window.until(lambda: window.app.window.width() == 900)
    composer = window.page.composer
    for part in (composer.send_button, composer._picker, composer._attach, composer.meter):
        if part.isVisible():
            right = part.mapTo(composer, part.rect().topRight()).x()
            assert right <= composer.width()


def test_a_long_title_is_shortened_and_whole_while_it_is_edited(window: Window) -> None:
    title = "How rivers find their way to the sea, and what a delta tells of it " * 2
    title = title.strip()
    chat = window.workspace.conversations.create(title=title)
    window.open(chat)
    window.main.resize(900, 700)
    shown = window.page.head.title
    window.until(lambda: shown.text().endswith("…") and title.startswith(shown.text()[:-1]))
    for key in (Qt.Key.Key_Escape, Qt.Key.Key_Return):
        window.main.activateWindow()
        window.page.rename_chat()
        window.until(shown.hasFocus)
        assert shown.text() == title
        window.qtbot.keyClick(shown, key)
        assert shown.text().endswith("…")
    window.stored()
    assert window.workspace.conversations.get(chat.id).title == title


def test_geometry_columns_and_the_open_chat_come_back(open_window: OpenWindow, home: Path) -> None:
    first = open_window(
        home, prepare=lambda workspace: workspace.conversations.create(title="Kept open")
    )
    first.open(first.workspace.conversations.list()[0])
    first.app.window.resize(777, 666)  # the offscreen display is small
    first.app.window.chat.columns._list_wanted = False
    close(first)
    second = open_window(home)
    assert second.app.window.size().toTuple() == (777, 666)
    assert not second.page.columns._list_wanted
    assert second.page.head.title.text() == "Kept open"


def test_a_deleted_chat_is_not_missed_at_the_next_start(
    open_window: OpenWindow, home: Path
) -> None:
    first = open_window(
        home, prepare=lambda workspace: workspace.conversations.create(title="Soon gone")
    )
    first.open(first.workspace.conversations.list()[0])
    close(first)
    second = open_window(
        home,
        prepare=lambda workspace: workspace.conversations.delete(
            [workspace.conversations.list()[0].id]
        ),
    )
    assert second.app.chat.conversation_id == ""
    assert second.page.banners.messages == ()


@pytest.mark.parametrize("content", [b"", b"{", b'{"geometry": 3}', b'{"geometry": "***"}'])
def test_a_spoilt_window_state_costs_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "window.json"
    path.write_bytes(content)
    assert load_state(path).geometry_bytes == b""


def test_the_window_state_goes_round(tmp_path: Path) -> None:
    path = tmp_path / "window.json"
    state = WindowState(page="models", conversation_id="x", columns={"widths": [200, 0, 300]})
    save_state(path, state)
    assert load_state(path) == state
    save_state(tmp_path / "missing" / "window.json", state)  # read-only homes are no error here


def test_a_dropped_model_is_imported(window: Window, tmp_path: Path) -> None:
    starter = starter_model()
    assert starter is not None
    copy = tmp_path / "Another-Model.gguf"
    copy.write_bytes(starter.read_bytes() + b"\0")  # one of its own, not the same once more
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(copy))])
    event = QDropEvent(
        QPointF(300, 300),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.app.window.dropEvent(event)
    dialog = window.dialog("import_dialog")
    assert dialog.findChild(QLabel, "import_warning").isHidden()  # type: ignore[union-attr]
    window.press("import_accept", dialog)
    window.until(lambda: len(window.app.models.installed.models) == 2)
    added = next(one for one in window.app.models.installed.models if not one.included)
    assert added.path == copy  # where it was
    page = window.main.findChild(ModelsPage)
    assert page is not None
    assert page.isVisible()
    assert page.installed.table.rowCount() == 2


def test_a_model_on_a_removable_disk_is_copied_unless_it_is_to_stay(
    window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = starter_model()
    assert starter is not None
    stick = tmp_path / "media" / "STICK"
    stick.mkdir(parents=True)
    model = stick / "Another-Model.gguf"
    model.write_bytes(starter.read_bytes() + b"\0")
    monkeypatch.setattr(disk_use, "_REMOVABLE_ROOTS", (f"{tmp_path / 'media'}/",))
    here = SimpleNamespace(mountpoint=str(stick))
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [here])
    window.app._import_models([model])
    dialog = window.dialog("import_dialog")
    warning = dialog.findChild(QLabel, "import_warning")
    assert warning is not None
    assert warning.isHidden()
    window.press("segment-in-place", dialog)
    assert "removable disk STICK" in warning.text()
    window.press("segment-copy", dialog)
    window.press("import_accept", dialog)
    window.until(lambda: len(window.app.models.installed.models) == 2)
    places = [one.path for one in window.app.models.installed.models if not one.included]
    assert places[0].is_relative_to(window.workspace.models.main_folder)
    assert model.exists()


def test_a_file_that_is_no_model_is_refused_with_the_reason(window: Window, tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF\x03\x00\x00\x00")
    window.app._import_models([bad])
    page = window.main.findChild(ModelsPage)
    assert page is not None
    window.until(lambda: bool(page.banners.messages))
    assert len(window.app.models.installed.models) == 1


def test_the_seal_leads_to_the_gate(window: Window) -> None:
    window.press("seal")
    assert window.main.page == "gate"


def test_the_windows_title_follows_the_page(window: Window) -> None:
    main = window.main
    window.open(window.workspace.conversations.create(title="Rivers"))
    assert main.windowTitle() == "Rivers – Lockhouse"
    for page, title in (("gate", "Gate"), ("models", "Models"), ("settings", "Settings")):
        main.show_page(page)
        assert main.windowTitle() == f"{title} – Lockhouse"
    main.show_page("chat")
    assert main.windowTitle() == "Rivers – Lockhouse"


def test_dialogs_close_with_escape(window: Window) -> None:
    window.app.window.show_shortcuts()
    dialog: QDialog = window.dialog("shortcut_list")
    dialog.activateWindow()
    window.until(lambda: QApplication.activeWindow() is dialog)
    window.qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    window.until(lambda: not dialog.isVisible())


def test_tab_goes_through_the_page_as_it_is_read(window: Window) -> None:
    window.page.new_chat()
    page = window.page
    order = [*page.list_panel.tab_order(), *page.head.tab_order(), page.transcript]
    order += page.composer.tab_order()
    chain: list[QWidget] = []
    step = order[0]
    while step is not None and (not chain or step is not order[0]) and len(chain) < 2000:
        chain.append(step)
        step = step.nextInFocusChain()
    places = [chain.index(widget) for widget in order]
    assert places == sorted(places)


def test_the_composer_stands_below_the_text_whatever_is_open(
    open_window: OpenWindow, home: Path
) -> None:
    def long_chat(workspace: Workspace) -> None:
        made = workspace.conversations.create(title="Long")
        workspace.conversations.add_user(made.id, "And then?\n" * 500, parent_id=None)

    window = open_window(home, prepare=long_chat)
    page = window.page
    window.open(window.workspace.conversations.list()[0])
    window.until(page.transcript.isVisible)
    for width in (1280, 1600, 900):
        window.main.resize(width, 800)
        for shown in (True, False):
            page.columns.show_details(shown=shown)
            QApplication.processEvents()
            column = page.transcript.column()
            left = page.transcript.mapTo(page, QPoint(column.left(), 0)).x()
            composer = page.composer.mapTo(page, QPoint(0, 0)).x()
            assert (composer, page.composer.width()) == (left, column.width())


def test_keys_that_repeat_change_the_text_size_once(open_window: OpenWindow, home: Path) -> None:
    def many(workspace: Workspace) -> None:
        for number in range(300):
            workspace.conversations.create(title=f"Chat {number}")

    window = open_window(home, prepare=many)
    drawn: list[float] = []
    theme = window.app._theme
    theme.changed.connect(lambda: drawn.append(theme.scale))
    window.main.activateWindow()
    window.until(window.main.isActiveWindow)
    for _ in range(4):
        window.qtbot.keyClick(window.main, Qt.Key.Key_Plus, Qt.KeyboardModifier.ControlModifier)
    window.until(lambda: bool(drawn))
    window.until(lambda: window.app.settings.current.text_scale == 1.4)
    window.stored()
    assert drawn == [1.4]
    window.qtbot.keyClick(window.main, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    window.until(lambda: drawn == [1.4, 1.0])


def test_suggestions_are_never_cut(window: Window) -> None:
    window.page.new_chat()
    for width in (1600, 1000, 700):
        window.main.resize(width, 800)
        QApplication.processEvents()
        for card in window.page.work.empty.findChildren(CardButton):
            assert card.width() >= card.sizeHint().width()

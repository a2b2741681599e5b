"""Providers, their keys and their models on the Gate page: real brokers, real loopback servers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from lockhouse.answer.target import TargetInfo
from lockhouse.core.errors import StorageError
from lockhouse.gate import keys
from lockhouse.gate.consents import Consents
from lockhouse.gate.providers import Provider, Providers, presets
from lockhouse.storage.database import Database
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.frame_parts import FieldLabel
from lockhouse.ui.gate.models_dialog import ModelsDialog
from lockhouse.ui.gate.page import GatePage
from lockhouse.ui.gate.provider_values import ProviderRow
from lockhouse.ui.widgets import Banner
from tests.remote.replies import Fault
from tests.remote.server import RemoteServer
from tests.ui.gate.conftest import KEY, office
from tests.ui.gate.driving import banner_in, check, gate_page, menu_entry, state_of, text_of, typed
from tests.ui.window.driving import OpenWindow, Window

Start = Callable[..., Window]


def asked_for_a_key(window: Window) -> tuple[GatePage, QDialog]:
    """The Office server is checked, wants a key, and the dialog for it is open."""
    page = gate_page(window)
    check(window, page)
    window.until(lambda: state_of(page, "office") == "Key required")
    window.press("key_office", page)
    return page, window.dialog("key_dialog")


def test_without_a_keyring_and_sealed_no_key_can_be_typed(window_of_a_home: Window) -> None:
    page = gate_page(window_of_a_home)
    window_of_a_home.press("key_openai", page)
    dialog = window_of_a_home.dialog("key_dialog")
    assert "no network process to hold the key" in text_of(dialog, "key_dialog_about")
    edit = dialog.findChild(QLineEdit, "key_edit")
    assert edit is not None
    assert not edit.isEnabled()


def test_a_locked_keyring_hides_who_has_a_key_and_claims_nothing() -> None:
    required = ProviderRow(presets().providers[0], "locked")
    assert required.state().words == "Keyring locked"
    assert not required.is_used
    assert not required.wants_key
    own = ProviderRow(_printer(), "locked")
    assert own.state().words == "Not checked"


def test_a_server_is_asked_only_when_somebody_wants_it(
    start_open: Start, server: RemoteServer
) -> None:
    window = start_open((server.host,), (office(server),))
    page = gate_page(window)
    window.until(lambda: window.app.network.view.is_open)
    window.until(lambda: state_of(page, "office") == "Not checked")
    window.stored()
    assert server.requests == []
    window.press("providers_check", page)
    window.until(lambda: state_of(page, "office").startswith("Up, "))
    shown = [one.text() for one in page.providers.findChildren(QLabel)]
    assert any("Checked at " in text for text in shown)
    assert len(server.requests) == 1
    purposes = [one.record.purpose for one in window.app.pages.gate.records._records.search()]
    assert "check of office, by you" in purposes


def test_an_own_server_is_checked_and_its_models_are_ticked(
    start_open: Start, server: RemoteServer
) -> None:
    window = start_open((server.host,), (office(server),))
    page = gate_page(window)
    check(window, page)
    window.until(lambda: state_of(page, "office").startswith("Up, "))
    menu_entry(page, "office", "Models")()
    dialog = window.dialog("models_dialog")
    assert isinstance(dialog, ModelsDialog)
    window.until(lambda: dialog.total == 2)  # read by itself: it never was
    assert dialog.ticked == 2  # one's own are targets at once
    dialog.toggle(dialog.shown.index(0, 0))
    window.until(lambda: len(window.workspace.remotes.list()) == 1)
    window.press("gate_seal", page)
    window.until(lambda: state_of(page, "office") == "Not checked")


def test_a_key_is_held_for_the_session_tested_replaced_and_removed(start_open: Start) -> None:
    with RemoteServer("openai", key=KEY) as server:
        window = start_open((server.host,), (office(server),))
        page, dialog = asked_for_a_key(window)
        assert "until Lockhouse closes" in text_of(dialog, "key_dialog_about")
        typed(dialog, "key_edit", "sk-wrong")
        window.press("key_save", dialog)
        edit = dialog.findChild(QLineEdit, "key_edit")
        assert edit is not None
        assert edit.text() == ""  # gone from the window at once
        window.until(lambda: "held for this session" in banner_in(dialog, "banner"))
        window.press("key_test", dialog)
        window.until(lambda: banner_in(dialog, "banner").startswith("Error"))
        typed(dialog, "key_edit", KEY)
        window.press("key_save", dialog)
        window.until(lambda: "held for this session" in banner_in(dialog, "banner"))
        window.press("key_test", dialog)
        window.until(lambda: "The key works" in banner_in(dialog, "banner"))
        dialog.close()
        check(window, page)
        window.until(lambda: state_of(page, "office").startswith("Up, "))
        page.dialogs.remove_key("office")
        question = window.dialog("provider_question")
        window.press("dialog_yes", question)
        window.until(lambda: state_of(page, "office") == "Not checked")
        check(window, page)
        window.until(lambda: state_of(page, "office") == "Key required")
        kinds = {one.record.kind for one in window.app.pages.gate.records._records.search()}
        assert {"key_set", "key_tested", "key_removed"} <= kinds


def test_the_chat_knows_of_a_key_as_soon_as_it_is_set(
    start_open: Start, server: RemoteServer
) -> None:
    provider = msgspec.structs.replace(office(server), key="required")
    window = start_open((server.host,), (provider,))
    window.workspace.providers.choose("office", "large")
    targets = window.app.targets

    def obstacle() -> str:
        found = targets.find("office/large")
        return found.obstacle.word if found and found.obstacle else ""

    window.until(lambda: obstacle() == "No key")
    page = gate_page(window)
    page.dialogs.set_key("office")
    dialog = window.dialog("key_dialog")
    typed(dialog, "key_edit", KEY)
    window.press("key_save", dialog)
    window.until(lambda: targets.find("office/large") is not None and not obstacle())


def test_a_keyring_that_stays_locked_leaves_the_session(
    start_open: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise StorageError("The keyring is locked.", hint="Unlock it. " * 30, code="keyring_locked")

    monkeypatch.setattr(keys, "write", locked)
    with RemoteServer("openai", key=KEY) as server:
        window = start_open((server.host,), (office(server),))
        _, dialog = asked_for_a_key(window)
        typed(dialog, "key_edit", KEY)
        window.press("key_save", dialog)
        window.until(lambda: "is locked" in banner_in(dialog, "banner"))
        (banner,) = dialog.findChildren(Banner, "banner")
        assert banner.height() >= banner.heightForWidth(banner.width()), "its words are cut off"
        banner.action_chosen.emit("session")
        assert "The keyring is not used" in text_of(dialog, "key_dialog_about")
        typed(dialog, "key_edit", KEY)
        window.press("key_save", dialog)
        window.until(lambda: "held for this session" in banner_in(dialog, "banner"))
        window.press("key_test", dialog)
        window.until(lambda: "The key works" in banner_in(dialog, "banner"))


def test_a_server_is_checked_added_and_removed(start_open: Start, server: RemoteServer) -> None:
    window = start_open((server.host,))
    page = gate_page(window)
    window.press("provider_add", page)
    dialog = window.dialog("server_dialog")
    typed(dialog, "server_urls", "http://bad host")
    add = dialog.findChild(QWidget, "server_add")
    assert add is not None
    assert not add.isEnabled()
    typed(dialog, "server_urls", server.endpoint)
    typed(dialog, "server_title", "Büro 2")
    window.press("server_check", dialog)
    window.until(lambda: "lists 2 models" in banner_in(dialog, "banner"))
    window.press("server_add", dialog)
    window.until(lambda: page._controller.providers.row("b-ro-2") is not None)
    window.until(lambda: len(window.workspace.remotes.list()) == 2)
    window.until(lambda: state_of(page, "b-ro-2") == "Not checked")
    page.dialogs.remove("b-ro-2")
    window.press("dialog_yes", window.dialog("provider_question"))
    window.until(lambda: page._controller.providers.row("b-ro-2") is None)
    assert window.workspace.remotes.list() == []


def test_a_dead_server_and_a_host_that_needs_a_new_start_are_told(
    start_open: Start, server: RemoteServer
) -> None:
    with RemoteServer("openai") as dead:
        gone = dead.endpoint
        host = dead.host
    both = Provider("office", "Office", "openai", "lan", (server.endpoint, gone), key="optional")
    window = start_open((server.host, host), (both,))
    page = gate_page(window)
    check(window, page)
    window.until(lambda: state_of(page, "office").startswith("1 of 2 up"))


def test_an_address_without_its_path_is_told_and_mended(
    start_open: Start, server: RemoteServer
) -> None:
    window = start_open((server.host,))
    page = gate_page(window)
    window.press("provider_add", page)
    dialog = window.dialog("server_dialog")
    typed(dialog, "server_urls", f"http://{server.host}")
    typed(dialog, "server_title", "Office")
    window.press("server_check", dialog)
    window.until(lambda: "Under /v1: The server answers" in banner_in(dialog, "banner"))
    (banner,) = dialog.findChildren(Banner, "banner")
    banner.action_chosen.emit("use")
    assert dialog.draft.urls == (server.endpoint,)  # type: ignore[attr-defined]


def test_a_server_at_a_wrong_address_answers_and_can_be_moved(
    start_open: Start, server: RemoteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = f"http://{server.host}"
    window = start_open((server.host,), (Provider("office", "Office", "openai", "lan", (bare,),
                                                  key="optional"),))  # fmt: skip
    page = gate_page(window)
    check(window, page)
    window.until(lambda: state_of(page, "office") == "Unexpected answer")
    menu_entry(page, "office", "Models")()
    models = window.dialog("models_dialog")
    window.until(lambda: "no list of models" in banner_in(models, "banner"))
    assert f"{bare}/v1" in banner_in(models, "banner")
    assert "lists no" not in text_of(models, "models_nothing")
    models.findChildren(Banner, "banner")[0].action_chosen.emit("change")
    dialog = window.dialog("server_dialog")
    typed(dialog, "server_urls", server.endpoint)
    remotes = window.workspace.remotes
    monkeypatch.setattr(remotes, "key_left_at", lambda _: (server.host + "0",))
    window.press("server_add", dialog)
    window.until(lambda: "is sent nowhere else" in banner_in(page, "banner"))
    window.until(lambda: window.workspace.providers.get("office").endpoints == (server.endpoint,))
    window.until(lambda: len(window.workspace.remotes.list()) == 2)
    assert window.workspace.providers.get("office").key == "optional"


def test_a_server_that_needs_it_is_fitted_in_the_window(
    start_open: Start, server: RemoteServer
) -> None:
    window = start_open((server.host,), (office(server),))
    page = gate_page(window)
    window.until(lambda: window.app.network.view.is_open)
    menu_entry(page, "office", "Edit server…")()
    dialog = window.dialog("server_dialog")
    for name, key in (
        ("server_length_field", "max_completion_tokens"),
        ("server_system_role", "user"),
    ):
        choice = dialog.findChild(ChoiceButton, name)
        assert choice is not None
        choice.set_key(key)
    typed(dialog, "server_extra", "[]")
    window.press("server_add", dialog)
    window.until(lambda: "no JSON object" in banner_in(dialog, "banner"))
    typed(dialog, "server_extra", '{"reasoning_effort": "low"}')
    window.press("server_add", dialog)
    providers = window.workspace.providers
    window.until(lambda: providers.get("office").system_role == "user")
    kept = providers.get("office")
    assert kept.max_tokens_field == "max_completion_tokens"
    assert kept.body == {"reasoning_effort": "low"}
    rows = page._controller.providers
    window.until(lambda: any(row.provider == kept for row in rows.rows))
    menu_entry(page, "office", "Edit server…")()
    draft = window.dialog("server_dialog").draft  # type: ignore[attr-defined]
    assert (draft.system_role, draft.max_tokens_field) == ("user", "max_completion_tokens")
    assert draft.extra == '{"reasoning_effort":"low"}'


def test_the_models_of_a_server_that_wants_a_key_lead_to_where_it_is_set(
    start_open: Start,
) -> None:
    with RemoteServer("openai", key=KEY) as server:
        window = start_open((server.host,), (office(server),))
        page = gate_page(window)
        window.until(lambda: window.app.network.view.is_open)
        menu_entry(page, "office", "Models")()
        models = window.dialog("models_dialog")
        window.until(lambda: " key" in banner_in(models, "banner"))
        assert "Office" in banner_in(models, "banner")
        assert "lockhouse" not in banner_in(models, "banner")
        models.findChildren(Banner, "banner")[0].action_chosen.emit("key")
        assert window.dialog("key_dialog").isVisible()


def test_what_a_command_changes_is_seen(
    start_open: Start, server: RemoteServer, home: Path
) -> None:
    window = start_open((server.host,))
    page = gate_page(window)
    window.until(lambda: window.app.providers._known is not None)
    path = window.workspace.paths.database
    with closing(Database(path, backups=path.with_name("other-backups"))) as other:
        providers = Providers(other)
        providers.add(office(server))
        providers.choose("office", "small")
    window.until(lambda: any(one.name == "office/small" for one in shelf(window)))
    window.until(lambda: page._controller.providers.row("office") is not None)


def shelf(window: Window) -> tuple[TargetInfo, ...]:
    return window.app.models.installed.targets


def test_the_check_of_a_server_that_stalls_can_be_stopped(
    start_open: Start, server: RemoteServer
) -> None:
    window = start_open((server.host,), (office(server),))
    page = gate_page(window)
    check(window, page)
    window.until(lambda: state_of(page, "office").startswith("Up, "))
    server.faults.append(Fault("stall-before"))
    menu_entry(page, "office", "Check")()
    window.until(lambda: page.providers.findChild(QWidget, "stop_office") is not None)
    window.press("stop_office", page)
    window.until(lambda: state_of(page, "office").startswith("Up, "))  # what was known stays


def test_a_consent_that_a_command_withdraws_is_seen(open_window: OpenWindow, home: Path) -> None:
    def allow(workspace: object) -> None:
        provider = workspace.providers.get("mistral")  # type: ignore[attr-defined]
        workspace.consents.give(provider)  # type: ignore[attr-defined]

    window = open_window(home, prepare=allow)
    page = gate_page(window)
    window.until(lambda: window.app.providers._known is not None)
    row = page._controller.providers.row("mistral")
    assert row is not None
    assert row.may_send
    path = window.workspace.paths.database
    with closing(Database(path, backups=path.with_name("other-backups"))) as other:
        Consents(other).withdraw("mistral", by="command")
    window.until(lambda: not any(one.may_send for one in page._controller.providers.rows))


def test_keys_are_unknown_until_the_keyring_has_answered(window_of_a_home: Window) -> None:
    """Network access is asked for before the keyring has answered: nothing is said of keys then."""
    providers = window_of_a_home.app.pages.gate.providers
    seen: list[tuple[ProviderRow, ...]] = []
    providers.with_rows(seen.append)
    window_of_a_home.until(lambda: bool(seen))
    assert providers.rows == ()
    assert all(row.may_have_key for row in seen[0] if row.provider.key == "required")
    asked: list[str] = []
    providers.when_read(lambda: asked.append(providers.rows[0].key_state))
    window_of_a_home.until(lambda: asked == ["no_keyring"])


def test_a_chat_that_needs_a_key_leads_to_the_dialog_that_says_where_it_is_stored(
    window_of_a_home: Window,
) -> None:
    window_of_a_home.app.pages.follow_way("key", "mistral")
    dialog = window_of_a_home.dialog("key_dialog")
    assert "has no secure keyring" in text_of(dialog, "key_dialog_about")
    window_of_a_home.app.pages.follow_way("models", "openai")
    assert window_of_a_home.dialog("models_dialog").windowTitle() == "Models of OpenAI"


def test_a_dialog_that_a_chat_leads_to_leads_back_to_it(window_of_a_home: Window) -> None:
    window = window_of_a_home
    window.app.pages.follow_way("models", "openai")
    window.dialog("models_dialog").accept()
    window.until(lambda: window.main.page == "chat")
    page = gate_page(window)
    page.dialogs.show_models("openai")
    with window.qtbot.waitSignal(page.dialogs.ended):
        window.dialog("models_dialog").accept()
    assert window.main.page == "gate"


def test_a_row_that_is_rebuilt_takes_no_keyboard_focus(window_of_a_home: Window) -> None:
    page = gate_page(window_of_a_home)
    window_of_a_home.until(lambda: state_of(page, "openai") == "No key")
    key = page.providers.findChild(QPushButton, "key_openai")
    assert key is not None
    key.setFocus()
    page.records.edit.setFocus()
    page.providers.show_busy("openai", busy=True)
    page.providers.show_busy("openai", busy=False)
    assert QApplication.focusWidget() is page.records.edit


def test_a_keyring_that_waits_for_its_password_keeps_no_chat_waiting(
    window_of_a_home: Window,
) -> None:
    answered = threading.Event()
    controller = window_of_a_home.app.pages.gate.providers
    told: list[str] = []
    controller.notified.connect(told.append)
    controller._change(answered.wait, "The key is gone")
    window_of_a_home.stored()
    assert told == []
    answered.set()
    window_of_a_home.until(lambda: told == ["The key is gone"])


def test_a_second_key_dialog_takes_the_place_of_the_first(window_of_a_home: Window) -> None:
    page = gate_page(window_of_a_home)
    window_of_a_home.until(lambda: state_of(page, "openai") == "No key")
    page.dialogs.set_key("openai")
    first = window_of_a_home.dialog("key_dialog")
    page.dialogs.set_key("mistral")
    assert not first.isVisible()
    second = window_of_a_home.dialog("key_dialog")
    row = page._controller.providers.row("mistral")
    assert row is not None
    page.dialogs._save_key(row.provider, KEY)  # without a keyring and sealed, it cannot be saved
    window_of_a_home.until(lambda: bool(banner_in(second, "banner")))
    assert page.banners.messages == ()


def test_a_server_under_a_listed_name_is_checked_at_once(start_open: Start) -> None:
    window = start_open(("*.intern.test:8080",))
    page = gate_page(window)
    window.until(lambda: window.app.network.view.is_open)
    page.dialogs.add()
    dialog = window.dialog("server_dialog")
    typed(dialog, "server_urls", "http://llama.intern.test:8080/v1")
    window.press("server_check", dialog)
    window.until(lambda: bool(banner_in(dialog, "banner")))


def test_a_consent_is_shown_and_withdrawn(open_window: OpenWindow, home: Path) -> None:
    def allow(workspace: object) -> None:
        provider = workspace.providers.get("mistral")  # type: ignore[attr-defined]
        workspace.consents.give(provider)  # type: ignore[attr-defined]

    window = open_window(home, prepare=allow)
    page = gate_page(window)
    menu_entry(page, "mistral", "Ask again")()
    window.until(lambda: not window.workspace.consents.list())
    window.until(lambda: "asked again" in page.toast.accessibleName())
    page.records.choice.set_key("keys")
    page.records.choice.picked.emit("keys")
    window.until(lambda: page.records.model.rowCount() == 2)
    window.until(lambda: page.records.model.row(1) is not None)
    newer, older = page.records.model.row(0), page.records.model.row(1)
    assert newer is not None
    assert older is not None
    assert (newer.sign.word, older.sign.word) == ("Revoked", "Allowed")
    assert newer.purpose == "By you: mistral"


def test_no_check_is_offered_where_there_is_no_server(window_of_a_home: Window) -> None:
    assert not gate_page(window_of_a_home).providers._check.isVisible()


def test_a_click_on_the_words_beside_a_field_goes_into_it(window_of_a_home: Window) -> None:
    gate_page(window_of_a_home).dialogs.add()
    dialog = window_of_a_home.dialog("server_dialog")
    dialog.activateWindow()
    window_of_a_home.until(lambda: QApplication.activeWindow() is dialog)
    field = dialog.findChild(QLineEdit, "server_title")
    words = next(one for one in dialog.findChildren(FieldLabel) if one.text() == "Name")
    assert field is not None
    assert words.buddy() is field
    assert not field.hasFocus()
    window_of_a_home.qtbot.mouseClick(words, Qt.MouseButton.LeftButton)
    assert field.hasFocus()


def _printer() -> Provider:
    return Provider(
        "printer", "Printer room", "openai", "lan", ("http://127.0.0.1:9000/v1",), key="optional"
    )

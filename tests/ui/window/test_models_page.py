"""The Models page of the real window: real files, a real planner, a real broker and a real hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QDialog, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QWidget

from lockhouse.gate import broker_launch
from lockhouse.gate.network import Network
from lockhouse.library.model_info import LoadChoice
from lockhouse.library.starter import starter_model
from lockhouse.places import paths_for
from lockhouse.ui.models.page import ModelsPage
from tests.hub.content import Blob, Fault
from tests.hub.server import HubServer
from tests.ui.window.driving import OpenWindow, Window

REPO = "friends/Tiny-135M-GGUF"
FILE = "Tiny-135M-Q4_1.gguf"
CARD = b"# Tiny\n\nSmall and **open**.\n\n![x](https://elsewhere.example/x.png)\n"


def starter() -> Path:
    found = starter_model()
    assert found is not None
    return found


def models_page(window: Window) -> ModelsPage:
    window.main.show_page("models")
    page = window.main.findChild(ModelsPage)
    assert isinstance(page, ModelsPage)
    window.until(lambda: page.installed.table.rowCount() > 0)
    return page


def choose(window: Window, page: ModelsPage, name: str) -> None:
    page.installed.choose(name)
    window.until(lambda: page.details.memory._need is not None)


def text_of(root: QWidget, name: str) -> str:
    found = root.findChild(QLabel, name)
    assert found is not None, name
    return found.text()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        content = starter().read_bytes() + b"\0"  # one of its own
        files: dict[str, bytes | Path | Blob] = {FILE: Blob(content), "README.md": CARD}
        server.add(REPO, files, card={"license": "apache-2.0"}, downloads=12_000)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def open_home(home: Path, hub: HubServer) -> Iterator[Path]:
    """A home whose network is open to the loopback hub, with the broker that a start brings."""
    paths = paths_for(home)
    Network(paths.network).open(hub.hosts, endpoint=hub.url)
    broker_launch.start_broker(paths.network, paths.run, paths.logs)
    yield home
    for channel in broker_launch._started:
        channel.close()
    broker_launch._started.clear()


def test_sampling_defaults_are_kept_in_the_profile_of_the_model(window: Window) -> None:
    page = models_page(window)
    choose(window, page, "smollm2-135m-instruct")
    window.press("sampling_fold", page.details)
    for name, text in (("model_temperature", "0.3"), ("model_answer_max_tokens", "7")):
        field = page.details.findChild(QLineEdit, name)
        assert field is not None
        field.setFocus()
        window.qtbot.keyClicks(field, text)
        window.stored()
    wanted = {"temperature": 0.3, "max_tokens": 7}
    profiles = window.workspace.models.profiles
    window.until(lambda: [one.sampling for one in profiles("smollm2-135m-instruct")] == [wanted])
    assert page.details.findChild(QLineEdit, "model_seed") is None  # of an answer, not of a model


def test_a_library_that_is_the_same_is_not_shown_anew(window: Window, home: Path) -> None:
    """Free space changes all the time, and is shown in steps."""
    models_page(window)
    controller = window.app.models
    window.until(lambda: not controller._reading.is_running)
    shown: list[object] = []
    controller.listed.connect(shown.append)
    for number in range(3):
        (home / f"note{number}").write_bytes(b"x" * 300_000)
        controller.refresh()
        window.until(lambda: not controller._reading.is_running)
    assert len(shown) <= 1  # one when a step is just passed


def test_the_memory_bar_is_what_llama_cpp_plans_and_follows_the_choice(window: Window) -> None:
    page = models_page(window)
    choose(window, page, "smollm2-135m-instruct")
    memory = page.details.memory
    window.until(lambda: memory._need is not None and memory._need.exact)
    need = memory._need
    assert need is not None
    before = need.cache_bytes
    assert before == need.context_length * 30 * 3 * 64 * 2 * 2  # layers, heads, width, k and v
    page.details.memory._choose(context_length=2048)
    page.details._ask_memory(LoadChoice(context_length=2048))
    window.until(lambda: memory._need is not None and memory._need.context_length == 2048)
    assert memory._need is not None
    assert memory._need.cache_bytes * need.context_length == before * 2048
    assert text_of(page, "memory_source") == "Measured by llama.cpp"


def test_a_choice_is_kept_in_the_profile_and_other_profiles_can_be_used(window: Window) -> None:
    page = models_page(window)
    name = "smollm2-135m-instruct"
    choose(window, page, name)
    page.details.profiles.save_load(LoadChoice(context_length=1024, kv_type="q8_0"))
    window.until(lambda: page.details.choice.context_length == 1024)
    (kept,) = window.workspace.models.profiles(name)
    assert (kept.name, kept.load.context_length, kept.load.kv_type) == ("default", 1024, "q8_0")
    page.details.profiles.delete("default")
    window.until(lambda: not window.workspace.models.profiles(name))


def test_a_file_is_checked_with_progress_and_its_hash_is_shown(window: Window) -> None:
    page = models_page(window)
    choose(window, page, "smollm2-135m-instruct")
    shares: list[float] = []
    window.app.models.checked.connect(lambda check: shares.append(check.share))
    window.press("model_verify", page.details)
    window.until(lambda: bool(window.app.models.installed.models[0].verified_at))
    assert shares
    window.until(lambda: "unchanged" in page.toast.accessibleName())
    model = window.app.models.installed.models[0]
    assert model.sha256 is not None
    shown = [label.text() for label in page.details.about.findChildren(QLabel)]
    assert "Today, unchanged" in shown


def test_the_whole_header_can_be_read(window: Window) -> None:
    page = models_page(window)
    choose(window, page, "smollm2-135m-instruct")
    page.details.show_header("metadata")
    dialog = window.dialog("header_dialog")
    keys = dialog.findChild(QWidget, "metadata_table")
    assert keys is not None
    model = keys.model()  # type: ignore[attr-defined] # a table
    lines = {
        model.index(row, 0).data(): model.index(row, 1).data() for row in range(model.rowCount())
    }
    assert lines["general.architecture"] == "llama"
    assert lines["llama.block_count"] == "30"
    dialog.close()


def test_sealed_discover_suggests_models_and_how_to_allow_network_access(
    window: Window,
) -> None:
    page = models_page(window)
    page.show_tab("discover")
    window.until(lambda: page.discover._results.rowCount() > 3)
    assert page.discover.sealed.isVisible()
    assert page.discover._repository._rows[0].button.text() == "Copy link"
    window.press("open_network", page)
    dialog = window.dialog("network_access_dialog")
    assert "start it again" in " ".join(label.text() for label in dialog.findChildren(QLabel))
    window.press("access_later", dialog)
    window.until(lambda: "after a restart" in text_of(page, "sealed_title"))
    assert Network(window.workspace.paths.network).state().is_open
    assert window.main.isVisible()


def test_search_open_get_and_find_it_here(
    open_window: OpenWindow, open_home: Path, hub: HubServer
) -> None:
    window = open_window(open_home)
    page = models_page(window)
    window.until(lambda: window.app.network.view.is_open)
    page.show_tab("discover")
    discover = page.discover
    discover.look_up("tiny")
    window.until(lambda: [entry.repo for entry in discover._results.entries] == [REPO])
    discover._list.setCurrentIndex(discover._results.index(0, 0))
    window.until(lambda: discover._opened is not None)
    row = discover._repository._rows[0]
    assert (row.choice.label, row.button.text()) == ("Q4_1", "Get")
    discover._open_card()
    window.until(lambda: len(discover._card._parts) > 1)
    row.button.click()
    window.until(lambda: any("friends" in str(m.path) for m in window.app.models.installed.models))
    assert window.app.transfers.transfers[0].state == "done"
    window.until(lambda: row.button.text() == "Installed")
    assert not [one for one in hub.requests if "elsewhere" in one.path]
    assert window.app.network.view.bytes_out >= 0
    fetched = next(m for m in window.app.models.installed.models if "friends" in str(m.path))
    assert fetched.source is not None
    assert fetched.source.repo == REPO


def test_discover_is_not_empty_when_it_is_sealed_while_one_looks_at_it(
    open_window: OpenWindow, open_home: Path
) -> None:
    window = open_window(open_home)
    page = models_page(window)
    window.until(lambda: window.app.network.view.is_open)
    page.show_tab("discover")
    page.discover.look_up("tiny")
    window.until(lambda: page.discover._results.rowCount() == 1)
    window.app.network.seal()
    window.until(lambda: page.discover._results.rowCount() > 3)
    assert page.discover.sealed.isVisible()


def test_a_pasted_address_opens_the_repository(
    open_window: OpenWindow, open_home: Path, hub: HubServer
) -> None:
    window = open_window(open_home)
    page = models_page(window)
    window.until(lambda: window.app.network.view.is_open)
    page.show_tab("discover")
    page.discover.look_up(f"{hub.url}/{REPO}/blob/main/{FILE}")
    window.until(lambda: page.discover._opened is not None)
    page.discover.look_up("friends/Not-There")
    window.until(lambda: bool(page.discover.banners.messages))


def test_a_download_is_paused_resumed_cancelled_and_sealing_ends_network_access(
    open_window: OpenWindow, open_home: Path, hub: HubServer
) -> None:
    blob = next(iter(hub.repos[REPO].commits.values()))[FILE]
    blob.faults.append(Fault("drip", at=1_000_000, length=200_000, times=-1))
    window = open_window(open_home)
    page = models_page(window)
    window.until(lambda: window.app.network.view.is_open)
    page.show_tab("discover")
    page.discover.look_up(REPO)
    window.until(lambda: page.discover._opened is not None)
    page.discover._repository._rows[0].button.click()
    transfers = window.app.transfers
    window.until(lambda: bool(transfers.transfers) and transfers.transfers[0].done_bytes > 0)
    assert page.discover.strip.isVisible()
    key = transfers.transfers[0].id
    window.press(f"go_{key}", page.discover.strip)
    window.until(lambda: transfers.transfers[0].state == "paused")
    assert "paused" in window.main.status.findChild(QPushButton, "downloads").text()
    page.show_tab("transfers")
    window.press(f"go_{key}", page.transfers)
    window.until(lambda: transfers.transfers[0].state == "downloading")
    window.main.show_page("gate")
    assert "127.0.0.1" in text_of(window.main, "gate_title")
    window.press("gate_seal")
    window.until(lambda: not window.app.network.view.is_open)
    window.until(lambda: transfers.transfers[0].state == "waiting")
    assert text_of(page, "transfers_sum").endswith("They continue when online.")
    assert not transfers.transfers[0].is_running
    assert "127.0.0.1" not in text_of(window.main, "gate_title")
    page = models_page(window)
    page.show_tab("transfers")
    assert not Network(window.workspace.paths.network).state().is_open
    window.press(f"cancel_{key}", page.transfers)
    question: QDialog = window.dialog("cancel_dialog")
    window.press("dialog_cancel", question)
    window.until(lambda: not transfers.transfers)


def test_a_state_written_by_another_program_is_seen(window: Window) -> None:
    page = models_page(window)
    seen = Network(window.workspace.paths.network)
    seen.open(("huggingface.co",))
    window.until(lambda: window.app.network.view.opens_next)
    assert "after a restart" in text_of(page, "sealed_title")
    seen.seal()
    window.until(lambda: not window.app.network.view.opens_next)


def test_devices_and_folders_are_shown(window: Window) -> None:
    page = models_page(window)
    window.press("models_devices", page)
    dialog = window.dialog("devices_dialog")
    window.until(lambda: "CPU" in " ".join(one.text() for one in dialog.findChildren(QLabel)))
    dialog.close()
    window.press("models_folders", page)
    folders = window.dialog("folders_dialog")
    assert "new models are stored here" in " ".join(
        one.text() for one in folders.findChildren(QLabel)
    )
    folders.close()


def test_our_own_file_is_removed_after_a_question_and_anothers_stays(
    open_window: OpenWindow, home: Path, tmp_path: Path
) -> None:
    content = starter().read_bytes()
    ours = home / "models" / "ours.gguf"
    ours.parent.mkdir(parents=True)
    ours.write_bytes(content + b"\0")
    theirs = tmp_path / "elsewhere" / "theirs.gguf"
    theirs.parent.mkdir()
    theirs.write_bytes(content + b"\0\0")
    window = open_window(home, prepare=lambda one: one.models.import_files([theirs]))
    page = models_page(window)
    window.until(lambda: page.installed.table.rowCount() == 3)
    names = [m.name for m in window.app.models.installed.models if not m.included]
    page.ask_removal(tuple(names))
    dialog = window.dialog("removal_dialog")
    assert "stays" in text_of(dialog, "dialog_message")
    assert text_of(dialog, "dialog_hint") == "Permanently deletes this file:"
    box = dialog.findChild(QPlainTextEdit, "dialog_details")
    assert box is not None
    assert box.toPlainText() == str(ours)
    remove = dialog.findChild(QPushButton, "dialog_remove")
    assert remove is not None
    assert remove.property("kind") == "danger"
    assert not remove.isDefault()  # Enter deletes nothing
    window.press("dialog_remove", dialog)
    window.until(lambda: page.installed.table.rowCount() == 1)
    assert not ours.exists()
    assert theirs.exists()


def test_a_removed_model_goes_to_the_trash_and_comes_back_by_undo(
    open_window: OpenWindow, home: Path, nobody_else: Path
) -> None:
    trash = nobody_else / ".local" / "share" / "Trash"
    trash.mkdir(parents=True)
    ours = home / "models" / "ours.gguf"
    ours.parent.mkdir(parents=True)
    ours.write_bytes(starter().read_bytes() + b"\0")
    content = ours.read_bytes()
    window = open_window(home)
    page = models_page(window)
    window.until(lambda: page.installed.table.rowCount() == 2)
    page.ask_removal(tuple(m.name for m in window.app.models.installed.models if not m.included))
    dialog = window.dialog("removal_dialog")
    assert text_of(dialog, "dialog_hint") == "Moves this file to the trash:"
    assert "once the trash is emptied" in text_of(dialog, "dialog_message")
    remove = dialog.findChild(QPushButton, "dialog_remove")
    assert remove is not None
    assert remove.property("kind") != "danger"
    window.press("dialog_remove", dialog)
    window.until(lambda: page.installed.table.rowCount() == 1)
    assert not ours.exists()
    assert (trash / "files" / "ours.gguf").read_bytes() == content
    window.until(page.toast.isVisible)
    window.press("toast_undo", page.toast)
    window.until(lambda: page.installed.table.rowCount() == 2)
    assert ours.read_bytes() == content

"""Names of 64 characters without a break: no panel, list or dialog grows past its edge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractScrollArea, QPushButton, QWidget

from lockhouse.gate.network import Network
from lockhouse.gate.providers import Provider
from lockhouse.library.model_info import ModelInfo
from lockhouse.library.starter import starter_model
from lockhouse.places import paths_for
from lockhouse.ui.choice_button import ChoiceButton, PickerButton
from lockhouse.ui.frame_parts import SearchButton
from lockhouse.ui.gate.page import GatePage
from lockhouse.ui.models.page import ModelsPage
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.workspace import Workspace
from tests.library.layouts import lm_studio
from tests.ui.window.driving import OpenWindow, Window

LONG = "0123456789abcdef" * 4
HOST = f"{LONG[:60]}.{LONG[:60]}.example"


SHORTENING = (ChoiceButton, PickerButton, SearchButton)  # they cut their words with "…"


def beyond(root: QWidget) -> list[str]:
    """What is shown and reaches past the right edge of what it stands in."""
    found = []
    for part in root.findChildren(QWidget):
        room = part.parentWidget()
        if not part.isVisible() or part.isWindow() or room is None:
            continue
        area = room.parentWidget()
        if isinstance(area, QAbstractScrollArea) and area.viewport() is room:
            if area.horizontalScrollBar().maximum() and not area.horizontalScrollBar().isVisible():
                found.append(f"{_name(part)} scrolls in {_name(area)}")
            continue
        has_words = isinstance(part, QPushButton) and type(part) not in SHORTENING and part.text()
        if has_words and part.width() < part.sizeHint().width() - 1:
            found.append(f"{_name(part)} is cut")
        if part.x() + part.width() > room.width() + 1:
            end = part.x() + part.width()
            found.append(f"{_name(part)} ends at {end} in {_name(room)} of {room.width()}")
    return found


def _name(part: QWidget) -> str:
    text = getattr(part, "text", None)
    words = text()[:30] if callable(text) else ""
    return f"{type(part).__name__} {part.objectName()} {words}".strip()


@pytest.fixture
def window(open_window: OpenWindow, home: Path, nobody_else: Path) -> Window:
    """A chat, a model, a provider and a server with such names."""
    starter = starter_model()
    assert starter is not None
    second = lm_studio(nobody_else, starter, repo=f"{LONG}/{LONG}")
    with second.open("r+b") as file:
        file.seek(second.stat().st_size - 1)
        file.write(b"\x01")
    second = second.rename(second.with_name(f"{LONG}.gguf"))
    Network(paths_for(home).network).open([f"{HOST}:443"])

    def prepare(workspace: Workspace) -> None:
        url = f"https://{HOST}/v1"
        workspace.providers.add(Provider("long", LONG, "openai", "cloud", (url,), key="none"))
        workspace.providers.choose("long", LONG)
        made = workspace.conversations.create(title=LONG)
        workspace.conversations.add_user(made.id, LONG, parent_id=None)

    return open_window(home, prepare=prepare)


def long_model(window: Window) -> ModelInfo:
    models = window.app.models
    window.until(lambda: any(LONG in str(one.path) for one in models.installed.models))
    return next(one for one in models.installed.models if LONG in str(one.path))


@pytest.mark.parametrize("width", [640, 900, 1280])
def test_no_page_grows_past_its_edge(window: Window, tmp_path: Path, width: int) -> None:
    main, page = window.main, window.page
    model, wide = long_model(window), []
    main.resize(width, 800)

    def look() -> None:
        window.stored()
        wide.extend(beyond(main))
        if main.width() > width:
            wide.append(f"the window itself is {main.width()} wide")

    look()  # the first screen
    page.toast.say(f"Imported {LONG}, {LONG}", undo_token="any")
    main.status.show_network(NetworkView(way="open", hosts=(f"{HOST}:443",)))
    look()
    assert page.toast._words.text().endswith("…") or width > 1200
    chat = next(one for one in window.workspace.conversations.list() if one.title == LONG)
    window.open(chat)
    (tmp_path / f"{LONG}.txt").write_text("Anything.")
    page.composer.take_files([tmp_path / f"{LONG}.txt"])
    page.next_target.choose(f"long/{LONG}")
    look()
    page.aside.show_answer(page.messages.messages[-1].id)
    look()
    page.aside.open("prompt")
    look()
    page.columns.show_details(shown=False)

    main.show_page("models")
    models = main.findChild(ModelsPage)
    assert models is not None
    models.installed.choose(model.name)
    window.until(lambda: models.details.about._shown is not None)
    look()
    for tab in ("discover", "transfers"):
        models.show_tab(tab)
        look()
    main.show_page("gate")
    window.until(lambda: bool(window.app.pages.gate.providers.rows))
    look()
    main.show_page("settings")
    look()
    assert wide == []


def test_no_dialog_grows_past_its_edge(window: Window) -> None:
    model, pages = long_model(window), window.app.pages
    window.main.resize(1280, 800)
    window.main.show_page("models")
    models = window.main.findChild(ModelsPage)
    assert models is not None
    window.main.show_page("gate")
    window.until(lambda: bool(pages.gate.providers.rows))
    gate = window.main.findChild(GatePage)
    assert gate is not None
    folder = window.workspace.paths.settings.parent / LONG / LONG
    folder.mkdir(parents=True)
    window.app.models.change(lambda library: library.add_folder(folder))
    window.until(lambda: any(LONG in str(one.path) for one in window.app.models.installed.folders))
    open_one: dict[str, Callable[[], object]] = {
        "network_access_dialog": lambda: pages.ask_network_access("long"),
        "key_dialog": lambda: gate.dialogs.set_key("long"),
        "models_dialog": lambda: gate.dialogs.show_models("long"),
        "server_dialog": lambda: gate.dialogs.change("long"),
        "removal_dialog": lambda: models.ask_removal((model.name,)),
        "folders_dialog": models.show_folders,
        "palette": window.main.show_palette,
    }
    wide = []
    for name, act in open_one.items():
        act()
        dialog = window.dialog(name)
        window.stored()
        if dialog.width() > 800:
            wide.append(f"{name} is {dialog.width()} wide")
        wide += [f"{name}: {one}" for one in beyond(dialog)]
        dialog.reject()
    assert wide == []

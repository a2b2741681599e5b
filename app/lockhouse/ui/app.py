"""Starts the window: the only place where its parts are wired together.

What can wait until after the first paint does: models, engines, other conversations.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget

import lockhouse
from lockhouse import processes, seal
from lockhouse.core.errors import LockhouseError, StorageError
from lockhouse.gate.brokers import Brokers
from lockhouse.gate.network import Network
from lockhouse.gate.records import Records
from lockhouse.library.model_info import OWN
from lockhouse.storage.settings import Settings
from lockhouse.ui.chat.controller import ChatController
from lockhouse.ui.chat.first_start import ModelCard
from lockhouse.ui.chat.listing import ListController
from lockhouse.ui.chat.page import ChatPage
from lockhouse.ui.chat.values import AnswerEnded
from lockhouse.ui.crash_window import CrashCatcher
from lockhouse.ui.jobs import Jobs, ignore
from lockhouse.ui.machine import Machine, MachineState
from lockhouse.ui.main_window import MainWindow
from lockhouse.ui.models.controller import ModelsController
from lockhouse.ui.models.memory import MemoryController, Question
from lockhouse.ui.models.open_dialog import OpenDialog
from lockhouse.ui.models.transfer_controller import TransferController
from lockhouse.ui.models.transfer_rows import downloads_words
from lockhouse.ui.models.values import MemoryNeed, Shelf
from lockhouse.ui.network import NetworkView, NetworkWatch
from lockhouse.ui.rail import app_icon_path
from lockhouse.ui.remedies import NoRoomHelp
from lockhouse.ui.seal_dialog import SealDialog
from lockhouse.ui.settings.places import About, Place
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.settings.watch import SettingsWatch
from lockhouse.ui.status_bar import StatusBar
from lockhouse.ui.surfaces import ChoiceDialog
from lockhouse.ui.theme import Theme
from lockhouse.ui.window_state import load_state, save_state
from lockhouse.ui.zoom import Zoom
from lockhouse.workspace import Paths, Workspace, open_workspace

if TYPE_CHECKING:
    from lockhouse.ui.models.page import ModelsPage

_SWITCH_INTERVAL_S = 0.0001
_GC_THRESHOLDS = (50_000, 20, 50)
_CLOSE_GRACE_S = 1.5
_KEEP_DELETED = timedelta(days=30)
_BACKUP_AFTER = timedelta(days=1)
_SAVE_STATE_MS = 700
_TIDY_AFTER_MS = 400
_ICON_SIZES = (16, 24, 32, 48, 64, 128, 256)


class App(QObject):
    """One window over one workspace."""

    usable = Signal()

    def __init__(self, application: QApplication, theme: Theme, workspace: Workspace) -> None:
        super().__init__(application)
        self._theme = theme
        self._workspace = workspace
        self._state_path = workspace.paths.settings.with_name("window.json")
        self._state = load_state(self._state_path)
        self._closed = False
        self._is_usable = False
        self._waiting = {"list", "models"}
        self.jobs = Jobs(self)
        self.settings = SettingsStore(workspace, self.jobs, self)
        self.listing = ListController(workspace.conversations, self.jobs, self)
        self.chat = ChatController(
            workspace.conversations,
            workspace.turns,
            workspace.targets,
            self.settings,
            self.jobs,
            self,
        )
        self.models = ModelsController(workspace.models, workspace.targets, self.jobs, self)
        self.memory = MemoryController(workspace.planner, workspace.engines, self.jobs, self)
        self.transfers = TransferController(lambda: workspace.transfers, self.jobs, self)
        self.network = self._make_network()
        workspace.engines.keep_loaded = True  # reading for ten minutes must not cost a reload
        self.machine = Machine(workspace.engines, self.jobs, self)
        self._need: MemoryNeed | None = None
        self._models_page: ModelsPage | None = None
        self._transfers_begun = False
        self._shown = Shelf()
        self._zoom = Zoom(theme)
        self.window = self._make_window()
        self._zoom.root = self.window
        self._was_opened = not self._state.conversation_id
        self._state_pause = QTimer(self)
        self._state_pause.setSingleShot(True)
        self._state_pause.setInterval(_SAVE_STATE_MS)
        self._state_pause.timeout.connect(self._save_state)
        self._wire()
        self.window.restore(self._state)
        self._follow_state()

    def _make_window(self) -> MainWindow:
        theme = self._theme
        chat_page = ChatPage(self.chat, self.listing, self.settings, theme)
        status = StatusBar(theme, seal.state())
        later = {"models": self._make_models_page, "settings": self._make_settings_page}
        return MainWindow(theme, self.settings, chat_page, status, later)

    def _make_network(self) -> NetworkWatch:
        workspace = self._workspace
        return NetworkWatch(
            workspace.gate,
            Network(workspace.paths.network),
            Brokers(workspace.paths.run),
            Records(workspace.database),
            self.jobs,
            self,
        )

    def _make_models_page(self) -> QWidget:
        from lockhouse.ui.models.discover_controller import DiscoverController
        from lockhouse.ui.models.page import ModelsPage

        workspace = self._workspace
        discover = DiscoverController(
            workspace.hub, workspace.engines, lambda: self.models.shelf.models, self.jobs, self
        )
        page = ModelsPage(
            self.models,
            self.memory,
            discover,
            self.transfers,
            self.network,
            self.settings,
            self.jobs,
            self._theme,
        )
        page.import_wanted.connect(self._choose_models)
        page.unload_wanted.connect(self.machine.stop_engines)
        page.loading.connect(self.machine.look)
        page.chat_wanted.connect(self.window.chat_with)
        page.open_network_wanted.connect(self._ask_open)
        page.seal_wanted.connect(self.network.seal)
        self.machine.looked.connect(page.show_machine)
        page.show_machine(self.machine.state)
        page.show_shelf(self.models.shelf)
        self._models_page = page
        return page

    def _make_settings_page(self) -> QWidget:
        from lockhouse.ui.settings.page import SettingsPage

        page = SettingsPage(self.settings, self._theme, _places(self._workspace.paths), _about())
        page.shortcuts_wanted.connect(self.window.show_shortcuts)
        page.show_targets(self.models.shelf.targets)
        self.models.listed.connect(lambda shelf: page.show_targets(shelf.targets))
        return page

    def _wire(self) -> None:
        window, chat = self.window, self.window.chat
        runs = self.chat.runs
        self._room = NoRoomHelp(
            self._workspace.targets,
            self.settings,
            self.jobs,
            self._theme,
            again=chat.regenerate,
            show_models=lambda: window.show_page("models"),
        )
        window.closing.connect(self.close)
        window.seal_wanted.connect(self._show_seal)
        window.models_dropped.connect(self._import_models)
        chat.models_dropped.connect(self._import_models)
        chat.import_wanted.connect(self._choose_models)
        chat.get_wanted.connect(lambda: self._show_models("discover"))
        chat.all_models_wanted.connect(lambda: self._show_models("shelf"))
        window.import_wanted.connect(self._choose_models)
        chat.no_room.connect(lambda failed: self._room.offer(failed, self.chat.target, self.window))
        window.status.unload_wanted.connect(self.machine.stop_engines)
        window.status.transfers_pressed.connect(lambda: self._show_models("transfers"))
        self.network.changed.connect(self._show_network)
        self.transfers.listed.connect(
            lambda listed: window.status.show_downloads(downloads_words(listed))
        )
        self.transfers.finished.connect(lambda _: self.models.refresh())
        runs.started.connect(lambda _: self.machine.look())
        runs.progressed.connect(window.status.show_progress)
        runs.ended.connect(window.status.show_end)
        runs.ended.connect(self._after_answer)
        self.machine.looked.connect(self._show_machine)
        self.models.listed.connect(self._show_shelf)
        self.memory.measured.connect(self._show_need)
        self.models.failed.connect(chat.show_error)
        self.settings.changed.connect(self._apply)
        self.settings.failed.connect(chat.show_error)
        self._watch = SettingsWatch(self._workspace.paths.settings, self)
        self._watch.written.connect(self.settings.reload)
        self.listing.listed.connect(lambda _: self._ready("list"))
        self._apply(self.settings.current)

    def _follow_state(self) -> None:
        """What is found again is kept as it changes: a killed window finds it again too."""
        page = self.window.chat
        self.chat.opened.connect(lambda _: self._note_opened())
        for changed in (
            self.window.reshaped,
            page.columns.widened,
            page.columns.list_shown,
            page.columns.details_shown,
            page.composer.draft_changed,
        ):
            changed.connect(lambda *_: self._state_pause.start())

    def _note_opened(self) -> None:
        self._was_opened = True
        self._state_pause.start()

    def _save_state(self) -> None:
        # Until the chat of last time has come, it is still the one to be found again.
        chat = self.chat.conversation_id if self._was_opened else self._state.conversation_id
        save_state(self._state_path, self.window.state(chat, self.chat.new_draft))

    # -- the start --------------------------------------------------------------------------

    def start(self) -> None:
        """After the first paint: everything that takes time."""
        work = self._workspace.conversations
        self.jobs.run_in_order(work.recover, lambda _: None, self.window.chat.show_error)
        self.jobs.run(self._back_up, lambda _: None, self.window.chat.show_error)
        if self._state.conversation_id:
            self.window.chat.expect_chat()
        self.listing.start()
        self.models.refresh()
        self.chat.restore_new_draft(self._state.draft)
        if self._state.conversation_id:
            self._open_last(self._state.conversation_id)
        elif self._state.was_used:
            self.window.chat.new_chat()
        self.machine.start()
        self.network.start()
        self.jobs.run_in_order(lambda: work.purge_deleted(_KEEP_DELETED), lambda _: None, ignore)
        if problem := self._workspace.settings_file.problem:
            self.window.chat.banners.say(problem, tone="warning")

    def _back_up(self) -> Path | None:
        return self._workspace.database.backup_when_due(_BACKUP_AFTER)

    def _open_last(self, conversation_id: str) -> None:
        """The conversation of last time, unless it was deleted meanwhile."""
        self.jobs.run_in_order(
            lambda: self._workspace.conversations.get(conversation_id),
            lambda found: self.chat.open(found.id),
            lambda _: self.window.chat.new_chat(),
        )

    def _ready(self, part: str) -> None:
        self._waiting.discard(part)
        if not self._waiting and not self._is_usable:
            self._is_usable = True
            self.usable.emit()

    @property
    def is_usable(self) -> bool:
        """Whether a question can be asked."""
        return self._is_usable

    # -- following --------------------------------------------------------------------------

    def _apply(self, settings: Settings) -> None:
        self._theme.set_choice(settings.theme)
        self._theme.set_scale(settings.text_scale)
        self._theme.set_reduce_motion(settings.reduce_motion)
        self.window.chat.apply_settings(settings)

    def _show_shelf(self, shelf: Shelf) -> None:
        if shelf.models is self._shown.models and shelf.targets is self._shown.targets:
            return  # only disks or folders are others
        self._shown = shelf
        window = self.window
        window.chat.show_targets(shelf.targets)
        window.status.show_titles({model.name: model.title for model in shelf.models})
        window.status.show_machine(self.machine.state)
        self._show_cards()
        starter = next((model for model in shelf.models if model.included), None)
        if starter is not None and self._need is None:
            self.memory.estimate(Question(starter, self.settings.current.context_length))
        self._ready("models")

    def _show_need(self, need: MemoryNeed) -> None:
        starter = next((model for model in self.models.shelf.models if model.included), None)
        if self._need is None and starter is not None and need.name == starter.name:
            self._need = need
            self._show_cards()

    def _show_cards(self) -> None:
        cards: list[ModelCard] = []
        chat = {target.name for target in self.models.shelf.targets}
        for model in self.models.shelf.models:
            need = self._need if self._need and self._need.name == model.name else None
            if model.name in chat:
                cards.append(
                    ModelCard(
                        model.name,
                        model.title or model.name,
                        f"{model.quality}, {model.quantization}",
                        model.size_bytes,
                        need.total_bytes if need else 0,
                        included=model.included,
                        fit=model.fit or "",
                        owner="" if model.owner in (OWN, "user") else model.owner,
                    )
                )
        starter = next((card for card in cards if card.included), None)
        others = tuple(card for card in cards if card is not starter)
        self.window.chat.show_models(starter, others)

    def _show_machine(self, state: MachineState) -> None:
        self.window.status.show_machine(state)

    def _after_answer(self, ended: AnswerEnded) -> None:
        """A first answer also finds out the hash of its model."""
        self.machine.look()
        found = ended.finished.model_sha256 if ended.finished else None
        if found and all(model.sha256 != found for model in self.models.shelf.models):
            self.models.refresh()

    def _show_seal(self) -> None:
        dialog = SealDialog(self._theme, self.network, self.jobs, self.window)
        dialog.finished.connect(dialog.deleteLater)
        dialog.show()

    def _show_network(self, view: NetworkView) -> None:
        self.window.status.show_network(view)
        if not self._transfers_begun:
            self._transfers_begun = True
            self.transfers.start(working=view.is_open)

    def _ask_open(self) -> None:
        network = self.network
        dialog = OpenDialog(self._theme, network.view, network.hub_names(), self.window)
        dialog.allow_wanted.connect(network.allow)
        dialog.quit_wanted.connect(self._quit_when_written)
        dialog.finished.connect(dialog.deleteLater)
        dialog.show()

    def _quit_when_written(self) -> None:
        """After the permission is stored, or at once when it is already."""
        if self.network.view.opens_next:
            self.window.close()
        else:
            self.network.changed.connect(self._quit_if_allowed)

    def _quit_if_allowed(self, view: NetworkView) -> None:
        if view.opens_next:
            self.window.close()

    def _show_models(self, tab: str) -> None:
        self.window.show_page("models")
        if self._models_page is not None:
            self._models_page.show_tab(tab)

    def _choose_models(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self.window, "Import models", str(Path.home()), "GGUF models (*.gguf)"
        )
        if names:
            self._import_models([Path(name) for name in names])

    def _import_models(self, paths: list[Path]) -> None:
        """The page is shown first: it tells what became of each file."""
        self.window.show_page("models")
        self.models.import_files(paths)

    # -- the end ----------------------------------------------------------------------------

    def close(self) -> None:
        """Keep what is typed and what came; never wait for a model longer than a moment."""
        if self._closed:
            return
        self._closed = True
        self._state_pause.stop()
        self.window.chat.keep_draft()
        self.chat.keep_queues()
        self._save_state()
        self.chat.runs.leave_all()
        self.jobs.close(grace_s=_CLOSE_GRACE_S)
        self._workspace.close()


def _tidy() -> None:
    """What was made at the start stays: looking through it all again would halt the window."""
    gc.collect()
    gc.freeze()


class _FirstPaint(QObject):
    """Tells when the window was painted for the first time."""

    painted = Signal()

    def __init__(self, window: QObject) -> None:
        super().__init__(window)
        self._done = False
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and not self._done:
            self._done = True
            QTimer.singleShot(0, self.painted.emit)
        return False


def _places(paths: Paths) -> tuple[Place, ...]:
    return (
        Place("Everything", paths.home),
        Place("Chats and library", paths.database),
        Place("Settings", paths.settings),
        Place("Models", paths.models),
        Place("Logs, without any of your words", paths.logs),
        Place("Backups", paths.backups),
    )


def _about() -> About:
    from importlib.metadata import version

    return About(
        lockhouse.__version__, f"llama.cpp through llama-cpp-python {version('llama-cpp-python')}"
    )


def make_application(arguments: list[str]) -> QApplication:
    """The Qt application with its names and icon."""
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(arguments)
    # A thread that computes in Python makes each call of Qt's wait this long for Python's lock.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # Reading a library makes tens of thousands of values that die at once: not worth a search.
    gc.set_threshold(*_GC_THRESHOLDS)
    application.setOrganizationName("Lockhouse")
    application.setApplicationName("Lockhouse")
    application.setApplicationDisplayName("Lockhouse")
    application.setApplicationVersion(lockhouse.__version__)
    application.setDesktopFileName("lockhouse")
    icon = QIcon()
    for size in _ICON_SIZES:
        icon.addFile(app_icon_path(size))
    application.setWindowIcon(icon)
    return application


def _home_of(arguments: list[str]) -> Path | None:
    for number, word in enumerate(arguments):
        if word == "--home" and number + 1 < len(arguments):
            return Path(arguments[number + 1])
        if word.startswith("--home="):
            return Path(word.removeprefix("--home="))
    return None


def tell_storage_error(theme: Theme, error: LockhouseError) -> None:
    """The database cannot be used: say which and what to do, then end."""
    titles = {
        "database_damaged": "The database is damaged",
        "database_too_new": "The database was written by a newer Lockhouse",
    }
    dialog = ChoiceDialog(
        theme,
        titles.get(error.code, "Lockhouse cannot open its database"),
        error.message,
        hint=error.hint,
        close_words="Quit",
    )
    dialog.setObjectName("storage_dialog")
    dialog.exec()


def run(arguments: list[str]) -> int:
    """Open the window and return when it was closed."""
    application = make_application(sys.argv[:1])
    try:
        workspace = open_workspace(_home_of(arguments))
    except StorageError as error:
        if "--smoke" in arguments:
            _print_json({"error": {"code": error.code, "message": error.message}})
        else:
            tell_storage_error(Theme(application), error)
        return error.exit_code
    theme = _theme_for(application, workspace.settings)
    catcher = CrashCatcher(theme, lockhouse.__version__, application)
    catcher.install()
    app = build(application, theme, workspace)
    catcher.over = app.window
    paint = _FirstPaint(app.window)
    paint.painted.connect(app.start)
    app.usable.connect(lambda: QTimer.singleShot(_TIDY_AFTER_MS, app, _tidy))
    if "--smoke" in arguments:
        _report_smoke(app, paint)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: app.window.close())
    app.window.show()
    code = application.exec()
    app.close()
    return code


def _theme_for(application: QApplication, settings: Settings) -> Theme:
    return Theme(
        application,
        choice=settings.theme,
        scale=settings.text_scale,
        reduce_motion=settings.reduce_motion,
    )


def build(application: QApplication, theme: Theme, workspace: Workspace) -> App:
    """The window, built without the style sheet and dressed once at the end.

    With it in force Qt dresses every part again each time it gets another parent: twice the time.
    """
    sheet = application.styleSheet()
    application.setStyleSheet("")
    app = App(application, theme, workspace)
    application.setStyleSheet(sheet)
    return app


def _print_json(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _report_smoke(app: App, paint: _FirstPaint) -> None:
    times: dict[str, float] = {}
    paint.painted.connect(lambda: times.setdefault("first_paint_s", processes.age_s()))

    def tell() -> None:
        times["usable_s"] = processes.age_s()
        shown = {name: round(value, 3) for name, value in times.items()}
        memory = psutil.Process().memory_info().rss
        _print_json({**shown, "rss_bytes": memory, "seal": seal.state()})
        app.window.close()

    app.usable.connect(tell)

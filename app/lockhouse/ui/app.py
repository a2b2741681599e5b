"""Starts the window: the only place where its parts are connected.

Models, engines and other conversations are loaded after the first paint.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QFileDialog

import lockhouse
from lockhouse import processes, seal
from lockhouse.core.errors import LockhouseError, StorageError
from lockhouse.storage.settings import Settings
from lockhouse.ui.chat.asking import Asking
from lockhouse.ui.chat.list_controller import ListController
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.chat.palette import Command
from lockhouse.ui.chat.targets import Targets
from lockhouse.ui.chat.values import AnswerEnded
from lockhouse.ui.error_views import CrashCatcher
from lockhouse.ui.jobs import Jobs, ignore
from lockhouse.ui.machine_monitor import Machine
from lockhouse.ui.main_window import MainWindow
from lockhouse.ui.models.controller import InstalledModels, ModelsController
from lockhouse.ui.models.memory import MemoryController
from lockhouse.ui.models.transfer_controller import TransferController, downloads_summary
from lockhouse.ui.network_monitor import NetworkMonitor, NetworkView
from lockhouse.ui.pages import PAGES, Controllers, PageEntry, Pages
from lockhouse.ui.provider_watch import ProviderWatch
from lockhouse.ui.remedies import NoRoomHelp
from lockhouse.ui.settings.file_watch import FileWatch
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.starter_cards import StarterCards
from lockhouse.ui.startup import (
    FirstPaint,
    home_of,
    make_application,
    tell_storage_error,
    theme_for,
    tidy,
)
from lockhouse.ui.status_bar import StatusBar
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import once
from lockhouse.ui.window_state import load_state, save_state
from lockhouse.ui.zoom import Zoom
from lockhouse.workspace import Workspace, open_workspace, paths_for

if TYPE_CHECKING:
    from lockhouse.ui.gate.page import GatePage
    from lockhouse.ui.models.page import ModelsPage

_CLOSE_GRACE_S = 1.5
_BACKUP_AFTER = timedelta(days=1)
_SAVE_STATE_MS = 700
_TIDY_AFTER_MS = 400


class App(QObject):
    """One window over one workspace."""

    usable = Signal()

    def __init__(
        self,
        application: QApplication,
        theme: Theme,
        workspace: Workspace,
        pages: Sequence[PageEntry] = PAGES,
    ) -> None:
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
        self.chat = OpenChat(workspace.conversations, self.settings, self.jobs, self)
        self.targets = Targets(workspace, self.jobs, self)
        self.asking = Asking(
            self.chat, workspace.turns, workspace.conversations, self.targets, self.jobs
        )
        self.models = ModelsController(workspace.models, workspace.targets, self.jobs, self)
        self.memory = MemoryController(workspace.planner, workspace.engines, self.jobs, self)
        self.transfers = TransferController(lambda: workspace.transfers, self.jobs, self)
        network_file = workspace.paths.network
        self.network = NetworkMonitor(workspace.gate, network_file, self.jobs, self)
        self.providers = ProviderWatch(workspace.providers, workspace.consents, self.jobs, self)
        workspace.engines.keep_loaded = (
            True  # so that a pause of ten minutes does not cost a reload
        )
        self.machine = Machine(workspace.engines, self.jobs, self)
        self._cards = StarterCards(self.memory, self.settings, self)
        self.pages = self._make_pages()
        self._transfers_begun = False
        self._shown = InstalledModels()
        self._zoom = Zoom(theme)
        status = StatusBar(theme, seal.state())
        self.window = MainWindow(theme, self.settings, self.pages, pages, status)
        self._zoom.root = self.window
        self._was_opened = not self._state.conversation_id
        self._state_pause = once(self, _SAVE_STATE_MS, self._save_state)
        self._wire()
        self.window.restore(self._state)
        self._follow_state()

    def _make_pages(self) -> Pages:
        its = Controllers(
            self.chat,
            self.asking,
            self.targets,
            self.listing,
            self.settings,
            self.models,
            self.memory,
            self.transfers,
            self.network,
            self.machine,
        )
        return Pages(self._workspace, its, self.jobs, self._theme, self)

    def _wire(self) -> None:
        window, chat = self.window, self.window.chat
        runs = self.asking.runs
        self._room = NoRoomHelp(
            self._workspace.targets.local,
            self._workspace.conversations,
            self.settings,
            self.jobs,
            self._theme,
            show_models=lambda: window.show_page("models"),
        )
        window.closing.connect(self.close)
        window.models_dropped.connect(self._import_models)
        chat.models_dropped.connect(self._import_models)
        chat.import_wanted.connect(self._choose_models)
        chat.get_wanted.connect(lambda: self.pages.show_models("discover"))
        chat.all_models_wanted.connect(lambda: self.pages.show_models("installed"))
        chat.no_room.connect(self._offer_room)
        window.status.unload_wanted.connect(self.machine.stop_engines)
        window.status.transfers_pressed.connect(lambda: self.pages.show_models("transfers"))
        self.network.changed.connect(self._show_network)
        self.network.failed.connect(self._tell_here)
        self.pages.failed.connect(self._tell_here)
        self.transfers.listed.connect(
            lambda listed: window.status.show_downloads(downloads_summary(listed))
        )
        self.transfers.finished.connect(lambda _: self.models.refresh())
        runs.started.connect(lambda *_: self.machine.look())
        runs.progressed.connect(window.status.show_progress)
        runs.ended.connect(window.status.show_end)
        runs.ended.connect(self._after_answer)
        self.machine.looked.connect(window.status.show_machine)
        self.models.listed.connect(self._show_installed)
        self._cards.made.connect(chat.first_start.show_models)
        self.models.failed.connect(chat.show_error)
        self.settings.changed.connect(self._apply)
        self.settings.failed.connect(chat.show_error)
        self._wire_pages()
        self._watch = FileWatch(self._workspace.paths.settings, self)
        self._watch.written.connect(self.settings.reload)
        self.listing.listed.connect(lambda _: self._ready("list"))
        self._apply(self.settings.current)

    def _wire_pages(self) -> None:
        """Connect what opens other pages, and what pages ask of the window."""
        window, chat, pages = self.window, self.window.chat, self.pages
        window.commands = self._commands()
        pages.over = window
        pages.page_wanted.connect(window.show_page)
        pages.import_wanted.connect(self._choose_models)
        pages.chat_wanted.connect(window.chat_with)
        pages.quit_wanted.connect(self.restart)
        pages.shortcuts_wanted.connect(window.show_shortcuts)
        self.providers.changed.connect(pages.note_providers)
        pages.targets_changed.connect(self.models.refresh)
        pages.targets_changed.connect(self.targets.refresh)
        self.network.changed.connect(chat.next_target.follow_network)
        chat.way_wanted.connect(pages.follow_way)
        pages.returned.connect(chat.come_back)

    def _commands(self) -> tuple[Command, ...]:
        """What the search (Ctrl+K) offers besides pages and the window's own commands."""
        pages, network = self.pages, self.network

        tab = pages.show_models

        def models(act: Callable[[ModelsPage], None]) -> Callable[[], None]:
            return lambda: pages.on_models(act)

        def gate(act: Callable[[GatePage], None]) -> Callable[[], None]:
            return lambda: pages.on_gate(act)

        return (
            Command("file-input", "Import a model…", "", self._choose_models),
            Command("search", "Find a model to download", "", partial(tab, "discover")),
            Command("download", "Downloads", "", partial(tab, "transfers")),
            Command("folder", "Model folders…", "", models(lambda page: page.show_folders())),
            Command("cpu", "Hardware…", "", models(lambda page: page.show_devices())),
            Command("lock", "Seal now", "", network.seal),
            Command("lock-open", "Allow network access…", "", pages.ask_network_access),
            Command("plus", "Add a server or an API…", "", gate(lambda page: page.dialogs.add())),
            Command(
                "shield-check", "Prove that nothing can leave", "", gate(lambda one: one.prove())
            ),
            Command("book-open", "What is guaranteed", "", gate(lambda page: page.show_claims())),
            Command("file-down", "Export network activity…", "", gate(_export_records)),
        )

    def _follow_state(self) -> None:
        """Save the window's state whenever it changes: a killed window is restored too."""
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
        # Until the last chat is open again, it remains the saved one.
        chat = self.chat.conversation_id if self._was_opened else self._state.conversation_id
        save_state(self._state_path, self.window.state(chat, self.chat.new_draft))

    # -- start ------------------------------------------------------------------------------

    def start(self) -> None:
        """After the first paint: everything that takes time."""
        work = self._workspace.conversations
        if (reason := self._workspace.database.unwritable) is not None:
            hint = f"You can read and export chats; nothing is saved. {reason.hint}"
            self.window.chat.banners.say(reason.message, hint, tone="warning", lasts=True)
        self.jobs.run_in_order(work.recover, lambda _: None, self.window.chat.show_error)
        self.jobs.run(self._back_up, lambda _: None, self.window.chat.show_error)
        if self._state.conversation_id:
            self.window.chat.expect_chat()
        self.listing.start()
        self.models.refresh()
        self.targets.refresh()
        self.chat.new_draft = self._state.draft
        if self._state.conversation_id:
            self._open_last(self._state.conversation_id)
        elif self._state.was_used:
            self.window.chat.new_chat()
        self.machine.start()
        self.network.start()
        self.providers.start()
        self.pages.begin()
        self.jobs.run_in_order(work.purge_deleted, lambda _: None, ignore)
        if problem := self._workspace.settings_file.problem:
            self.window.chat.banners.say(problem, tone="warning")

    def _back_up(self) -> Path | None:
        return self._workspace.database.backup_when_due(_BACKUP_AFTER)

    def _open_last(self, conversation_id: str) -> None:
        """Open the last conversation, unless it was deleted since."""
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

    # -- updates ----------------------------------------------------------------------------

    def _apply(self, settings: Settings) -> None:
        self._theme.set_choice(settings.theme)
        self._theme.set_scale(settings.text_scale)
        self._theme.set_reduce_motion(settings.reduce_motion)
        self.window.chat.apply_settings(settings)

    def _show_installed(self, installed: InstalledModels) -> None:
        if installed.models is self._shown.models and installed.targets is self._shown.targets:
            return  # only disks or folders changed
        self._shown = installed
        window = self.window
        window.chat.show_targets(installed.targets)
        window.status.show_titles({model.name: model.title for model in installed.models})
        window.status.show_machine(self.machine.state)
        self._cards.show_installed(installed)
        self._ready("models")

    def _after_answer(self, ended: AnswerEnded) -> None:
        """The first answer of a model also brings its hash."""
        self.machine.look()
        found = ended.finished.model_sha256 if ended.finished else None
        if found and all(model.sha256 != found for model in self.models.installed.models):
            self.models.refresh()

    def _offer_room(self, ended: AnswerEnded) -> None:
        """Whatever is chosen holds for the chat of that answer, which may not be open."""
        assert ended.failed is not None
        self._room.offer(
            ended,
            self.window,
            again=lambda: self._ask_again(ended),
        )

    def _ask_again(self, ended: AnswerEnded) -> None:
        self.chat.reload()  # it may be open, and what is set for it has changed
        self.asking.again(ended.message_id, ended.conversation_id)

    def _show_network(self, view: NetworkView) -> None:
        self.window.status.show_network(view)
        if not self._transfers_begun:
            self._transfers_begun = True
            self.transfers.start(working=view.is_open)

    def _tell_here(self, error: LockhouseError) -> None:
        """Show an error on the Chat page, unless a page that shows it itself is visible."""
        if self.window.page not in ("gate", "models"):
            self.window.chat.banners.say(error.message, error.hint)

    def _choose_models(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self.window, "Import models", str(Path.home()), "GGUF models (*.gguf)"
        )
        if names:
            self._import_models([Path(name) for name in names])

    def _import_models(self, paths: list[Path]) -> None:
        """Show the page first: it reports what happened to each file."""
        self.window.show_page("models")
        self.models.plan_import(paths)

    # -- close ------------------------------------------------------------------------------

    def restart(self) -> None:
        """Close, and start again in the same chat where that can be done from here."""
        processes.restart_after_end()
        self.window.close()

    def close(self) -> None:
        """Save drafts and partial answers; wait for models and downloads only briefly."""
        if self._closed:
            return
        self._closed = True
        self._state_pause.stop()
        self.window.chat.keep_draft()
        self.asking.return_queues()
        self._save_state()
        self.asking.runs.leave_all()
        self.jobs.close(grace_s=_CLOSE_GRACE_S)
        self._workspace.close(within_s=_CLOSE_GRACE_S)


def _export_records(page: GatePage) -> None:
    page.records.export()


def run(arguments: list[str]) -> int:
    """Open the window; returns when it is closed."""
    application = make_application(sys.argv[:1])
    home = home_of(arguments)
    try:
        workspace = open_workspace(home)
    except StorageError as error:
        if "--smoke" in arguments:
            _print_json({"error": {"code": error.code, "message": error.message}})
            return error.exit_code
        if not tell_storage_error(Theme(application), error, lambda: _recover(home)):
            return error.exit_code
        workspace = open_workspace(home)
    theme = theme_for(application, workspace.settings)
    catcher = CrashCatcher(theme, lockhouse.__version__, application)
    catcher.install()
    app = build(application, theme, workspace)
    catcher.over = app.window
    paint = FirstPaint(app.window)
    paint.painted.connect(app.start)
    app.usable.connect(lambda: QTimer.singleShot(_TIDY_AFTER_MS, app, tidy))
    if "--smoke" in arguments:
        _report_smoke(app, paint)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: app.window.close())
    app.window.show()
    code = application.exec()
    app.close()
    application.shutdown()  # passes what was copied on to the desktop
    return code


def _recover(home: Path | None) -> str:
    from lockhouse.chat import recovery  # next to never needed

    paths = paths_for(home)
    done = recovery.recover(paths.database, backups=paths.backups)
    return "\n".join(done.sentences()) if done is not None else "It is not damaged any more."


def build(
    application: QApplication,
    theme: Theme,
    workspace: Workspace,
    pages: Sequence[PageEntry] = PAGES,
) -> App:
    """The window, built without the style sheet, which is set once at the end.

    Otherwise Qt styles each widget again whenever it gets another parent: twice the time.
    """
    sheet = application.styleSheet()
    application.setStyleSheet("")
    app = App(application, theme, workspace, pages)
    application.setStyleSheet(sheet)
    return app


def _print_json(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _report_smoke(app: App, paint: FirstPaint) -> None:
    times: dict[str, float] = {}
    paint.painted.connect(lambda: times.setdefault("first_paint_s", processes.age_s()))

    def tell() -> None:
        times["usable_s"] = processes.age_s()
        shown = {name: round(value, 3) for name, value in times.items()}
        memory = psutil.Process().memory_info().rss
        _print_json({**shown, "rss_bytes": memory, "seal": seal.state()})
        app.window.close()

    app.usable.connect(tell)

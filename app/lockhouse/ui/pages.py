"""Makes the pages that the first paint does not need, each when it is first shown.

Hides what each page is given and where its wishes go; modules of a page are loaded with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

import lockhouse
from lockhouse.gate.records import Records
from lockhouse.ui.jobs import Jobs, ignore
from lockhouse.ui.machine_monitor import Machine
from lockhouse.ui.models.controller import ModelsController
from lockhouse.ui.models.memory import MemoryController
from lockhouse.ui.models.transfer_controller import TransferController
from lockhouse.ui.network_monitor import NetworkWatch
from lockhouse.ui.settings.places import About, Place
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.theme import Theme
from lockhouse.workspace import Paths, Workspace

if TYPE_CHECKING:
    from lockhouse.ui.gate.controller import GateController
    from lockhouse.ui.gate.page import GatePage
    from lockhouse.ui.gate.provider_values import ProviderRow
    from lockhouse.ui.models.page import ModelsPage


@dataclass(frozen=True, slots=True)
class Controllers:
    """What more than one page follows."""

    settings: SettingsStore
    models: ModelsController
    memory: MemoryController
    transfers: TransferController
    network: NetworkWatch
    machine: Machine


class Pages(QObject):
    """The pages behind the first one."""

    import_wanted = Signal()
    chat_wanted = Signal(str)
    quit_wanted = Signal()
    shortcuts_wanted = Signal()
    targets_changed = Signal()
    page_wanted = Signal(str)  # which has to be shown
    failed = Signal(object)  # LockhouseError, of what may have no page yet

    def __init__(
        self,
        workspace: Workspace,
        controllers: Controllers,
        jobs: Jobs,
        theme: Theme,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._controllers = controllers
        self._jobs = jobs
        self._theme = theme
        self.over: QWidget | None = None  # the window, for dialogs
        self._models_page: ModelsPage | None = None
        self._gate_page: GatePage | None = None
        self._first_seq: int | None = None
        self._leads_back = False  # to the chat that a dialog of the Gate page was opened from

    @cached_property
    def gate(self) -> GateController:
        """What the Gate page knows; loaded when somebody wants it, and after the first paint."""
        from lockhouse.ui.gate.controller import GateController

        made = GateController(self._workspace, self._jobs, lambda: self._first_seq, self)
        made.providers.changed.connect(self.targets_changed)
        made.price_changed.connect(self.targets_changed)
        made.failed.connect(self.failed)
        return made

    def begin(self) -> None:
        """Note where the records end as this window starts: what follows is of this session."""

        def take(seq: int) -> None:
            self._first_seq = seq

        self._jobs.run(Records(self._workspace.database).last_seq, take, ignore)

    def show_models_tab(self, tab: str) -> None:
        """Open a tab of the Models page, which is shown already."""
        if self._models_page is not None:
            self._models_page.show_tab(tab)

    def make_models(self) -> QWidget:
        """The Models page."""
        from lockhouse.ui.models.discover_controller import DiscoverController
        from lockhouse.ui.models.page import ModelsPage

        workspace, its = self._workspace, self._controllers
        discover = DiscoverController(
            workspace.hub, workspace.engines, lambda: its.models.shelf.models, self._jobs, self
        )
        page = ModelsPage(
            its.models,
            its.memory,
            discover,
            its.transfers,
            its.network,
            its.settings,
            self._jobs,
            self._theme,
        )
        page.import_wanted.connect(self.import_wanted)
        page.unload_wanted.connect(its.machine.stop_engines)
        page.loading.connect(its.machine.look)
        page.chat_wanted.connect(self.chat_wanted)
        page.open_network_wanted.connect(lambda: self.ask_open("hub"))
        page.seal_wanted.connect(its.network.seal)
        its.machine.looked.connect(page.show_machine)
        page.show_machine(its.machine.state)
        page.show_shelf(its.models.shelf)
        self._models_page = page
        return page

    def make_gate(self) -> QWidget:
        """The Gate page."""
        from lockhouse.ui.gate.page import GatePage

        its = self._controllers
        page = GatePage(self.gate, its.network, its.settings, self._theme)
        page.open_wanted.connect(self.ask_open)
        page.quit_wanted.connect(self.quit_wanted)
        page.dialogs.ended.connect(self._go_back)
        self._gate_page = page
        return page

    def note_providers(self) -> None:
        """Providers or their chosen models are others now: whoever shows them reads them anew."""
        self.targets_changed.emit()
        if self._gate_page is not None and self._gate_page.isVisible():
            self.gate.providers.refresh()

    def on_gate(self, act: Callable[[GatePage], None]) -> None:
        """Show the Gate page, and do something on it."""
        self.page_wanted.emit("gate")
        if self._gate_page is not None:
            act(self._gate_page)

    def follow_way(self, way: str, provider: str) -> None:
        """The way on from what is in the way of an answer from elsewhere."""
        if way == "door":
            self.ask_open(provider)
        elif way == "key":
            self._on_provider(lambda page: page.dialogs.set_key(provider))
        elif way == "models":
            self._on_provider(lambda page: page.dialogs.show_models(provider))
        else:
            self.page_wanted.emit("gate")

    def _on_provider(self, act: Callable[[GatePage], None]) -> None:
        """As soon as it is known who has a key; the chat comes back when all is said."""

        def begin(page: GatePage) -> None:
            act(page)
            self._leads_back = page.dialogs.any_open

        self.on_gate(lambda page: self.gate.providers.when_read(lambda: begin(page)))

    def _go_back(self) -> None:
        leads_back, self._leads_back = self._leads_back, False
        if leads_back and self._gate_page is not None and self._gate_page.isVisible():
            self.page_wanted.emit("chat")

    def ask_open(self, wanted: str = "") -> None:
        """Ask to whom a door is to be opened; ``wanted`` is a provider, or the hub."""
        self.gate.providers.with_rows(lambda rows: self._show_door(rows, wanted))

    def _show_door(self, rows: tuple[ProviderRow, ...], wanted: str) -> None:
        from lockhouse.ui.gate.network_permissions import ways_of
        from lockhouse.ui.network_access_dialog import NetworkAccessDialog

        network = self._controllers.network
        ways = ways_of(rows, network.hub_names())
        dialog = NetworkAccessDialog(
            self._theme, network.view, ways, wanted=wanted, parent=self.over
        )
        dialog.allow_wanted.connect(
            lambda far, near, leave: network.open_to(
                far, near, then=self.quit_wanted.emit if leave else None
            )
        )
        dialog.seal_wanted.connect(network.seal)
        dialog.quit_wanted.connect(self.quit_wanted)
        dialog.finished.connect(dialog.deleteLater)
        dialog.show()

    def make_settings(self) -> QWidget:
        """The Settings page."""
        from lockhouse.ui.settings.page import SettingsPage

        models = self._controllers.models
        page = SettingsPage(
            self._controllers.settings, self._theme, _places(self._workspace.paths), _about()
        )
        page.shortcuts_wanted.connect(self.shortcuts_wanted)
        page.show_targets(models.shelf.targets)
        models.listed.connect(lambda shelf: page.show_targets(shelf.targets))
        return page


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

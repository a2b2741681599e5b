"""The pages of the window: one entry each, and what a page is made from.

To add a page, write ``make_page`` in a folder of its own, add one line to ``PAGES`` and the folder
to the import. The rail,
the shortcut and its line in the list of shortcuts, the search (Ctrl+K) and the window title follow.
A page other than the first is made, and its modules are loaded, when it is first shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from lockhouse.gate.records import Records
from lockhouse.ui import chat, gate, models, settings
from lockhouse.ui.chat.asking import Asking
from lockhouse.ui.chat.list_controller import ListController
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.chat.targets import Targets
from lockhouse.ui.jobs import Jobs, ignore
from lockhouse.ui.machine_monitor import Machine
from lockhouse.ui.models.controller import ModelsController
from lockhouse.ui.models.memory import MemoryController
from lockhouse.ui.models.transfer_controller import TransferController
from lockhouse.ui.network_monitor import NetworkMonitor
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.theme import Theme
from lockhouse.workspace import Workspace

if TYPE_CHECKING:
    from lockhouse.ui.gate.controller import GateController
    from lockhouse.ui.gate.page import GatePage
    from lockhouse.ui.gate.provider_values import ProviderRow
    from lockhouse.ui.models.page import ModelsPage


@dataclass(frozen=True, slots=True)
class PageEntry:
    """One page; ``key`` also names it in the saved state of the window."""

    key: str
    title: str
    icon: str
    shortcut: str
    make: Callable[[Pages], QWidget]
    at_foot: bool = False  # of the rail


PAGES: tuple[PageEntry, ...] = (
    PageEntry("chat", "Chat", "message-square", "Ctrl+1", chat.make_page),
    PageEntry("models", "Models", "boxes", "Ctrl+2", models.make_page),
    PageEntry("gate", "Gate", "door-closed-locked", "Ctrl+3", gate.make_page),
    PageEntry("settings", "Settings", "settings-2", "Ctrl+,", settings.make_page, at_foot=True),
)


@dataclass(frozen=True, slots=True)
class Controllers:
    """What more than one page follows."""

    chat: OpenChat
    asking: Asking
    targets: Targets
    listing: ListController
    settings: SettingsStore
    models: ModelsController
    memory: MemoryController
    transfers: TransferController
    network: NetworkMonitor
    machine: Machine


class Pages(QObject):
    """What pages are made from, and what they ask of the window."""

    import_wanted = Signal()
    chat_wanted = Signal(str)
    quit_wanted = Signal()  # and to be started again, where that can be
    shortcuts_wanted = Signal()
    targets_changed = Signal()
    returned = Signal()  # to the chat, from what removes an obstacle there
    page_wanted = Signal(str)  # the key of the page to show
    failed = Signal(object)  # LockhouseError of a page that may not exist yet

    def __init__(
        self,
        workspace: Workspace,
        controllers: Controllers,
        jobs: Jobs,
        theme: Theme,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.controllers = controllers
        self.jobs = jobs
        self.theme = theme
        self.made: dict[str, QWidget] = {}
        self.over: QWidget | None = None  # the window, for dialogs
        self._first_seq: int | None = None
        self._leads_back = False  # to the chat that a dialog of the Gate page was opened from

    def make(self, entry: PageEntry) -> QWidget:
        """The page of that entry; made once."""
        page = self.made.get(entry.key)
        if page is None:
            page = self.made[entry.key] = entry.make(self)
        return page

    def begin(self) -> None:
        """Remember where the records end as this window starts: the rest is of this session."""

        def take(seq: int) -> None:
            self._first_seq = seq

        self.jobs.run(Records(self.workspace.database).last_seq, take, ignore)

    def show_models(self, tab: str) -> None:
        """Show a tab of the Models page."""
        self.on_models(lambda page: page.show_tab(tab))

    def on_models(self, act: Callable[[ModelsPage], None]) -> None:
        """Show the Models page, and do something on it."""
        self.page_wanted.emit("models")
        act(cast("ModelsPage", self.made["models"]))

    # -- the Gate, from other pages ---------------------------------------------------------

    @cached_property
    def gate(self) -> GateController:
        """Data of the Gate page; loaded when first needed, after the first paint."""
        from lockhouse.ui.gate.controller import GateController

        made = GateController(self.workspace, self.jobs, lambda: self._first_seq, self)
        made.providers.changed.connect(self.targets_changed)
        made.price_changed.connect(self.targets_changed)
        made.failed.connect(self.failed)
        return made

    @property
    def _gate_page(self) -> GatePage | None:
        return cast("GatePage | None", self.made.get("gate"))

    def note_providers(self) -> None:
        """Providers or their chosen models have changed: read them again where they are shown."""
        self.targets_changed.emit()
        if self._gate_page is not None and self._gate_page.isVisible():
            self.gate.providers.refresh()

    def on_gate(self, act: Callable[[GatePage], None]) -> None:
        """Show the Gate page, and do something on it."""
        self.page_wanted.emit("gate")
        if self._gate_page is not None:
            act(self._gate_page)

    def follow_way(self, way: str, provider: str) -> None:
        """Open what removes the obstacle to an answer from ``provider``."""
        if way == "network":
            self.ask_network_access(provider)
        elif way == "key":
            self._on_provider(lambda page: page.dialogs.set_key(provider))
        elif way == "models":
            self._on_provider(lambda page: page.dialogs.show_models(provider))
        elif way == "providers":
            self._on_provider(lambda page: page.dialogs.add())
        else:
            self.page_wanted.emit("gate")

    def _on_provider(self, act: Callable[[GatePage], None]) -> None:
        """Once it is known which provider has a key; the chat is shown again afterwards."""

        def begin(page: GatePage) -> None:
            act(page)
            self._leads_back = page.dialogs.any_open

        self.on_gate(lambda page: self.gate.providers.when_read(lambda: begin(page)))

    def leave_gate(self) -> None:
        """A dialog of the Gate page was closed: back to the chat that it was opened from."""
        leads_back, self._leads_back = self._leads_back, False
        if leads_back and self._gate_page is not None and self._gate_page.isVisible():
            self.page_wanted.emit("chat")
            self.returned.emit()

    def ask_network_access(self, wanted: str = "") -> None:
        """Ask which hosts may be reached; ``wanted`` is a provider, or the hub."""
        self.gate.providers.with_rows(lambda rows: self._show_network_access(rows, wanted))

    def _show_network_access(self, rows: tuple[ProviderRow, ...], wanted: str) -> None:
        from lockhouse.ui.gate.network_access_dialog import NetworkAccessDialog, permissions_of

        network = self.controllers.network
        permissions = permissions_of(rows, network.hub_names())
        dialog = NetworkAccessDialog(
            self.theme, network.view, permissions, wanted=wanted, parent=self.over
        )
        goes_on = self.returned.emit if network.view.is_open else None  # else after a restart
        dialog.allow_wanted.connect(
            lambda far, near, until, leave: network.open_to(
                far, near, until=until, then=self.quit_wanted.emit if leave else goes_on
            )
        )
        dialog.seal_wanted.connect(network.seal)
        dialog.quit_wanted.connect(self.quit_wanted)
        dialog.show_once()

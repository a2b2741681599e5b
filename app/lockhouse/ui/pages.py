"""Makes the pages that the first paint does not need, each when it is first shown.

Hides what each page is given and where its wishes go; modules of a page are loaded with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

import lockhouse
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.machine import Machine
from lockhouse.ui.models.controller import ModelsController
from lockhouse.ui.models.memory import MemoryController
from lockhouse.ui.models.transfer_controller import TransferController
from lockhouse.ui.network import NetworkWatch
from lockhouse.ui.settings.places import About, Place
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.theme import Theme
from lockhouse.workspace import Paths, Workspace

if TYPE_CHECKING:
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
    open_network_wanted = Signal()
    shortcuts_wanted = Signal()

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
        self._models_page: ModelsPage | None = None

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
        page.open_network_wanted.connect(self.open_network_wanted)
        page.seal_wanted.connect(its.network.seal)
        its.machine.looked.connect(page.show_machine)
        page.show_machine(its.machine.state)
        page.show_shelf(its.models.shelf)
        self._models_page = page
        return page

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

"""The Models page: which models this machine has, and what each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockhouse.ui.models.page import ModelsPage
    from lockhouse.ui.pages import Pages


def make_page(pages: Pages) -> ModelsPage:
    """The page, loaded when it is first shown."""
    from lockhouse.ui.models.discover_controller import DiscoverController
    from lockhouse.ui.models.page import ModelsPage

    workspace, its = pages.workspace, pages.controllers
    discover = DiscoverController(
        workspace.hub, workspace.engines, lambda: its.models.installed.models, pages.jobs, pages
    )
    page = ModelsPage(
        its.models,
        its.memory,
        discover,
        its.transfers,
        its.network,
        its.settings,
        pages.jobs,
        pages.theme,
    )
    page.import_wanted.connect(pages.import_wanted)
    page.unload_wanted.connect(its.machine.stop_engines)
    page.loading.connect(its.machine.look)
    page.chat_wanted.connect(pages.chat_wanted)
    page.open_network_wanted.connect(lambda: pages.ask_network_access("hub"))
    page.seal_wanted.connect(its.network.seal)
    its.machine.looked.connect(page.show_machine)
    page.show_machine(its.machine.state)
    page.show_installed(its.models.installed)
    return page

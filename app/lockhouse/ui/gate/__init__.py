"""The Gate page: what is open, what left, keys and servers, cost, and the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockhouse.ui.gate.page import GatePage
    from lockhouse.ui.pages import Pages


def make_page(pages: Pages) -> GatePage:
    """The page, loaded when it is first shown."""
    from lockhouse.ui.gate.page import GatePage

    its = pages.controllers
    page = GatePage(pages.gate, its.network, its.settings, pages.theme)
    page.open_wanted.connect(pages.ask_network_access)
    page.quit_wanted.connect(pages.quit_wanted)
    page.dialogs.ended.connect(pages.leave_gate)
    return page

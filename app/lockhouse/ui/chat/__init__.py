"""The Chat page: conversation list, transcript, composer, details."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockhouse.ui.chat.page import ChatPage
    from lockhouse.ui.pages import Pages


def make_page(pages: Pages) -> ChatPage:
    """The page, wired to the rest of the window by ``App``."""
    from lockhouse.ui.chat.page import ChatPage

    its = pages.controllers
    return ChatPage(
        its.chat,
        its.asking,
        its.targets,
        its.listing,
        its.settings,
        pages.workspace,
        its.machine,
        pages.jobs,
        pages.theme,
    )

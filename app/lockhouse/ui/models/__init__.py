"""The Models page: which models this machine has, and what each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockhouse.ui.models.page import ModelsPage
    from lockhouse.ui.pages import Pages


def make_page(pages: Pages) -> ModelsPage:
    """The page, loaded when it is first shown."""
    from lockhouse.ui.models.page import ModelsPage

    return ModelsPage(pages)

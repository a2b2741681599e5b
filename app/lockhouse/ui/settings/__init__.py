"""The Settings page, built from the fields of the settings file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockhouse.ui.pages import Pages
    from lockhouse.ui.settings.page import SettingsPage


def make_page(pages: Pages) -> SettingsPage:
    """The page, loaded when it is first shown."""
    from importlib.metadata import version

    import lockhouse
    from lockhouse.ui.settings.page import SettingsPage
    from lockhouse.ui.settings.places import About, Place

    paths, models = pages.workspace.paths, pages.controllers.models
    places = (
        Place("Everything", paths.home),
        Place("Chats and library", paths.database),
        Place("Settings", paths.settings),
        Place("Models", paths.models),
        Place("Logs, without any of your words", paths.logs),
        Place("Backups", paths.backups),
    )
    engine = f"llama.cpp through llama-cpp-python {version('llama-cpp-python')}"
    about = About(lockhouse.__version__, engine)
    page = SettingsPage(pages.controllers.settings, pages.theme, places, about)
    page.shortcuts_wanted.connect(pages.shortcuts_wanted)
    page.show_targets(models.shelf.targets)
    models.listed.connect(lambda shelf: page.show_targets(shelf.targets))
    return page

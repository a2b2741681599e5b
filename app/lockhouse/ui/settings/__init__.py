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

    paths, models = pages.workspace.paths, pages.controllers.models
    places = (
        ("Everything", paths.home),
        ("Chats and library", paths.database),
        ("Settings", paths.settings),
        ("Models", paths.models),
        ("Logs, without prompts and answers", paths.logs),
        ("Backups", paths.backups),
    )
    engine = f"llama.cpp through llama-cpp-python {version('llama-cpp-python')}"
    about = (f"Lockhouse {lockhouse.__version__}", engine)
    page = SettingsPage(pages.controllers.settings, pages.theme, places, about)
    page.shortcuts_wanted.connect(pages.shortcuts_wanted)
    page.show_targets(models.installed.targets)
    models.listed.connect(lambda installed: page.show_targets(installed.targets))
    return page

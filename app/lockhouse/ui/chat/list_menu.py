"""The context menu of the conversation list."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QMenu, QWidget

from lockhouse.ui import formatting
from lockhouse.ui.chat.list_controller import ListController, conversations_of
from lockhouse.ui.chat.list_model import Row
from lockhouse.ui.chat.values import Listing
from lockhouse.ui.frame_parts import ask_text, make_menu
from lockhouse.ui.theme import Theme


def fill_menu(
    parent: QWidget,
    theme: Theme,
    controller: ListController,
    listing: Listing,
    row: Row,
    ids: Sequence[str],
    *,
    rename: Callable[[], None],
) -> QMenu:
    """What can be done with the row, or with all selected conversations."""
    menu = make_menu(parent)
    if row.kind == "folder":
        menu.addAction(theme.icon("pencil"), "Rename", rename)
        menu.addAction(
            theme.icon("trash-2"),
            "Remove the folder, keep its chats",
            lambda: controller.delete_folder(row.folder_id),
        )
        return menu
    chosen = conversations_of(listing, ids)
    if len(chosen) == 1:
        menu.addAction(theme.icon("pencil"), "Rename", rename).setShortcut("F2")
    pinned = bool(chosen) and all(one.pinned for one in chosen)
    menu.addAction(
        theme.icon("pin-off" if pinned else "pin"),
        "Unpin" if pinned else "Pin",
        lambda: controller.set_pinned(ids, pinned=not pinned),
    )
    _add_folders(menu, parent, theme, controller, listing, ids, row)
    menu.addSeparator()
    words = "Delete" if len(chosen) < 2 else f"Delete {formatting.counted(len(chosen), 'chat')}"
    menu.addAction(theme.icon("trash-2"), words, lambda: controller.delete(ids)).setShortcut("Del")
    return menu


def _add_folders(
    menu: QMenu,
    parent: QWidget,
    theme: Theme,
    controller: ListController,
    listing: Listing,
    ids: Sequence[str],
    row: Row,
) -> None:
    folders = make_menu(menu, "Move to folder")
    folders.setIcon(theme.icon("folder"))
    for folder in listing.folders:
        action = folders.addAction(folder.name)
        action.triggered.connect(
            lambda _checked=False, target=folder.id: controller.move(ids, target)
        )
        action.setEnabled(row.conversation is None or row.conversation.folder_id != folder.id)
    if listing.folders:
        folders.addSeparator()

    def into_new() -> None:
        name = ask_text(parent, theme, "New folder", "Name of the folder", "Create")
        if name:
            controller.create_folder(name, ids)

    folders.addAction(theme.icon("folder-plus"), "New folder…", into_new)
    if row.conversation is not None and row.conversation.folder_id:
        folders.addAction("Out of the folder", lambda: controller.move(ids, None))
    menu.addMenu(folders)

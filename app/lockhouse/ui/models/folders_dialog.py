"""The folders that hold models: own ones, those of other programs, and what is in each."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.library.model_info import FolderUse
from lockhouse.ui import formatting
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import hairline, icon_button, label, scrolling
from lockhouse.ui.models import model_text
from lockhouse.ui.theme import Theme


class FoldersDialog(FormDialog):
    """One row per folder. Own ones can be added and removed; no file is ever deleted here."""

    add_wanted = Signal(object)  # Path
    remove_wanted = Signal(object)  # Path
    rescan_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        about = (
            "Models in folders of other programs are used in place and never changed or deleted."
        )
        super().__init__(
            theme, "folders_dialog", "Model folders", about, width=680, height=480, parent=parent
        )
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.add_button(
            "Add folder…", self._choose, name="folder_add", icon="folder-plus", on_left=True
        )
        self.add_button(
            "Rescan",
            self.rescan_wanted.emit,
            name="folder_rescan",
            icon="refresh-cw",
            on_left=True,
        )
        self.add_button("Close", self.accept, name="folders_close")
        self._area = scrolling(QWidget(), "folders_area")
        self.content.addWidget(self._area, 1)

    def show_folders(self, folders: tuple[FolderUse, ...]) -> None:
        """Show these folders."""
        px = self._theme.px
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, px(8), 0)
        column.setSpacing(px(6))
        for folder in folders:
            column.addLayout(self._make_row(folder))
            column.addWidget(hairline())
        column.addStretch(1)
        self._area.setWidget(inside)

    def _make_row(self, folder: FolderUse) -> QHBoxLayout:
        theme, px = self._theme, self._theme.px
        top = Qt.AlignmentFlag.AlignTop
        icon = label("")
        icon.setPixmap(theme.pixmap("house" if folder.own else "folder-symlink", 16, "text-2"))
        title = folder.label or model_text.owner_name(folder.owner)
        if folder.main:
            title = f"{title}, new models are stored here"
        elif folder.own:
            title = "Your folder"
        path = label(model_text.home_relative(folder.path), role="caption", ink="2", wrap=True)
        path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        texts = QVBoxLayout()
        texts.setSpacing(px(2))
        texts.addWidget(label(title, role="medium"))
        texts.addWidget(path)
        if folder.problem:
            texts.addWidget(label(folder.problem, role="caption", ink="warning", wrap=True))
        count = formatting.counted(folder.model_count, "model")
        row = QHBoxLayout()
        row.setSpacing(px(10))
        row.addWidget(icon, 0, top)
        row.addLayout(texts, 1)
        row.addWidget(label(f"{count}, {formatting.size(folder.size_bytes)}", ink="2"), 0, top)
        if folder.own and not folder.main:
            remove = icon_button(
                theme,
                "x",
                f"Remove {folder.path} from the list",
                name=f"remove_{folder.path.name}",
                size=14,
            )
            remove.clicked.connect(lambda: self.remove_wanted.emit(folder.path))
            row.addWidget(remove, 0, top)
        return row

    def _choose(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Choose a folder", str(Path.home()))
        if name:
            self.add_wanted.emit(Path(name))

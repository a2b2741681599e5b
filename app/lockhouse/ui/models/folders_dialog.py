"""The folders that hold models: own ones, those of other programs, and what is in each."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.library.model_info import FolderUse
from lockhouse.ui import formatting
from lockhouse.ui.chat.details import scrolling
from lockhouse.ui.frame_parts import hairline, icon_button, label, push_button
from lockhouse.ui.models import model_text
from lockhouse.ui.report_dialog import ReportDialog
from lockhouse.ui.theme import Theme


class FoldersDialog(ReportDialog):
    """One row per folder. Own ones can be added and removed; no file is ever deleted here."""

    add_wanted = Signal(object)  # Path
    remove_wanted = Signal(object)  # Path
    rescan_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "folders_dialog", "Model folders", parent=parent)
        self.resize(theme.px(680), theme.px(480))
        add = push_button(theme, "Add folder…", name="folder_add", icon="folder-plus")
        add.clicked.connect(self._choose)
        rescan = push_button(theme, "Rescan", name="folder_rescan", icon="refresh-cw")
        rescan.clicked.connect(self.rescan_wanted)
        self.buttons.insertWidget(0, add)
        self.buttons.insertWidget(1, rescan)
        self.body.addWidget(
            label(
                "Models in folders of other programs are used in place and never changed or "
                "deleted.",
                ink="2",
                wrap=True,
            )
        )
        self._area = scrolling(QWidget(), "folders_area")
        self.body.addWidget(self._area, 1)

    def show_folders(self, folders: tuple[FolderUse, ...]) -> None:
        """Show these folders."""
        px = self.theme.px
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
        theme, px = self.theme, self.theme.px
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

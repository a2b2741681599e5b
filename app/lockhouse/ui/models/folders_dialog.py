"""Where models lie: own folders, those of other programs, and what is in each."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.library.model_info import FolderUse
from lockhouse.ui import formatting
from lockhouse.ui.chat.details import scrolling
from lockhouse.ui.frame_parts import hairline, icon_button, label, push_button
from lockhouse.ui.models import words
from lockhouse.ui.theme import Theme


class FoldersDialog(QDialog):
    """A row a folder. Own ones can be added and left out; nothing is ever deleted here."""

    add_wanted = Signal(object)  # Path
    forget_wanted = Signal(object)  # Path
    rescan_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        px = theme.px
        self.setObjectName("folders_dialog")
        self.setWindowTitle("Folders")
        self.resize(px(680), px(480))
        self._inside = QWidget()
        self._area = scrolling(self._inside, "folders_area")
        add = push_button(theme, "Add a folder…", name="folder_add", icon="folder-plus")
        add.clicked.connect(self._choose)
        rescan = push_button(theme, "Look again", name="folder_rescan", icon="refresh-cw")
        rescan.clicked.connect(self.rescan_wanted)
        close = push_button(theme, "Close", name="folders_close")
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addWidget(add)
        row.addWidget(rescan)
        row.addStretch(1)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(20), px(16), px(20), px(16))
        column.setSpacing(px(10))
        column.addWidget(label("Folders with models", role="h3"))
        column.addWidget(
            label(
                "Models in other programs’ folders are used where they lie and never changed or "
                "deleted.",
                ink="2",
                wrap=True,
            )
        )
        column.addWidget(self._area, 1)
        column.addLayout(row)

    def show_folders(self, folders: tuple[FolderUse, ...]) -> None:
        """All of them, with what is in each."""
        px = self._theme.px
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, px(8), 0)
        column.setSpacing(px(6))
        for folder in folders:
            column.addLayout(self._row(folder))
            column.addWidget(hairline())
        column.addStretch(1)
        self._area.setWidget(inside)

    def _row(self, folder: FolderUse) -> QHBoxLayout:
        theme, px = self._theme, self._theme.px
        row = QHBoxLayout()
        row.setSpacing(px(10))
        icon = label("")
        ours = "house" if folder.own else "folder-symlink"
        icon.setPixmap(theme.pixmap(ours, 16, "text-2"))
        row.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        texts = QVBoxLayout()
        texts.setSpacing(px(2))
        main = ", new models come here" if folder.main else ""
        title = folder.label or words.owner_words(folder.owner)
        if folder.own and not folder.main:
            title = "Your own folder"
        texts.addWidget(label(f"{title}{main}", role="medium"))
        place = label(words.home_relative(folder.path), role="caption", ink="2", wrap=True)
        place.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        texts.addWidget(place)
        if folder.problem:
            texts.addWidget(label(folder.problem, role="caption", ink="warning", wrap=True))
        row.addLayout(texts, 1)
        models = formatting.counted(folder.model_count, "model")
        amount = f"{models}, {formatting.size(folder.size_bytes)}"
        row.addWidget(label(amount, ink="2"), 0, Qt.AlignmentFlag.AlignTop)
        if folder.own and not folder.main:
            drop = icon_button(
                theme, "x", f"Leave out {folder.path}", name=f"forget_{folder.path.name}", size=14
            )
            drop.clicked.connect(lambda: self.forget_wanted.emit(folder.path))
            row.addWidget(drop, 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _choose(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "A folder with models", str(Path.home()))
        if name:
            self.add_wanted.emit(Path(name))

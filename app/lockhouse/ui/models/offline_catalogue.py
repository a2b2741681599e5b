"""Discover while the network is sealed: what one could bring, and the way to a door."""

from __future__ import annotations

from urllib.parse import quote

from PySide6.QtCore import QModelIndex, Signal
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from lockhouse.library.file_choice import FileChoice
from lockhouse.ui.frame_parts import hairline, label, push_button
from lockhouse.ui.models.discover_values import Entry, Opened
from lockhouse.ui.models.empty import EmptyState
from lockhouse.ui.models.repository import RepositoryView
from lockhouse.ui.models.results import ENTRY, Results, ResultView
from lockhouse.ui.models.search_edit import SearchEdit
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme

HUB = "https://huggingface.co"


def address_of(choice: FileChoice) -> str:
    """Where the first file of a choice can be fetched by hand."""
    name = quote(choice.files[0].name) if choice.files else ""
    return f"{HUB}/{choice.repo}/resolve/{choice.revision or 'main'}/{name}"


class OfflineCatalogueView(QWidget):
    """The bundled catalogue, and a strip that says why there is no search."""

    open_wanted = Signal()
    told = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._opened: dict[str, Opened] = {}
        self._entries: tuple[Entry, ...] = ()
        self.setObjectName("bring_view")
        self._results = Results(self)
        self._list = ResultView(theme, self._results)
        self._list.setObjectName("bring_results")
        self._list.setAccessibleName("What you could bring")
        self._repository = RepositoryView(theme, bring=True)
        self._repository.get_wanted.connect(self._copy_address)
        self._list.selectionModel().currentChanged.connect(self._choose)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._make_strip())
        column.addWidget(hairline())
        column.addWidget(self._make_columns(), 1)

    def _make_strip(self) -> QWidget:
        theme, px = self._theme, self._theme.px
        strip = QFrame()
        strip.setProperty("tone", "accent-tint")
        self._icon = label("")
        self._title = label("Sealed: nothing can leave", role="medium", name="sealed_title")
        self._words = label("", ink="2", wrap=True, name="sealed_words")
        self._open = push_button(theme, "Open a door…", name="open_network", icon="lock-open")
        self._open.clicked.connect(self.open_wanted)
        words = QVBoxLayout()
        words.setSpacing(px(2))
        words.addWidget(self._title)
        words.addWidget(self._words)
        row = QHBoxLayout(strip)
        row.setContentsMargins(px(16), px(12), px(16), px(12))
        row.setSpacing(px(12))
        row.addWidget(self._icon)
        row.addLayout(words, 1)
        row.addWidget(self._open)
        theme.changed.connect(self._dress)
        self._dress()
        self.show_network(NetworkView())
        return strip

    def _make_columns(self) -> QWidget:
        px = self._theme.px
        left = QFrame()
        left.setProperty("tone", "bg-1")
        left.setMinimumWidth(px(264))
        self._edit = SearchEdit(
            self._theme, "bring_filter", "Filter what you could bring", "Filter…"
        )
        self._edit.textChanged.connect(self._show_entries)
        head = QVBoxLayout()
        head.setContentsMargins(px(12), px(12), px(12), px(8))
        head.setSpacing(px(8))
        head.addWidget(label("What you could bring", role="strong"))
        head.addWidget(self._edit)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self._list, 1)
        self._content = QStackedWidget()
        self._content.addWidget(
            EmptyState(
                self._theme,
                "box",
                "Choose a model",
                "Its files show here, with their sizes, hashes and addresses.",
            )
        )
        self._content.addWidget(self._repository)
        splitter = QSplitter()
        splitter.setObjectName("bring_columns")
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(1)
        splitter.addWidget(left)
        splitter.addWidget(self._content)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([px(376), px(800)])
        return splitter

    # what it shows

    def show_network(self, view: NetworkView) -> None:
        """Sealed for good, or only until the next start."""
        if view.opens_next:
            self._title.setText("Open from the next start on")
            self._words.setText(
                "This window was started sealed and stays so. Quit it and start Lockhouse again "
                f"to search {view.place or 'the hub'}."
            )
            self._open.setText("Quit now…")
        else:
            self._title.setText("Sealed: nothing can leave")
            problem = f"{view.explanation} " if view.way in ("damaged", "broker_gone") else ""
            self._words.setText(
                f"{problem}Searching needs a door to a hub of models. Without one, bring a file "
                "on a disk: these are good ones to begin with."
            )
            self._open.setText("Open a door…")

    def show_catalogue(self, found: tuple[tuple[Entry, Opened], ...]) -> None:
        """What the program knows of models without asking anyone."""
        self._opened = {entry.repo: opened for entry, opened in found}
        self._entries = tuple(entry for entry, _ in found)
        self._show_entries()
        if found and not self._list.currentIndex().isValid():
            self._list.setCurrentIndex(self._results.index(0))

    def _show_entries(self) -> None:
        words = self._edit.text().casefold().split()
        self._results.show(
            [
                entry
                for entry in self._entries
                if all(
                    word in f"{entry.title} {entry.about} {entry.author}".casefold()
                    for word in words
                )
            ]
        )

    def _choose(self, index: QModelIndex, _before: object = None) -> None:
        entry: Entry | None = index.data(ENTRY) if index.isValid() else None
        if entry is not None and entry.repo in self._opened:
            self._repository.show_repository(self._opened[entry.repo])
            self._repository.show_transfers(())
            self._content.setCurrentWidget(self._repository)

    def _copy_address(self, choice: FileChoice) -> None:
        address = address_of(choice)
        QApplication.clipboard().setText(address)
        self.told.emit(f"Copied {address}")

    def _dress(self) -> None:
        self._icon.setPixmap(self._theme.pixmap("lock", 24, "accent-text"))

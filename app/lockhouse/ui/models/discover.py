"""The tab Discover: search, results, a repository; sealed, what one could bring."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from lockhouse.core.errors import LockhouseError
from lockhouse.gate.hub import Reference
from lockhouse.library.file_choice import FileChoice
from lockhouse.library.transfers import Transfer
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.error_views import BannerStack
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.markdown import Block
from lockhouse.ui.models.discover_controller import DiscoverController, reference_in
from lockhouse.ui.models.discover_values import Entry, Found, Opened, Query
from lockhouse.ui.models.empty import EmptyState
from lockhouse.ui.models.model_card import ModelCard
from lockhouse.ui.models.offline_catalogue import OfflineCatalogueView
from lockhouse.ui.models.repository import RepositoryView
from lockhouse.ui.models.results import ENTRY, Results, ResultView
from lockhouse.ui.models.search_edit import SearchEdit
from lockhouse.ui.models.transfer_rows import share_of
from lockhouse.ui.models.transfers_view import TransferStrip
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Spinner

_TYPED_REST_MS = 350
_FITS = (("", "Any size"), ("fits", "Size that fits"))
_LICENCES = (
    ("", "Licence"),
    ("apache-2.0", "Apache 2.0"),
    ("mit", "MIT"),
    ("llama3.3", "Llama 3.3"),
    ("llama3.1", "Llama 3.1"),
    ("gemma", "Gemma"),
    ("cc-by-nc-4.0", "CC BY-NC 4.0"),
)
_CAPABILITIES = (
    ("", "Use"),
    ("chat", "Chat"),
    ("reasoning", "Reasoning"),
    ("tools", "Tools"),
    ("vision", "Images"),
    ("embedding", "Embeddings"),
)
_LANGUAGES = (
    ("", "Language"),
    ("en", "English"),
    ("de", "German"),
    ("fr", "French"),
    ("es", "Spanish"),
    ("it", "Italian"),
    ("pt", "Portuguese"),
    ("zh", "Chinese"),
    ("ja", "Japanese"),
    ("ko", "Korean"),
    ("ru", "Russian"),
    ("ar", "Arabic"),
)


class DiscoverView(QWidget):
    """Knows its controller; what is fetched and what is opened is for the page to do."""

    get_wanted = Signal(object, object)  # Opened, FileChoice
    told = Signal(str)
    open_network_wanted = Signal()

    def __init__(
        self, controller: DiscoverController, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._theme = theme
        self._opened: Opened | None = None
        self._transfers: tuple[Transfer, ...] = ()
        self._found: Found | None = None
        self._is_open = False
        self._wanted_repo = ""
        self._was_wide = True
        self.setObjectName("discover_view")
        self.strip = TransferStrip(theme)
        self.banners = BannerStack(theme)
        self.bring = OfflineCatalogueView(theme)
        self.bring.open_wanted.connect(self.open_network_wanted)
        self.bring.told.connect(self.told)
        self._results = Results(self)
        self._list = ResultView(theme, self._results)
        self._repository = RepositoryView(theme)
        self._card = ModelCard(theme)
        self._lay_out()
        self._wire()

    # laying out

    def _lay_out(self) -> None:
        self._splitter = QSplitter()
        self._splitter.setObjectName("discover_columns")
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(1)
        self._splitter.addWidget(self._make_left())
        self._splitter.addWidget(self._make_right())
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes([self._theme.px(376), self._theme.px(800)])
        self._whole = QStackedWidget()
        self._whole.addWidget(self.bring)
        self._whole.addWidget(self._splitter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._whole, 1)
        column.addWidget(self.strip)

    def _make_facets(self) -> QWidget:
        theme = self._theme
        self._fit = ChoiceButton(theme, "Size", _FITS, chip=True, height=28)
        self._licence = ChoiceButton(theme, "Licence", _LICENCES, chip=True, height=28)
        self._capability = ChoiceButton(theme, "Use", _CAPABILITIES, chip=True, height=28)
        self._language = ChoiceButton(theme, "Language", _LANGUAGES, chip=True, height=28)
        chips = QWidget()
        flow = FlowLayout(chips, spacing=theme.px(6))
        for name, chip in (
            ("facet_fit", self._fit),
            ("facet_licence", self._licence),
            ("facet_capability", self._capability),
            ("facet_language", self._language),
        ):
            chip.setObjectName(name)
            flow.addWidget(chip)
        return chips

    def _make_left(self) -> QWidget:
        theme, px = self._theme, self._theme.px
        left = QFrame()
        left.setProperty("tone", "bg-1")
        left.setMinimumWidth(px(264))
        self._edit = SearchEdit(
            theme,
            "discover_search",
            "Search models, or paste an address",
            "Search, or paste an address…",
        )
        self._spinner = Spinner(theme, "Searching")
        self._state = label("Searching…", role="caption", ink="3", name="discover_state")
        waiting = QHBoxLayout()
        waiting.setContentsMargins(px(4), 0, 0, 0)
        waiting.addWidget(self._spinner)
        waiting.addWidget(self._state, 1)
        self._waiting = QWidget()
        self._waiting.setLayout(waiting)
        self._waiting.hide()
        self._none = EmptyState(
            theme, "search", "Nothing found", "Use fewer words, or leave out a filter."
        )
        self._left_stack = QStackedWidget()
        self._left_stack.addWidget(self._list)
        self._left_stack.addWidget(self._none)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, px(12), 0, 0)
        column.setSpacing(px(8))
        top = QVBoxLayout()
        top.setContentsMargins(px(12), 0, px(12), 0)
        top.setSpacing(px(8))
        top.addWidget(self._edit)
        top.addWidget(self._make_facets())
        top.addWidget(self._waiting)
        column.addLayout(top)
        column.addWidget(self._left_stack, 1)
        return left

    def _make_right(self) -> QWidget:
        theme = self._theme
        right = QWidget()
        right.setMinimumWidth(theme.px(360))
        self._choose = EmptyState(
            theme,
            "box",
            "Choose a model",
            "Its files show here, with one recommended for this machine.",
        )
        self._opening = EmptyState(theme, "box", "Looking at it…", "")
        self._content = QStackedWidget()
        for widget in (self._choose, self._opening, self._repository, self._card_page()):
            self._content.addWidget(widget)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banners)
        column.addWidget(self._content, 1)
        return right

    def _card_page(self) -> QWidget:
        px = self._theme.px
        page = QWidget()
        self._card_title = label("", role="title", name="card_title")
        back = push_button(self._theme, "Files", name="card_back")
        back.setAccessibleName("Back to the files")
        back.clicked.connect(lambda: self._content.setCurrentWidget(self._repository))
        head = QHBoxLayout()
        head.setContentsMargins(px(16), px(12), px(16), px(4))
        head.addWidget(self._card_title, 1)
        head.addWidget(back)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(self._card, 1)
        self._card_holder = page
        return page

    def _wire(self) -> None:
        controller = self._controller
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_TYPED_REST_MS)
        self._rest.timeout.connect(self.search)
        self._edit.textChanged.connect(lambda _: self._rest.start())
        self._edit.returnPressed.connect(self.search)
        for chip in (self._licence, self._capability, self._language):
            chip.picked.connect(lambda _: self.search())
        self._fit.picked.connect(lambda _: self._show_entries())
        self._list.selectionModel().currentChanged.connect(self._choose_entry)
        self._repository.get_wanted.connect(self._get)
        self._repository.card_wanted.connect(self._open_card)
        self._card.link_pressed.connect(self._copy_link)
        controller.found.connect(self._show_found)
        controller.opened.connect(self._show_opened)
        controller.card_read.connect(self._show_card)
        controller.catalogue_read.connect(self.bring.show_catalogue)
        controller.failed.connect(self.show_error)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A narrow window leaves the files what they need."""
        super().resizeEvent(event)
        px = self._theme.px
        wide = self.width() >= px(1000)
        if wide != self._was_wide:
            self._was_wide = wide
            left = px(376 if wide else 300)
            self._splitter.setSizes([left, max(1, self.width() - left)])

    # what it shows

    def show_network(self, view: NetworkView) -> None:
        """Open: the hub. Sealed: what one could bring, and the way on."""
        self.bring.show_network(view)
        was_open, self._is_open = self._is_open, view.is_open
        self._whole.setCurrentIndex(1 if view.is_open else 0)
        if view.is_open and not was_open and self._found is None and self.isVisible():
            self.search()
        if was_open and not view.is_open:
            self._controller.stop()
            self._end_waiting()
            if self.isVisible():  # begun open, the window has had no need of it
                self._controller.read_catalogue()

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """What is being fetched."""
        self._transfers = transfers
        self.strip.show_transfers(transfers)
        self._repository.show_transfers(transfers)
        self._results.set_fetching(
            {one.repo: share_of(one) for one in transfers if one.state not in ("done", "failed")}
        )

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        if self._is_open and self._found is None:
            self.search()
        elif not self._is_open:
            self._controller.read_catalogue()

    def show_error(self, error: LockhouseError) -> None:
        """What went wrong."""
        self._end_waiting()
        if self._content.currentWidget() is self._opening:
            self._content.setCurrentWidget(self._choose)
        self.banners.say(error.message, error.hint)

    def look_up(self, text: str) -> None:
        """Search for these words, or open what they refer to."""
        self._edit.setText(text)
        self.search()

    def focus_search(self) -> None:
        """Where the next key goes."""
        self._edit.setFocus()

    # searching

    def search(self) -> None:
        """Ask for what is set now."""
        self._rest.stop()
        if not self._is_open:
            return
        reference = reference_in(self._edit.text().strip())
        self.banners.clear()
        if reference is not None:
            self._open(reference)
            return
        self._waiting.setVisible(self._found is None)  # later on the list stays as it is
        self._controller.search(
            Query(
                self._edit.text().strip(),
                self._licence.key,
                self._capability.key,
                self._language.key,
            )
        )

    def _show_found(self, found: Found) -> None:
        self._found = found
        self._end_waiting()
        self._show_entries()

    def _show_entries(self) -> None:
        entries = self._found.entries if self._found else ()
        if self._fit.key:
            entries = tuple(entry for entry in entries if entry.fit in (self._fit.key, None))
        self._results.show(entries)
        self._left_stack.setCurrentIndex(0 if entries else 1)
        if self._opened is not None:
            self._mark(self._opened.repo.repo)

    def _mark(self, repo: str) -> None:
        """Show which of the results is open."""
        for number, entry in enumerate(self._results.entries):
            if entry.repo == repo:
                self._wanted_repo = repo
                self._list.setCurrentIndex(self._results.index(number))
                return

    def _end_waiting(self) -> None:
        self._waiting.hide()

    # a repository

    def _choose_entry(self, index: QModelIndex, _before: object = None) -> None:
        entry: Entry | None = index.data(ENTRY) if index.isValid() else None
        if entry is None or entry.repo == self._wanted_repo:
            return
        self._open(Reference(entry.repo))

    def _open(self, reference: Reference) -> None:
        self._wanted_repo = reference.repo
        self.banners.clear()
        self._opening.say(reference.repo, "Looking at it…")
        self._content.setCurrentWidget(self._opening)
        self._end_waiting()
        self._controller.open(reference)

    def _show_opened(self, opened: Opened) -> None:
        self._opened = opened
        self._wanted_repo = opened.repo.repo
        self._repository.show_repository(opened)
        self._repository.show_transfers(self._transfers)
        self._content.setCurrentWidget(self._repository)

    def _get(self, choice: FileChoice) -> None:
        if self._opened is not None:
            self.get_wanted.emit(self._opened, choice)

    def _open_card(self) -> None:
        if self._opened is None:
            return
        repo = self._opened.repo
        self._card_title.setText(repo.repo)
        self._card.show_blocks(())
        self._content.setCurrentWidget(self._card_holder)
        self._controller.read_card(repo.repo, repo.revision)

    def _show_card(self, repo: str, blocks: tuple[Block, ...]) -> None:
        if self._opened is not None and self._opened.repo.repo == repo:
            self._card.show_blocks(blocks)

    def _copy_link(self, address: str) -> None:
        """A sealed program opens no browser: the browser would be sealed as well."""
        QApplication.clipboard().setText(address)
        self.told.emit(f"Copied {address}")

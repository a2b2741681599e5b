"""The tab Discover: search the hub; while sealed, models to copy here by hand."""

from __future__ import annotations

from PySide6.QtCore import QLocale, QModelIndex, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QFrame, QWidget

from lockhouse.core.errors import LockhouseError
from lockhouse.gate.hub import Reference
from lockhouse.library.file_choice import FileChoice
from lockhouse.library.transfers import Transfer
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.error_views import BannerStack
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.frame_parts import EmptyState, SearchEdit, label, push_button
from lockhouse.ui.layouts import column, holding, row, splitter, stack
from lockhouse.ui.markdown import Block
from lockhouse.ui.models import model_text
from lockhouse.ui.models.bars import SealedStrip
from lockhouse.ui.models.discover_controller import (
    Catalogue,
    DiscoverController,
    HubEntry,
    OpenedRepository,
    reference_in,
)
from lockhouse.ui.models.model_card import ModelCard
from lockhouse.ui.models.repository import RepositoryView, download_link
from lockhouse.ui.models.results import ENTRY, Results, ResultView
from lockhouse.ui.models.transfer_controller import TransferController, share_of
from lockhouse.ui.models.transfers_view import TransferStrip
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.paragraph import Elided
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import once
from lockhouse.ui.widgets import Spinner

_TYPED_DELAY_MS = 350
_FITS = (("", "Any size"), ("fits", "Fits this machine"))
_LICENCES = ("apache-2.0", "mit", "llama3.3", "llama3.1", "gemma", "cc-by-nc-4.0")
_CAPABILITIES = (
    ("", "Use"),
    ("chat", "Chat"),
    ("reasoning", "Reasoning"),
    ("tools", "Tools"),
    ("vision", "Images"),
    ("embedding", "Embeddings"),
)
_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "zh", "ja", "ko", "ru", "ar")


class DiscoverView(QWidget):
    """A list at the left, the chosen repository at the right.

    Online the list is what a search of the hub found. Sealed it is the bundled catalogue, and
    instead of a download there is a link to copy.
    """

    get_wanted = Signal(object, object)  # OpenedRepository, FileChoice
    told = Signal(str)  # what was done, in a sentence

    def __init__(
        self, controller: DiscoverController, transfers: TransferController, theme: Theme
    ) -> None:
        super().__init__()
        self._controller = controller
        self._theme = theme
        self._opened: OpenedRepository | None = None
        self._transfers: tuple[Transfer, ...] = ()
        self._found: tuple[HubEntry, ...] | None = None
        self._catalogue: Catalogue = ()
        self._is_open = False
        self._wanted_repo = ""
        self._was_wide = True
        self.setObjectName("discover_view")
        self.sealed = SealedStrip(theme)
        self.strip = TransferStrip(transfers, theme)
        self.banners = BannerStack(theme)
        self._results = Results(self)
        self._list = ResultView(theme, self._results)
        self._repository = RepositoryView(theme)
        self._delay = once(self, _TYPED_DELAY_MS, self.search)
        self._splitter = splitter("discover_columns", self._make_left(), self._make_right())
        self._splitter.setSizes([theme.px(376), theme.px(800)])
        column(theme, self.sealed, (self._splitter, 1), self.strip, on=self)
        self._wire()
        self._show_mode()

    # layout

    def _make_facets(self) -> QWidget:
        facets = QWidget()
        flow = FlowLayout(facets, spacing=self._theme.px(6))

        def facet(key: str, name: str, options: tuple[tuple[str, str], ...]) -> ChoiceButton:
            chip = ChoiceButton(self._theme, name, options, chip=True, height=28)
            chip.setObjectName(f"facet_{key}")
            flow.addWidget(chip)
            return chip

        self._fit = facet("fit", "Size", _FITS)
        licences = ((key, model_text.licence_name(key)) for key in _LICENCES)
        languages = (
            (code, QLocale.languageToString(QLocale.codeToLanguage(code))) for code in _LANGUAGES
        )
        self._licence = facet("licence", "Licence", (("", "Licence"), *licences))
        self._capability = facet("capability", "Use", _CAPABILITIES)
        self._language = facet("language", "Language", (("", "Language"), *languages))
        return facets

    def _make_left(self) -> QWidget:
        theme, px = self._theme, self._theme.px
        self._heading = label("Suggested models", role="strong")
        self._edit = SearchEdit(theme, "discover_search", "", "")
        self._facets = self._make_facets()
        words = label("Searching…", role="caption", ink="3", name="discover_state")
        self._waiting = holding(
            row(theme, Spinner(theme, "Searching"), (words, 1), gap=6, margins=(4, 0, 0, 0))
        )
        self._waiting.hide()
        hint = "Try fewer words, or remove a filter."
        self._left_stack = stack(self._list, EmptyState(theme, "search", "No model matches", hint))
        top = column(
            theme, self._heading, self._edit, self._facets, self._waiting, gap=8, margins=(12, 0)
        )
        left = QFrame()
        left.setProperty("tone", "bg-1")
        left.setMinimumWidth(px(232))
        column(theme, top, (self._left_stack, 1), gap=8, margins=(0, 12, 0, 0), on=left)
        return left

    def _make_right(self) -> QWidget:
        theme = self._theme
        self._choose = EmptyState(
            theme,
            "box",
            "Select a model",
            "Its files appear here, with one recommended for this machine.",
        )
        self._opening = EmptyState(theme, "box", "Loading…", "")
        self._card_page = self._make_card_page()
        self._content = stack(self._choose, self._opening, self._repository, self._card_page)
        right = holding(column(theme, self.banners, (self._content, 1)))
        right.setMinimumWidth(theme.px(350))
        return right

    def _make_card_page(self) -> QWidget:
        self._card = ModelCard(self._theme)
        self._card_title = Elided("", role="title", name="card_title")
        back = push_button(
            self._theme,
            "Files",
            lambda: self._content.setCurrentWidget(self._repository),
            name="card_back",
            spoken="Back to the files",
        )
        head = row(self._theme, (self._card_title, 1), back, gap=6, margins=(16, 12, 16, 4))
        return holding(column(self._theme, head, (self._card, 1), gap=6))

    def _wire(self) -> None:
        controller = self._controller
        self._edit.textChanged.connect(self._typed)
        self._edit.returnPressed.connect(self.search)
        for chip in (self._licence, self._capability, self._language):
            chip.picked.connect(lambda _: self.search())
        self._fit.picked.connect(lambda _: self._show_entries())
        self._list.selectionModel().currentChanged.connect(self._choose_entry)
        self._repository.get_wanted.connect(self._get)
        self._repository.card_wanted.connect(self._open_card)
        self._card.link_pressed.connect(self._copy)
        controller.found.connect(self._show_found)
        controller.opened.connect(self._show_opened)
        controller.card_read.connect(self._show_card)
        controller.catalogue_read.connect(self._show_catalogue)
        controller.failed.connect(self.show_error)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A narrow window leaves the files the room they need."""
        super().resizeEvent(event)
        wide = self.width() >= self._theme.px(1000)
        if wide != self._was_wide:
            self._was_wide = wide
            left = self._theme.px(376 if wide else 300)
            self._splitter.setSizes([left, max(1, self.width() - left)])

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._is_open:
            self._controller.read_catalogue()
        elif self._found is None:
            self.search()

    # online or sealed

    def show_network(self, view: NetworkView) -> None:
        """Online: the hub. Sealed: the bundled catalogue."""
        self.sealed.show_network(view)
        if view.is_open == self._is_open:
            return
        self._is_open = view.is_open
        self._show_mode()
        if not self.isVisible():
            return
        if self._is_open:
            self.search()
        else:
            self._controller.stop()
            self._controller.read_catalogue()

    def _show_mode(self) -> None:
        online = self._is_open
        spoken = "Search models, or paste a link" if online else "Filter suggested models"
        self._edit.setAccessibleName(spoken)
        self._edit.setPlaceholderText("Search, or paste a link…" if online else "Filter…")
        self._edit.clear()
        self._delay.stop()
        self.sealed.setVisible(not online)
        self._heading.setVisible(not online)
        self._facets.setVisible(online)
        self._waiting.hide()
        self.banners.clear()
        self._opened = None
        self._wanted_repo = ""
        self._content.setCurrentWidget(self._choose)
        self._show_entries()

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """Which models are being downloaded."""
        self._transfers = transfers
        self.strip.show_transfers(transfers)
        self._repository.show_transfers(transfers)
        self._results.set_fetching(
            {one.repo: share_of(one) for one in transfers if one.state not in ("done", "failed")}
        )

    def show_error(self, error: LockhouseError) -> None:
        """Show what went wrong."""
        self._waiting.hide()
        if self._content.currentWidget() is self._opening:
            self._content.setCurrentWidget(self._choose)
        self.banners.say(error.message, error.hint)

    # the list

    def look_up(self, text: str) -> None:
        """Search for these words, or open the repository they name."""
        self._edit.setText(text)
        self.search()

    def focus_search(self) -> None:
        """Put the keyboard into the search field."""
        self._edit.setFocus()

    def _typed(self) -> None:
        if self._is_open:
            self._delay.start()
        else:
            self._show_entries()

    def search(self) -> None:
        """Search with the words and filters as they are now."""
        self._delay.stop()
        if not self._is_open:
            return
        words = self._edit.text().strip()
        reference = reference_in(words)
        self.banners.clear()
        if reference is not None:
            self._open(reference)
            return
        self._waiting.setVisible(self._found is None)  # later on the list stays as it is
        self._controller.search(words, self._licence.key, self._capability.key, self._language.key)

    def _show_found(self, found: tuple[HubEntry, ...]) -> None:
        self._found = found
        self._waiting.hide()
        if self._is_open:
            self._show_entries()

    def _show_catalogue(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        if self._is_open:
            return
        self._show_entries()
        if self._results.entries and not self._list.currentIndex().isValid():
            self._list.setCurrentIndex(self._results.index(0, 0))

    def _show_entries(self) -> None:
        self._results.show(self._entries())
        self._left_stack.setCurrentIndex(0 if self._results.entries else 1)
        if self._opened is not None:
            self._mark(self._opened.repo.repo)

    def _entries(self) -> tuple[HubEntry, ...]:
        if not self._is_open:
            words = self._edit.text().casefold().split()
            return tuple(entry for entry, _ in self._catalogue if entry.matches(words))
        entries = self._found or ()
        fit = self._fit.key
        return tuple(one for one in entries if one.fit in (fit, None)) if fit else entries

    def _mark(self, repo: str) -> None:
        """Select the entry of the open repository."""
        for number, entry in enumerate(self._results.entries):
            if entry.repo == repo:
                self._wanted_repo = repo
                self._list.setCurrentIndex(self._results.index(number, 0))
                return

    def _choose_entry(self, index: QModelIndex, _before: object = None) -> None:
        entry: HubEntry | None = index.data(ENTRY) if index.isValid() else None
        if entry is None or entry.repo == self._wanted_repo:
            return
        if self._is_open:
            self._open(Reference(entry.repo))
        else:
            self._show_opened(dict(self._catalogue)[entry])

    # a repository

    def _open(self, reference: Reference) -> None:
        self._wanted_repo = reference.repo
        self.banners.clear()
        self._opening.say(reference.repo, "Loading…")
        self._content.setCurrentWidget(self._opening)
        self._waiting.hide()
        self._controller.open(reference)

    def _show_opened(self, opened: OpenedRepository) -> None:
        self._opened = opened
        self._wanted_repo = opened.repo.repo
        self._repository.show_repository(opened, offline=not self._is_open)
        self._repository.show_transfers(self._transfers if self._is_open else ())
        self._content.setCurrentWidget(self._repository)

    def _get(self, choice: FileChoice) -> None:
        if not self._is_open:
            self._copy(download_link(choice))
        elif self._opened is not None:
            self.get_wanted.emit(self._opened, choice)

    def _open_card(self) -> None:
        if self._opened is None:
            return
        repo = self._opened.repo
        self._card_title.setText(repo.repo)
        self._card.show_blocks(())
        self._content.setCurrentWidget(self._card_page)
        self._controller.read_card(repo.repo, repo.revision)

    def _show_card(self, repo: str, blocks: tuple[Block, ...]) -> None:
        if self._opened is not None and self._opened.repo.repo == repo:
            self._card.show_blocks(blocks)

    def _copy(self, link: str) -> None:
        """A sealed program opens no browser: the browser would be sealed as well."""
        QApplication.clipboard().setText(link)
        self.told.emit(f"Copied {link}")

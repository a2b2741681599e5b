"""The right side of the Chat page: which answer it tells of, and what this chat sets for itself."""

from __future__ import annotations

from PySide6.QtCore import QObject

from lockhouse.ui.chat.controller import ChatController
from lockhouse.ui.chat.details_panel import DetailsPanel
from lockhouse.ui.chat.page_head import PageHead
from lockhouse.ui.chat.provenance import facts_of
from lockhouse.ui.chat.transcript_model import TranscriptModel
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.three_columns import ThreeColumns


class Aside(QObject):
    """Fills the panel only while it is open."""

    def __init__(
        self,
        chat: ChatController,
        thread: TranscriptModel,
        settings: SettingsStore,
        panel: DetailsPanel,
        columns: ThreeColumns,
        head: PageHead,
    ) -> None:
        super().__init__(panel)
        self._chat = chat
        self._thread = thread
        self._settings = settings
        self._panel = panel
        self._columns = columns
        self._head = head
        self._wanted = ""  # id of a message; "" is the last answer
        self.shown = ""  # id of the message that it tells of
        columns.list_shown.connect(lambda _: self._follow_columns())
        columns.details_shown.connect(lambda _: self._follow_columns())
        panel.closed.connect(lambda: columns.show_details(shown=False))
        panel.prompt.system_changed.connect(chat.set_system)
        panel.prompt.parameters_changed.connect(chat.set_parameters)

    def toggle(self) -> None:
        """Open or close it."""
        if self._columns.details_visible:
            self._columns.show_details(shown=False)
        else:
            self.open("details")

    def open(self, view: str) -> None:
        """Open it with one of its views."""
        self._panel.show_view(view)
        self.show_settings()
        self.show_facts()
        self._columns.show_details(shown=True)

    def tell_of(self, message_id: str) -> None:
        """Open it with that answer."""
        self._wanted = message_id
        self.open("details")

    def forget(self) -> None:
        """Another chat: the last answer of it is told of."""
        self._wanted = ""

    def show_facts(self) -> None:
        """How the answer came about, as it is known now."""
        message = self._thread.message(self._wanted) or self._thread.last("assistant")
        self.shown = message.id if message else ""
        if self._columns.details_visible or message is None:
            self._panel.show_facts(facts_of(message) if message else ())

    def show_settings(self) -> None:
        """What this chat sets for itself, and what holds otherwise."""
        chat = self._chat
        self._panel.prompt.show_chat(chat.system, chat.parameters, self._settings.current)

    def _follow_columns(self) -> None:
        columns = self._columns
        self._head.show_panels(
            list_shown=columns.list_visible, details_shown=columns.details_visible
        )
        if columns.details_visible:
            self.show_facts()

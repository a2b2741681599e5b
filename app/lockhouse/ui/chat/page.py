"""The Chat page: puts the list, the conversation, the composer and the details together."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QMargins, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from lockhouse.answer.targets import TargetInfo
from lockhouse.chat.conversations import Conversation
from lockhouse.core.answering import Failed
from lockhouse.core.errors import LockhouseError, NoRoom
from lockhouse.storage.settings import Settings
from lockhouse.ui.chat.acting import Acting
from lockhouse.ui.chat.composer import Composer
from lockhouse.ui.chat.context_use import context_use
from lockhouse.ui.chat.controller import ChatController
from lockhouse.ui.chat.details_panel import DetailsPanel
from lockhouse.ui.chat.find_bar import FindBar
from lockhouse.ui.chat.first_start import COLUMN_WIDTH, EmptyChat, FirstStart, ModelCard
from lockhouse.ui.chat.forward_view import ForwardView
from lockhouse.ui.chat.list_panel import ListPanel
from lockhouse.ui.chat.listing import ListController
from lockhouse.ui.chat.page_head import PageHead
from lockhouse.ui.chat.reading import facts_of
from lockhouse.ui.chat.thread import Thread
from lockhouse.ui.chat.values import (
    AnswerEnded,
    AnswerStarted,
    Listing,
    MessageChanged,
    Note,
    OpenedChat,
    PathChanged,
    QueueState,
    Refused,
    RunState,
)
from lockhouse.ui.network import NetworkView
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.surfaces import BannerStack
from lockhouse.ui.theme import Theme
from lockhouse.ui.three_columns import ThreeColumns
from lockhouse.ui.toast import Toast
from lockhouse.ui.transcript import TranscriptView

_DRAFT_PAUSE_MS = 400
_FIRST, _EMPTY, _THREAD, _NOTHING = range(4)


class ChatPage(QWidget):
    """Everything of one window's conversations."""

    search_wanted = Signal()
    import_wanted = Signal()  # choose a model file
    get_wanted = Signal()  # find a model to download
    all_models_wanted = Signal()
    models_dropped = Signal(object)  # list[Path]
    no_room = Signal(object)  # Failed: a smaller choice has to be found
    titled = Signal(str)  # what the page is about now
    key_wanted = Signal(str)  # a provider's name: its key has to be set
    door_wanted = Signal(str)  # likewise: a door has to be opened for it
    limits_wanted = Signal()  # what may be spent
    providers_wanted = Signal()  # who can answer beside this machine

    def __init__(
        self,
        controller: ChatController,
        listing: ListController,
        settings: SettingsStore,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self.listing = listing
        self._settings = settings
        self._theme = theme
        self._targets: tuple[TargetInfo, ...] = ()
        self._has_chats: bool | None = None  # None: not known yet
        self._knows_models = False
        self._is_opening = False  # a chat is on its way to the page
        self._was_started = False
        self._door: tuple[object, ...] = ()
        self._facts_of = self._facts_shown = ""
        self._loaded_id: str | None = None
        self._kept_draft = ""
        self.setObjectName("chat_page")
        self._make_parts()
        self._lay_out()
        self._acting = Acting(
            controller,
            self.forward,
            self.thread_,
            say=self.toast.say,
            show_details=self._show_details,
            choose_target=lambda: self.composer.open_picker(self.head.destination),
        )
        self._draft_pause = QTimer(self)
        self._draft_pause.setSingleShot(True)
        self._draft_pause.setInterval(_DRAFT_PAUSE_MS)
        self._draft_pause.timeout.connect(self.keep_draft)
        self._follow_controllers()
        self._follow_parts()
        self._show_empty()

    # -- building ---------------------------------------------------------------------------

    def _make_parts(self) -> None:
        theme = self._theme
        self.list_panel = ListPanel(self.listing, theme)
        self.head = PageHead(theme)
        self.banners = BannerStack(theme)
        self.find_bar = FindBar(theme)
        self.transcript = TranscriptView(theme)
        self.transcript.setObjectName("transcript")
        self.transcript.load_picture = self._controller.load_picture
        self.thread_ = Thread(self.transcript, self._controller.runs)
        self.first_start = FirstStart(theme)
        self.empty = EmptyChat(theme)
        self.composer = Composer(theme)
        self.details = DetailsPanel(theme)
        self.forward = ForwardView(
            self._controller, self.composer, self.head, self.thread_, theme, self
        )

    def _lay_out(self) -> None:
        px = self._theme.px
        self._stack = QStackedWidget()
        for page in (self.first_start, self.empty, self.transcript, QWidget()):
            self._stack.addWidget(page)
        self._foot = QWidget()
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(px(24), px(8), px(24), px(16))
        self.transcript.arranged.connect(self._fit_foot)
        self.composer.setMaximumWidth(px(COLUMN_WIDTH))
        foot.addStretch(1)
        foot.addWidget(self.composer, 100_000)
        foot.addStretch(1)
        work = QWidget()
        work.setObjectName("chat_work")
        work.setMinimumWidth(px(320))
        column = QVBoxLayout(work)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part in (self.head, self.find_bar, self.banners):
            column.addWidget(part)
        column.addWidget(self._stack, 1)
        column.addWidget(self._foot)
        self.columns = ThreeColumns(self._theme, self.list_panel, work, self.details)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.columns)
        self.toast = Toast(self._theme, work, above=self._foot)
        order = (
            *self.list_panel.tab_order(),
            *self.head.tab_order(),
            self.transcript,
            *self.composer.tab_order(),
        )
        for before, after in pairwise(order):
            self.setTabOrder(before, after)

    def _fit_foot(self) -> None:
        """The composer stands exactly below the column of text, with and without a scroll bar."""
        px = self._theme.px
        left = right = px(24)
        if self._stack.currentIndex() == _THREAD:
            column = self.transcript.column()
            left, right = column.left(), self.transcript.width() - column.right() - 1
        wanted = QMargins(left, px(8), right, px(16))
        layout = self._foot.layout()
        if layout is not None and layout.contentsMargins() != wanted:
            layout.setContentsMargins(wanted)

    def _follow_controllers(self) -> None:
        chat, listing, runs = self._controller, self.listing, self._controller.runs
        chat.opened.connect(self._show_opened)
        chat.path_changed.connect(self._show_path)
        chat.message_changed.connect(self._show_message)
        chat.conversation_changed.connect(self._show_conversation)
        chat.queue_changed.connect(self._show_queue)
        chat.refused.connect(self._show_refused)
        chat.failed.connect(self.show_error)
        chat.gone.connect(self._show_gone)
        chat.noticed.connect(self.show_note)
        chat.exporting.noticed.connect(self.show_note)
        chat.exporting.failed.connect(self.show_error)
        chat.taken.connect(self.composer.clear_sent)
        chat.pictures.ready.connect(self.composer.add_picture)
        chat.pictures.failed.connect(self.show_error)
        chat.stored.connect(lambda _: listing.refresh())
        listing.listed.connect(self._show_listing)
        listing.noticed.connect(self.show_note)
        listing.failed.connect(self.show_error)
        listing.removed.connect(self._leave_removed)
        listing.elsewhere.connect(chat.follow)
        runs.started.connect(self._answer_started)
        runs.grew.connect(self.thread_.grow)
        runs.progressed.connect(self._show_progress)
        runs.noticed.connect(self.show_note)
        runs.ended.connect(self._answer_ended)

    def _follow_parts(self) -> None:
        chat = self._controller
        panel, head, composer = self.list_panel, self.head, self.composer
        panel.open_wanted.connect(self.open_chat)
        panel.new_chat_wanted.connect(self.new_chat)
        panel.search_wanted.connect(self.search_wanted)
        panel.typed.connect(self._type)
        composer.edit.undo_elsewhere = self.toast.undo
        head.renamed.connect(chat.rename)
        head.list_wanted.connect(self.columns.toggle_list)
        head.details_toggled.connect(self.toggle_details)
        head.copy_wanted.connect(lambda: chat.exporting.copy(chat.conversation_id))
        head.export_wanted.connect(self._export)
        head.find_wanted.connect(self.find_in_chat)
        head.pin_wanted.connect(self._toggle_pin)
        head.delete_wanted.connect(lambda: self.listing.delete([chat.conversation_id]))
        head.chat_settings_wanted.connect(lambda: self.show_panel("prompt"))
        self.columns.list_shown.connect(lambda _: self._show_panels())
        self.columns.details_shown.connect(lambda _: self._show_panels())
        composer.sent.connect(chat.send)
        composer.stop_wanted.connect(chat.stop)
        composer.target_chosen.connect(lambda _: self._show_context())
        composer.picture_wanted.connect(chat.pictures.take)
        composer.draft_changed.connect(self._draft_pause.start)
        composer.queued_edit_wanted.connect(self._edit_queued)
        composer.queued_drop_wanted.connect(chat.unqueue)
        composer.settings_wanted.connect(lambda: self.show_panel("prompt"))
        composer.models_dropped.connect(self.models_dropped)
        composer.failed.connect(self.show_error)
        self.forward.way_wanted.connect(self._show_way)
        self.forward.noticed.connect(self.toast.say)
        self.transcript.action_requested.connect(self._acting.act)
        self.transcript.find_moved.connect(self.find_bar.show_place)
        self.find_bar.words_changed.connect(self._find_words)
        self.find_bar.next_wanted.connect(self.transcript.find_next)
        self.find_bar.previous_wanted.connect(self.transcript.find_previous)
        self.find_bar.closed.connect(self._close_find)
        self.details.closed.connect(lambda: self.columns.show_details(shown=False))
        self.details.copied.connect(self.toast.say)
        self.details.sent_wanted.connect(lambda: self.forward.show_sent(self._facts_shown))
        self.details.prompt.system_changed.connect(chat.set_system)
        self.details.prompt.parameters_changed.connect(chat.set_parameters)
        self.first_start.start_wanted.connect(self.start_chatting)
        self.first_start.import_wanted.connect(self.import_wanted)
        self.first_start.get_wanted.connect(self.get_wanted)
        self.first_start.all_wanted.connect(self.all_models_wanted)
        self.first_start.prompt_chosen.connect(chat.send)
        self.empty.prompt_chosen.connect(chat.send)
        self.toast.undo_wanted.connect(self.listing.restore)

    # -- what the window asks for -----------------------------------------------------------

    def new_chat(self) -> None:
        """An empty page to type on."""
        self.keep_draft()
        self._was_started = True
        self._controller.new_chat()
        self.composer.edit.setFocus()

    def expect_chat(self) -> None:
        """The chat of last time is about to come: nothing else is shown until then."""
        self._is_opening = True
        self._was_started = True
        self._show_empty()

    def open_chat(self, conversation_id: str, scroll_to: str = "", highlight: str = "") -> None:
        """Show a conversation, at a place when one is named."""
        self.keep_draft()
        self.columns.close_drawer()
        self._controller.open(conversation_id, scroll_to=scroll_to, highlight=highlight)

    def find_in_chat(self) -> None:
        """Find in the open chat."""
        if self._stack.currentIndex() == _THREAD:
            self.find_bar.open()

    def rename_chat(self) -> None:
        """In the list where it has the keyboard, else in the head."""
        if not self.list_panel.rename_current():
            self.head.title.setFocus()

    def stop_or_close(self) -> None:
        """Esc: close what lies on top, or else stop the answer."""
        if self.columns.drawer_open:
            self.columns.close_drawer()
        elif self.find_bar.isVisible():
            self._close_find()
        else:
            self._controller.stop()

    def regenerate(self) -> None:
        """Answer the last question again."""
        answer = self.thread_.last("assistant") or self.thread_.last("user")
        if answer is not None:
            self._controller.regenerate(answer.id)

    def copy_last_answer(self) -> None:
        """The last answer, as it was written, on the clipboard."""
        answer = self.thread_.last("assistant")
        if answer is not None:
            QApplication.clipboard().setText(answer.content)
            self.toast.say("Copied the last answer")

    def toggle_details(self) -> None:
        """Open or close the panel on the right."""
        if self.columns.details_visible:
            self.columns.show_details(shown=False)
        else:
            self.show_panel("details")

    def show_panel(self, view: str) -> None:
        """Open the panel on the right with one of its views."""
        self.details.show_view(view)
        self._show_prompt_panel()
        self._show_facts()
        self.columns.show_details(shown=True)

    def keep_draft(self) -> None:
        """Store what is typed and not sent."""
        self._draft_pause.stop()
        self.details.prompt.flush()
        draft = self.composer.draft
        if self._loaded_id is not None and draft != self._kept_draft:
            self._kept_draft = draft
            self._controller.save_draft(self._loaded_id, draft)

    def show_targets(self, targets: tuple[TargetInfo, ...]) -> None:
        """Who can answer."""
        self._targets = targets
        self._knows_models = True
        self.forward.show_targets(targets)
        self._show_context()
        self._show_empty()

    def refresh_destinations(self) -> None:
        """Keys, doors, providers or their chosen models may be others now."""
        self._controller.forwarding.refresh()

    def follow_network(self, view: NetworkView) -> None:
        """Another door may be open. What is only counted changes nothing here."""
        door = (view.way, view.hosts)
        if door != self._door:
            self._door = door
            self.refresh_destinations()

    def apply_settings(self, settings: Settings) -> None:
        """What of the settings concerns this page."""
        self.composer.edit.set_enter_sends(enter_sends=settings.enter_sends)
        self._show_context()
        self._show_prompt_panel()

    def show_models(self, starter: ModelCard | None, others: tuple[ModelCard, ...]) -> None:
        """What the first screen offers."""
        self.first_start.show_models(starter, others)

    def show_error(self, error: LockhouseError) -> None:
        """What went wrong, in a banner. What did not come is not waited for."""
        self.banners.say(error.message, error.hint)
        self._knows_models = True
        self._has_chats = bool(self._has_chats)
        self._is_opening = False
        self._show_empty()

    def show_note(self, note: Note) -> None:
        """Something in passing."""
        if note.kind == "warning":
            self.banners.say(note.text, tone="warning")
        else:
            self.toast.say(note.text, undo_token=note.undo_token)

    # -- following the controllers ----------------------------------------------------------

    def _show_opened(self, opened: OpenedChat) -> None:
        conversation = opened.conversation
        conversation_id = conversation.id if conversation else ""
        self.banners.clear()
        self._close_find()
        self._facts_of = ""
        self.thread_.open(conversation_id, opened.messages)
        self._loaded_id = conversation_id
        self._is_opening = False
        self._kept_draft = conversation.draft if conversation else self._controller.new_draft
        self.composer.load(self._kept_draft, conversation_id)
        self.list_panel.set_current(conversation_id)
        self._show_conversation(conversation)
        self._show_running()
        self._after_path()
        if not self.list_panel.has_keyboard:  # there Del and the arrows go on working
            self.composer.edit.setFocus()
        if opened.scroll_to:
            self.transcript.scroll_to(opened.scroll_to, highlight=opened.highlight)
        elif opened.highlight and self.transcript.find(opened.highlight):
            self.transcript.find_next()

    def _show_path(self, changed: PathChanged) -> None:
        self.thread_.sync(changed.conversation.id, changed.messages)
        self._after_path()

    def _show_message(self, changed: MessageChanged) -> None:
        self.thread_.update(changed.message)
        self._after_path()

    def _after_path(self) -> None:
        question = self.thread_.last("user")
        self.composer.set_recall(question.content if question else "")
        self._show_context()
        self._show_facts()
        self._show_empty()

    def _show_conversation(self, conversation: Conversation | None) -> None:
        if conversation is None:
            self.head.show_chat("New chat", exists=False, pinned=False)
            self.titled.emit("")
        else:
            title = conversation.title or "New chat"
            self.head.show_chat(title, exists=True, pinned=conversation.pinned)
            self.titled.emit(title)
        if self._knows_models:
            self.forward.show_choice()
        self._show_prompt_panel()

    def _show_listing(self, listing: Listing) -> None:
        self._has_chats = bool(listing.conversations)
        untouched = self._loaded_id is None and not self._is_opening
        if self._has_chats and untouched and not self._was_started:
            self.new_chat()  # a home that was only used from the command line until now
        self._show_empty()

    def _show_empty(self) -> None:
        has_messages = bool(self.thread_.messages) or self._running() is not None
        is_first = not self._has_chats and not self._was_started
        unknown = self._has_chats is None or not self._knows_models or self._is_opening
        page = _THREAD if has_messages else _NOTHING if unknown else _FIRST if is_first else _EMPTY
        self._stack.setCurrentIndex(page)
        self._fit_foot()
        has_head = page != _FIRST and (page != _NOTHING or self._was_started)
        self._foot.setVisible(has_head)
        self.head.setVisible(has_head)

    def _answer_started(self, started: AnswerStarted) -> None:
        if started.conversation_id == self._controller.conversation_id:
            self.thread_.start(started)
            self._after_path()

    def _show_progress(self, run: RunState) -> None:
        self.list_panel.show_progress(run)
        if run.conversation_id == self._controller.conversation_id:
            self.composer.set_running(running=True)
            self.thread_.progress(run)

    def _answer_ended(self, ended: AnswerEnded) -> None:
        self.list_panel.show_end(ended)
        self.thread_.note_end(ended)
        if ended.conversation_id == self._controller.conversation_id:
            self.composer.set_running(running=False)
        if ended.failed is not None and ended.failed.exit_code == NoRoom.exit_code:
            self.no_room.emit(ended.failed)

    def _show_running(self) -> None:
        self.composer.set_running(running=self._running() is not None)

    def _running(self) -> RunState | None:
        return self._controller.runs.running(self._controller.conversation_id)

    def _show_queue(self, queue: QueueState) -> None:
        self.composer.set_queue(queue)

    def _show_refused(self, refused: Refused) -> None:
        if refused.conversation_id == self._controller.conversation_id:
            self.composer.set_running(running=False)
            if not self.composer.draft:
                self.composer.take_back(refused.text)
        if refused.is_gone:
            return  # told by itself
        failed: Failed = refused.failed
        actions = ()
        if failed.code == "no_model":
            self.banners.say(
                failed.message,
                "Import a GGUF file to start.",
                actions=[("import", "Import a file…", self.import_wanted.emit)],
            )
            return
        self.banners.say(failed.message, failed.hint, actions=actions)

    def _show_gone(self, gone: Conversation) -> None:
        def restore() -> None:
            self.listing.restore(gone.id)
            self._controller.reload()

        ways = [("restore", "Restore", restore)]
        if self.thread_.messages:
            last = self.thread_.messages[-1].id
            ways.append(("keep", "Keep as new chat", lambda: self._controller.branch(last)))
        self.banners.say("This chat was deleted elsewhere.", tone="warning", actions=ways)

    def _leave_removed(self, ids: tuple[str, ...]) -> None:
        if self._controller.conversation_id in ids:
            self._loaded_id = None
            self._controller.new_chat()

    def _show_context(self) -> None:
        wanted = self._controller.target
        target = next((one for one in self._targets if one.name == wanted), None)
        if target is None and self._targets:
            target = self._targets[0]
        settings = self._settings.current
        used, total = context_use(self.thread_.messages, target, settings)
        self.composer.set_context(used, total, cut_oldest=settings.when_full == "cut_oldest")

    def _show_facts(self) -> None:
        message = self.thread_.message(self._facts_of) or self.thread_.last("assistant")
        self._facts_shown = message.id if message else ""
        if self.columns.details_visible or message is None:
            self.details.show_facts(facts_of(message) if message else ())

    def _show_prompt_panel(self) -> None:
        chat = self._controller
        self.details.prompt.show_chat(chat.system, chat.parameters, self._settings.current)

    def _show_panels(self) -> None:
        self.head.show_panels(
            list_shown=self.columns.list_visible, details_shown=self.columns.details_visible
        )
        if self.columns.details_visible:
            self._show_facts()

    # -- what the reader does ---------------------------------------------------------------

    def _show_details(self, message_id: str) -> None:
        self._facts_of = message_id
        self.show_panel("details")

    def _show_way(self, way: str, provider: str) -> None:
        """The way on from what is missing leads to another page."""
        if way == "key":
            self.key_wanted.emit(provider)
        elif way == "door":
            self.door_wanted.emit(provider)
        elif way == "limits":
            self.limits_wanted.emit()
        elif way == "providers":
            self.providers_wanted.emit()

    def start_chatting(self, target: str) -> None:
        """A new chat with that model; "" is the default."""
        self.new_chat()
        if target:
            self.forward.choose(target)
            self._show_context()

    def _type(self, words: str) -> None:
        self.composer.edit.setFocus()
        self.composer.edit.insertPlainText(words)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not (event.matches(QKeySequence.StandardKey.Undo) and self.toast.undo()):
            super().keyPressEvent(event)

    def _edit_queued(self, queued_id: str) -> None:
        waiting = self._controller.unqueue(queued_id)
        if waiting is not None:
            self.composer.take_back(waiting.text, waiting.images)
        self.composer.edit.setFocus()

    def _toggle_pin(self) -> None:
        conversation = self._controller.conversation
        if conversation is not None:
            self.listing.set_pinned([conversation.id], pinned=not conversation.pinned)
            self._controller.reload()

    def _export(self, fmt: str) -> None:
        conversation = self._controller.conversation
        if conversation is not None:
            self._controller.exporting.choose_file(conversation, fmt, self)

    def _find_words(self, words: str) -> None:
        if words:
            count = self.transcript.find(words)
            self.find_bar.show_place(1 if count else 0, count)
        else:
            self.transcript.clear_find()
            self.find_bar.show_place(0, 0)

    def _close_find(self) -> None:
        if self.find_bar.isVisible():
            self.find_bar.hide()
            self.transcript.clear_find()
            self.composer.edit.setFocus()

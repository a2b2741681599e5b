"""The Chat page: puts the sidebar, the transcript, the composer and the details together."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QHBoxLayout, QWidget

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Conversation, Message
from lockhouse.chat.turns import TurnStarted
from lockhouse.core.errors import LockhouseError, NoRoom
from lockhouse.storage.settings import Settings
from lockhouse.ui.chat.asking import Asking
from lockhouse.ui.chat.composer_edit import typed_text
from lockhouse.ui.chat.composer_parts import context_use
from lockhouse.ui.chat.context_count import ContextCount
from lockhouse.ui.chat.details import Details, DetailsPanel
from lockhouse.ui.chat.drafts import Drafts
from lockhouse.ui.chat.list_controller import ListController
from lockhouse.ui.chat.message_actions import MessageActions
from lockhouse.ui.chat.next_target import NextTarget
from lockhouse.ui.chat.notices import Notices
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.chat.send_dialog import SendDialogs
from lockhouse.ui.chat.sidebar import Sidebar
from lockhouse.ui.chat.targets import Targets
from lockhouse.ui.chat.transcript_model import TranscriptModel
from lockhouse.ui.chat.values import (
    AnswerEnded,
    Listing,
    OpenedChat,
    RunState,
)
from lockhouse.ui.chat.work_area import Face, WorkArea
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.machine_monitor import Machine
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.theme import Theme
from lockhouse.ui.three_columns import ThreeColumns
from lockhouse.workspace import Workspace


class ChatPage(QWidget):
    """Everything of one window's conversations."""

    search_wanted = Signal()
    import_wanted = Signal()  # choose a model file
    get_wanted = Signal()  # find a model to download
    all_models_wanted = Signal()
    models_dropped = Signal(object)  # list[Path]
    no_room = Signal(object)  # AnswerEnded: something smaller has to be chosen
    titled = Signal(str)  # what the page is about now
    way_wanted = Signal(str, str)  # WayOn, provider's name: leads to another page

    def __init__(
        self,
        chat: OpenChat,
        asking: Asking,
        targets: Targets,
        listing: ListController,
        settings: SettingsStore,
        workspace: Workspace,
        machine: Machine,
        jobs: Jobs,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._chat = chat
        self._asking = asking
        self._target_lists = targets
        self.listing = listing
        self._settings = settings
        self._targets: tuple[TargetInfo, ...] = ()
        self._has_chats: bool | None = None  # None: not known yet
        self._knows_models = False
        self._is_opening = False  # a chat is on its way to the page
        self._was_started = False
        self._held: tuple[str, Callable[[], None]] | None = None  # key of a chat, what to do there
        self.setObjectName("chat_page")
        self._make_parts(theme)
        self._make_parts_that_ask(workspace, machine, jobs, theme)
        self._lay_out()
        self._follow_chat()
        self._follow_asking()
        self._follow_parts()
        self._follow_actions()
        self._show_empty()

    # -- building ---------------------------------------------------------------------------

    def _make_parts(self, theme: Theme) -> None:
        chat, self.work = self._chat, WorkArea(theme)
        work = self.work
        self.list_panel = Sidebar(self.listing, theme)
        self.head, self.banners, self.toast = work.head, work.banners, work.toast
        self.transcript, self.composer = work.transcript, work.composer
        self.first_start = work.first_start
        self.transcript.load_picture = chat.load_picture
        self.messages = TranscriptModel(self.transcript, self._asking.runs)
        self.details = DetailsPanel(theme)
        self.columns = ThreeColumns(theme, self.list_panel, work, self.details)
        self.aside = Details(
            chat,
            self.messages,
            self._settings,
            self.details,
            self.columns,
            self.head,
            self.composer,
        )
        self.drafts = Drafts(chat, self.composer)
        self.notices = Notices(
            chat, self._asking, self.listing, work, import_model=self.import_wanted.emit
        )

    def _make_parts_that_ask(
        self, workspace: Workspace, machine: Machine, jobs: Jobs, theme: Theme
    ) -> None:
        chat, asking, targets = self._chat, self._asking, self._target_lists
        self.next_target = NextTarget(chat, targets, self.composer, self.head, self.messages, self)
        self.message_actions = MessageActions(chat, asking, targets, self.messages, theme, self)
        self.context_count = ContextCount(workspace, chat, self.composer, machine, jobs)
        self.context_count.counted.connect(self.composer.show_count)
        self.dialogs = SendDialogs(chat, asking, targets, jobs, theme, self)

    def _lay_out(self) -> None:
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.columns)
        order = (*self.list_panel.tab_order(), *self.work.tab_order())
        for before, after in pairwise(order):
            self.setTabOrder(before, after)

    def _follow_chat(self) -> None:
        chat, listing = self._chat, self.listing
        chat.opened.connect(self._show_opened)
        chat.path_changed.connect(self._show_path)
        chat.message_changed.connect(self._show_message)
        chat.conversation_changed.connect(self._show_conversation)
        chat.gone.connect(self.notices.tell_gone)
        chat.stored.connect(lambda _: listing.refresh())
        chat.pictures.ready.connect(self.drafts.add_picture)
        chat.documents.ready.connect(self.drafts.add_file)
        chat.documents.reading.connect(self.composer.show_reading)
        chat.documents.failed.connect(self.composer.tell)
        listing.listed.connect(self._show_listing)
        listing.removed.connect(self._leave_removed)
        listing.changed_outside.connect(self._follow_writers)
        listing.changed.connect(chat.read_title)
        for source in (chat, chat.export, listing):
            source.noticed.connect(self.notices.say)
        chat.pictures.failed.connect(self.composer.tell)
        for failing in (chat, chat.export, listing, self._target_lists):
            failing.failed.connect(self.show_error)

    def _follow_asking(self) -> None:
        asking, runs = self._asking, self._asking.runs
        asking.queue_changed.connect(self.composer.set_queue)
        asking.rejected.connect(self.notices.tell_rejected)
        asking.noticed.connect(self.notices.say)
        asking.taken.connect(self.composer.clear_sent)
        asking.taken.connect(self.drafts.forget_sent)
        runs.begun.connect(lambda _: self._show_running())
        runs.started.connect(lambda _, started: self._answer_started(started))
        runs.grew.connect(self.messages.grow)
        runs.progressed.connect(self._show_progress)
        runs.ended.connect(self._answer_ended)

    def _follow_parts(self) -> None:
        chat, panel, head = self._chat, self.list_panel, self.head
        panel.open_wanted.connect(self.open_chat)
        panel.new_chat_wanted.connect(self.new_chat)
        panel.search_wanted.connect(self.search_wanted)
        panel.typed.connect(self._type)
        head.renamed.connect(chat.rename)
        head.list_wanted.connect(self.columns.toggle_list)
        head.details_toggled.connect(self.aside.toggle)
        head.copy_wanted.connect(self.copy_chat)
        head.export_wanted.connect(self.export)
        head.find_wanted.connect(self.work.open_find)
        head.pin_wanted.connect(self.toggle_pin)
        head.delete_wanted.connect(self.delete_chat)
        head.chat_settings_wanted.connect(lambda: self.aside.open("prompt"))
        self.details.copied.connect(self.toast.say)
        self.details.sent_wanted.connect(lambda: self.message_actions.show_sent(self.aside.shown))
        self.details.prompt.label_changed.connect(self._set_label)
        first = self.first_start
        first.start_wanted.connect(self.start_chatting)
        first.import_wanted.connect(self.import_wanted)
        first.get_wanted.connect(self.get_wanted)
        first.all_wanted.connect(self.all_models_wanted)
        first.prompt_chosen.connect(self._asking.send)
        self.work.empty.prompt_chosen.connect(self._asking.send)
        self.toast.undo_wanted.connect(self.listing.restore)

    def _follow_actions(self) -> None:
        chat, asking, composer = self._chat, self._asking, self.composer
        composer.edit.undo_fallback = self.toast.undo
        composer.sent.connect(asking.send)
        composer.stop_wanted.connect(asking.stop)
        self.next_target.changed.connect(self._show_context)
        self.next_target.changed.connect(self.aside.show_settings)
        composer.picture_wanted.connect(lambda one: chat.pictures.take(one, chat.key))
        composer.document_file_wanted.connect(lambda path: chat.documents.take(path, chat.key))
        composer.reading_stopped.connect(chat.documents.stop)
        composer.document_wanted.connect(self.message_actions.ask_about_document)
        composer.queued_edit_wanted.connect(self._edit_queued)
        composer.queued_drop_wanted.connect(asking.unqueue)
        composer.queue_send_wanted.connect(asking.send_queued)
        self.next_target.thinks.connect(lambda on: self.details.prompt.show_thinking(shown=on))
        composer.settings_wanted.connect(lambda: self.aside.open("prompt"))
        composer.models_dropped.connect(self.models_dropped)
        self.transcript.action_requested.connect(self.message_actions.act)
        self.message_actions.details_wanted.connect(self.aside.show_answer)
        self.message_actions.target_wanted.connect(self.choose_model)
        self.dialogs.edit_wanted.connect(composer.edit.setFocus)
        for source in (self.next_target, self.message_actions, self.dialogs):
            source.way_wanted.connect(self.way_wanted)
        for leaver in (composer, self.message_actions, self.dialogs):
            leaver.leaving.connect(self._hold)
        self.message_actions.noticed.connect(self.toast.say)
        self.dialogs.noticed.connect(self.toast.say)

    # -- what the window asks for -----------------------------------------------------------

    def new_chat(self) -> None:
        """An empty page to type on."""
        self.keep_draft()
        self._was_started = True
        self._chat.new_chat(keep_choices=not self._asking.is_busy(self._chat.key))
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
        self._chat.open(
            conversation_id,
            scroll_to=scroll_to,
            highlight=highlight,
            select=not self._asking.is_busy(conversation_id),
        )

    def _hold(self, act: Callable[[], None]) -> None:
        self._held = (self._chat.key, act)

    def come_back(self) -> None:
        """What this page was left for is done: go on with what it was done for."""
        held, self._held = self._held, None
        if held is not None and held[0] == self._chat.key:
            held[1]()

    def rename_chat(self) -> None:
        """In the list where it has the keyboard, else in the head."""
        if not self.list_panel.rename_current():
            self.head.title.setFocus()

    def stop_or_close(self) -> None:
        """Esc: close what lies on top, or else stop the answer."""
        if self.columns.drawer_open:
            self.columns.close_drawer()
        elif self.work.find_bar.isVisible():
            self.work.close_find()
        else:
            self._asking.stop()

    def regenerate(self) -> None:
        """Another version of the last answer."""
        answer = self.messages.last("assistant") or self.messages.last("user")
        if answer is not None:
            self._asking.again(answer.id)

    def ask_another_model(self) -> None:
        """What is selected, or else the message that has the keyboard, or the last one."""
        if self.transcript.selected_text().strip():
            self.transcript.forward_selection()
        elif message := self.messages.message(self.transcript.focused) or self.messages.newest:
            self.message_actions.ask_about_message(message.id)

    def copy_last_answer(self) -> None:
        """The last answer, as it was written, on the clipboard."""
        answer = self.messages.last("assistant")
        if answer is not None:
            QApplication.clipboard().setText(answer.content)
            self.toast.say("Copied the last answer")

    def keep_draft(self) -> None:
        """Store what is typed and not sent."""
        self.details.prompt.flush()
        self.drafts.leave()

    def show_targets(self, targets: tuple[TargetInfo, ...]) -> None:
        """Who can answer."""
        self._targets = targets
        self._knows_models = True
        self.next_target.show_targets(targets)
        self._show_empty()

    def apply_settings(self, settings: Settings) -> None:
        """What of the settings concerns this page."""
        self.composer.edit.set_enter_sends(enter_sends=settings.enter_sends)
        self._show_context()
        self.aside.show_settings()

    def show_error(self, error: LockhouseError) -> None:
        """What went wrong, in a banner. What did not come is not waited for."""
        self.banners.say(error.message, error.hint)
        self._knows_models = True
        self._has_chats = bool(self._has_chats)
        self._is_opening = False
        self._show_empty()

    # -- following the chat and what is asked -------------------------------------------------

    def _show_opened(self, opened: OpenedChat) -> None:
        conversation = opened.conversation
        conversation_id = conversation.id if conversation else ""
        self.banners.clear()
        self.work.close_find()
        self.aside.forget()
        self.messages.open(conversation_id, opened.messages)
        self._is_opening = False
        if conversation is not None and opened.is_begun:
            self.drafts.go_on_in(conversation)
        else:
            self.drafts.load(conversation)
        self.list_panel.set_current(conversation_id)
        self._show_conversation(conversation)
        self._show_running()
        self._asking.show_chat()
        self._after_path()
        if not self.list_panel.has_keyboard:  # there Del and the arrows go on working
            self.composer.edit.setFocus()
        if opened.scroll_to:
            self.transcript.scroll_to(opened.scroll_to, highlight=opened.highlight)
        elif opened.highlight and self.transcript.find(opened.highlight):
            self.transcript.find_next()
        self.dialogs.show_held()

    def _show_path(self, changed: OpenedChat) -> None:
        self.messages.sync(self._chat.key, changed.messages)
        self._after_path()

    def _show_message(self, message: Message) -> None:
        self.messages.update(message)
        self._after_path()

    def _after_path(self) -> None:
        question = self.messages.last("user")
        self.composer.set_recall(question.content if question else "")
        self._show_context()
        self.aside.show_facts()
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
            self.next_target.show_choice()
        self.aside.show_settings()

    def _show_listing(self, listing: Listing) -> None:
        self._has_chats = bool(listing.conversations)
        is_new = not self._chat.conversation_id and not self._asking.is_busy(self._chat.key)
        untouched = is_new and not self._is_opening
        if self._has_chats and untouched and not self._was_started:
            self.new_chat()  # a home that was only used from the command line until now
        self._show_empty()

    def _show_empty(self) -> None:
        has_messages = bool(self.messages.messages)
        is_first = not self._has_chats and not self._was_started
        unknown = self._has_chats is None or not self._knows_models or self._is_opening
        waits = Face.NOTHING if unknown else Face.FIRST if is_first else Face.EMPTY
        face = Face.THREAD if has_messages else waits
        has_head = face != Face.FIRST and (face != Face.NOTHING or self._was_started)
        can_ask = has_head or (face == Face.FIRST and bool(self._targets))
        self.work.show_face(face, has_head=has_head, has_composer=can_ask)
        if can_ask and not self.drafts.has_loaded and face == Face.FIRST:
            self.drafts.load(None)  # what is typed here is a draft too
            self.composer.edit.setFocus()

    def _answer_started(self, started: TurnStarted) -> None:
        self._show_running()
        if started.conversation.id == self._chat.conversation_id:
            self.messages.start(started)
            self._after_path()
            self._chat.update(started.conversation)

    def _show_progress(self, run: RunState) -> None:
        self.list_panel.show_progress(run)
        if run.conversation_id == self._chat.conversation_id:
            self.messages.progress(run)

    def _answer_ended(self, ended: AnswerEnded) -> None:
        self.list_panel.show_end(ended)
        self.messages.note_end(ended)
        self._show_running()
        self.next_target.update_estimate()
        if ended.failed is not None and ended.failed.exit_code == NoRoom.exit_code:
            self.no_room.emit(ended)

    def _show_running(self) -> None:
        self.composer.set_running(running=self._asking.is_busy(self._chat.key))
        self.context_count.want()

    def _follow_writers(self) -> None:
        """Another process wrote; what an answer of our own changes is followed anyway."""
        if not self._asking.is_busy(self._chat.key):
            self._chat.follow()

    def _leave_removed(self, ids: tuple[str, ...]) -> None:
        if self._chat.conversation_id in ids:
            self.drafts.forget()
            self._chat.new_chat()

    def _show_context(self) -> None:
        wanted = self._chat.target
        target = next((one for one in self._targets if one.name == wanted), None)
        if target is None and self._targets:
            target = self._targets[0]
        settings = self._settings.current
        used, total = context_use(self.messages.messages, target, settings)
        self.composer.set_context(used, total, cut_oldest=settings.when_full == "cut_oldest")
        self.context_count.want()

    # -- what the reader does ---------------------------------------------------------------

    def start_chatting(self, target: str) -> None:
        """A new chat with that model; "" is the default."""
        self.new_chat()
        if target:
            self.next_target.choose(target)
            self._show_context()

    def _set_label(self, label: str) -> None:
        """In force at once: it may forbid the target that is chosen."""
        self._chat.set_label(label)
        self.next_target.show_choice()

    def _type(self, words: str) -> None:
        self.composer.edit.setFocus()
        self.composer.edit.paste_text(words)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys that no part of the page took: text goes to the message box."""
        words = typed_text(event)
        if words and self.composer.isVisible():
            self._type(words)
        elif not (event.matches(QKeySequence.StandardKey.Undo) and self.toast.undo()):
            super().keyPressEvent(event)

    def _edit_queued(self, queued_id: str) -> None:
        question = self._asking.unqueue(queued_id)
        if question is not None:
            self.composer.take_back(question.text, question.images)
        self.composer.edit.setFocus()

    @property
    def has_chat(self) -> bool:
        """Whether a stored chat is open, not a new one."""
        return self._chat.conversation is not None

    def choose_model(self) -> None:
        """The list of models that can answer this chat."""
        self.composer.open_picker(self.head.destination)

    def copy_chat(self) -> None:
        """The open chat as Markdown, on the clipboard."""
        self._chat.export.copy(self._chat.conversation_id)

    def delete_chat(self) -> None:
        """Delete the open chat, which can be undone."""
        self.listing.delete([self._chat.conversation_id])

    def toggle_pin(self) -> None:
        """Pin the open chat, or unpin it."""
        conversation = self._chat.conversation
        if conversation is not None:
            self.listing.set_pinned([conversation.id], pinned=not conversation.pinned)

    def export(self, fmt: str) -> None:
        """Ask for a file name and write the open chat to it."""
        conversation = self._chat.conversation
        if conversation is not None:
            self._chat.export.choose_file(conversation, fmt, self)

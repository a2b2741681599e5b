"""The open conversation: asking, stopping, versions, branches, drafts and the queue.

No widgets in here. Stored data is read and written through ordered jobs; what is on the page
follows from the signals, never from what a method returns.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from lockhouse.answer.everything import AllTargets
from lockhouse.answer.targets import Target
from lockhouse.chat.conversations import Conversation, Conversations, Message
from lockhouse.chat.turns import TurnEvent, Turns
from lockhouse.core.answering import AnswerRequest, Image
from lockhouse.core.cancelling import CancelToken
from lockhouse.core.errors import LockhouseError, NotFound
from lockhouse.ui.chat.asking import request_for
from lockhouse.ui.chat.elsewhere import Elsewhere
from lockhouse.ui.chat.exporting import Exporting
from lockhouse.ui.chat.forwarding import Answerer, Forwarding
from lockhouse.ui.chat.pictures import Pictures
from lockhouse.ui.chat.runs import Runs, TurnFactory
from lockhouse.ui.chat.tasks import Tasks
from lockhouse.ui.chat.values import (
    AnswerEnded,
    AnswerStarted,
    MessageChanged,
    Note,
    OpenedChat,
    PathChanged,
    Question,
    QueuedText,
    QueueState,
    Refused,
)
from lockhouse.ui.jobs import Jobs, ignore
from lockhouse.ui.settings.store import SettingsStore

_Result = TypeVar("_Result")
_STILL_WAITS = "What you typed meanwhile still waits. It goes before your next message."


class ChatController(QObject):
    """One conversation at a time on the page; answers of others go on behind it."""

    opened = Signal(object)  # OpenedChat
    path_changed = Signal(object)  # PathChanged
    message_changed = Signal(object)  # MessageChanged
    conversation_changed = Signal(object)  # Conversation: title, target, parameters
    queue_changed = Signal(object)  # QueueState
    refused = Signal(object)  # Refused: nothing was stored, the text goes back
    noticed = Signal(object)  # Note
    failed = Signal(object)  # LockhouseError
    gone = Signal(object)  # Conversation: deleted by somebody else while it is open
    taken = Signal()  # what was typed is on its way, or waits its turn
    stored = Signal(str)  # id of a conversation that was written: lists follow it

    def __init__(
        self,
        conversations: Conversations,
        turns: Turns,
        targets: AllTargets,
        settings: SettingsStore,
        elsewhere: Elsewhere,
        jobs: Jobs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._conversations = conversations
        self._turns = turns
        self._targets = targets
        self._settings = settings
        self._jobs = jobs
        self.runs = Runs(jobs, self)
        self.exporting = Exporting(conversations, jobs, self)
        self.pictures = Pictures(jobs, self)
        self.forwarding = Forwarding(elsewhere, jobs, self)
        self.forwarding.failed.connect(self._fail)
        self.tasks = Tasks(self, turns, targets, settings)
        self.runs.started.connect(self._answer_started)
        self.runs.ended.connect(self._answer_ended)
        self._open: Conversation | None = None
        self._wanted = ""  # id of the conversation being opened
        self._new_draft = ""
        self._new_target = ""
        self._new_system = ""
        self._new_parameters: dict[str, object] = {}
        self._queues: dict[str, list[QueuedText]] = {}
        self._asked: dict[str, str] = {}
        self._numbers = itertools.count(1)

    # -- opening ----------------------------------------------------------------------------

    @property
    def conversation(self) -> Conversation | None:
        """The one on the page."""
        return self._open

    @property
    def conversation_id(self) -> str:
        """Its id, "" while it is a new one."""
        return self._open.id if self._open else ""

    def new_chat(self) -> None:
        """An empty page. Nothing is stored before the first question."""
        self._wanted = ""
        self._open = None
        self.opened.emit(OpenedChat(None))
        self._tell_queue()

    def open(self, conversation_id: str, *, scroll_to: str = "", highlight: str = "") -> None:
        """Show a conversation, at a message when one is named."""
        self._wanted = conversation_id
        running = self.runs.running(conversation_id) is not None

        def read() -> tuple[Conversation, list[Message]]:
            found = self._conversations.get(conversation_id)
            path = self._conversations.path(found.id)
            if scroll_to and all(message.id != scroll_to for message in path):
                if running:  # the answer goes on below what is shown now
                    return found, self._conversations.path(found.id, scroll_to)
                self._conversations.select_version(scroll_to, 0)
                found = self._conversations.get(conversation_id)
                path = self._conversations.path(found.id)
            return found, path

        def show(result: tuple[Conversation, list[Message]]) -> None:
            if self._wanted != conversation_id:
                return
            self._open = result[0]
            self.opened.emit(OpenedChat(result[0], tuple(result[1]), scroll_to, highlight))
            self._tell_queue()

        def fail(error: LockhouseError) -> None:
            if isinstance(error, NotFound):
                self.stored.emit(conversation_id)  # the list that offered it is behind
                error = LockhouseError("This chat is not there any more. It was deleted elsewhere.")
            self.failed.emit(error)

        self._jobs.run_in_order(read, show, fail)

    def reload(self) -> None:
        """Read the open conversation again."""
        if self._open is None:
            return
        wanted = self._open.id

        def read() -> tuple[Conversation, list[Message]]:
            return self._conversations.get(wanted), self._conversations.path(wanted)

        def show(result: tuple[Conversation, list[Message]]) -> None:
            if self.conversation_id == wanted:
                self._open = result[0]
                self.path_changed.emit(PathChanged(result[0], tuple(result[1])))
                self.conversation_changed.emit(result[0])

        self._jobs.run_in_order(read, show, self._fail)

    def follow(self) -> None:
        """Somebody wrote to the database: read again if it was to the open conversation."""
        known = self._open
        if known is None or self.runs.running(known.id):
            return

        def compare(now: Conversation) -> None:
            if self._open is known and now != known:
                self.reload()

        self._jobs.run_in_order(
            lambda: self._conversations.get(known.id), compare, lambda _: self._tell_gone(known)
        )

    # -- asking -----------------------------------------------------------------------------

    def send(self, text: str, images: tuple[Image, ...] = ()) -> None:
        """Ask now, or after the answer that is still running."""
        if not text.strip() and not images:
            return
        opened = self._open
        if opened is None or not (self.runs.running(opened.id) or self._queues.get(opened.id)):
            self.tasks.message(Question(text, images))
            return
        queue = self._queues.setdefault(opened.id, [])
        queue.append(QueuedText(f"queued-{next(self._numbers)}", text, images, self.target))
        self.taken.emit()
        if not self.runs.running(opened.id):  # what waited longer goes first
            self._ask_next(opened.id)
        self._tell_queue()

    def ask(self, opened: Conversation | None, question: Question, answerer: Answerer) -> None:
        """Ask in that conversation, or in a new one. ``answerer`` is called on another thread."""
        if not question.is_task:
            self.taken.emit()
        if opened is None:
            self._create_and_ask(question, answerer)
        else:
            self._ask(opened, question, answerer)

    def ask_again(
        self, message_id: str, answerer: Answerer, *, alone: bool = False, task: str = ""
    ) -> None:
        """Another version of that answer, or another answer to that question."""
        self._run_on(
            lambda request: (
                lambda cancel: self._turns.regenerate(
                    message_id,
                    target=answerer(),
                    request=request,
                    cancel=cancel,
                    alone=alone,
                    task=task,
                )
            )
        )

    def images_of(self, question: Question) -> tuple[Image, ...]:
        """The pictures of a question; another version of one keeps its own. Waits for the disk."""
        if question.edits:
            return self._conversations.images(question.edits)
        return question.images

    def load_picture(self, sha256: str, take: Callable[[QImage], None]) -> None:
        """A picture of a message, small."""
        self.pictures.thumbnail(lambda: self._conversations.picture(sha256), take)

    def is_free(self) -> bool:
        """Whether an answer can begin in the open conversation; says so where it cannot."""
        if self.runs.running(self.conversation_id):
            self.noticed.emit(Note("Stop the running answer first.", "warning"))
            return False
        return True

    def stop(self) -> None:
        """Stop the answer of the open conversation."""
        self.runs.stop(self.conversation_id)

    def answer_now(self) -> None:
        """End the reasoning of the open conversation's answer."""
        self.runs.answer_now(self.conversation_id)

    def regenerate(self, message_id: str) -> None:
        """Another version of that answer."""
        if self._open is not None and self.is_free():
            self.tasks.again(message_id)

    def retry_safer(self, message_id: str) -> None:
        """Another version, with the load settings that are least likely to fail."""
        target = self.target
        self.ask_again(message_id, lambda: self._targets.local.get(target).safer())

    def continue_answer(self, message_id: str, answerer: Answerer | None = None) -> None:
        """Go on where that answer ended, by whom the conversation goes to or by ``answerer``."""
        target = self.target
        self._run_on(
            lambda request: (
                lambda cancel: self._turns.continue_answer(
                    message_id,
                    target=answerer() if answerer else target,
                    request=request,
                    cancel=cancel,
                )
            )
        )

    # -- the tree ---------------------------------------------------------------------------

    def edit(self, message: Message, text: str, *, send: bool) -> None:
        """A new version of a message; ``send`` has a question answered again."""
        opened = self._open
        if opened is None or not text.strip() or (text == message.content and not send):
            return
        if message.role != "user" or not send:
            self._edit_only(message, text)
            return
        if self.runs.running(opened.id):
            self.noticed.emit(Note("Stop the answer first, then edit the question.", "warning"))
            return
        self.tasks.message(Question(text, parent_id=message.parent_id, edits=message.id))

    def _edit_only(self, message: Message, text: str) -> None:
        def work() -> int:
            path = [one.id for one in self._conversations.path(message.conversation_id)]
            later = len(path) - 1 - path.index(message.id) if message.id in path else 0
            self._conversations.edit(message.id, text)
            return later

        def told(later: int) -> None:
            if later:
                what = "message after it stays" if later == 1 else "messages after it stay"
                words = f"Edited. The {later} {what} with the version before: ‹ under it goes back."
                self.noticed.emit(Note(words))

        self._change(work, told)

    def select_version(self, message_id: str, offset: int) -> None:
        """The version before (-1) or after (+1)."""
        if self.runs.running(self.conversation_id):
            self.noticed.emit(Note("Versions can be changed once the answer has ended."))
            return
        self._change(lambda: self._conversations.select_version(message_id, offset))

    def branch(self, message_id: str) -> None:
        """A new conversation that begins with everything up to that message."""

        def show(created: Conversation) -> None:
            self.stored.emit(created.id)
            self.open(created.id)
            self.noticed.emit(Note(f"Branched into “{created.title}”", "success"))

        self._jobs.run_in_order(lambda: self._conversations.branch(message_id), show, self._fail)

    # -- what belongs to the conversation ---------------------------------------------------

    def rename(self, title: str) -> None:
        """Give the open conversation a title."""
        wanted = self.conversation_id
        if wanted and title.strip():
            self._change(lambda: self._conversations.rename(wanted, title.strip()))

    def set_target(self, name: str) -> None:
        """Who answers from now on."""
        wanted = self.conversation_id
        if self._open is None:
            self._new_target = name
        else:  # in force at once: the next message must not go where it went before
            self._open = msgspec.structs.replace(self._open, target=name)
            self._change(lambda: self._conversations.set_target(wanted, name))

    @property
    def target(self) -> str:
        """Who answers: a target's name, "" for the default one."""
        return self._open.target if self._open else self._new_target

    @property
    def system(self) -> str:
        """The system prompt in force."""
        if self._open:
            return self._open.system
        return self._new_system or self._settings.current.system_prompt

    @property
    def parameters(self) -> dict[str, object]:
        """What this conversation sets differently from the settings."""
        return dict(self._open.parameters) if self._open else dict(self._new_parameters)

    def set_system(self, text: str) -> None:
        """Give this conversation a system prompt of its own."""
        wanted = self.conversation_id
        if not wanted:
            self._new_system = text
        else:
            self._change(lambda: self._conversations.set_system(wanted, text))

    def set_parameters(self, parameters: dict[str, object]) -> None:
        """Set what differs from the settings in this conversation."""
        wanted = self.conversation_id
        if not wanted:
            self._new_parameters = dict(parameters)
        else:
            self._change(lambda: self._conversations.set_parameters(wanted, parameters))

    def save_draft(self, conversation_id: str, text: str) -> None:
        """Keep what is typed and not sent."""
        if not conversation_id:
            self._new_draft = text
        else:
            self._jobs.run_in_order(
                lambda: self._conversations.save_draft(conversation_id, text),
                lambda _: None,
                self._fail,
            )

    @property
    def new_draft(self) -> str:
        """What was typed in a new chat."""
        return self._new_draft

    def restore_new_draft(self, text: str) -> None:
        """What was typed in a new chat before the last window was closed."""
        self._new_draft = text

    def keep_queues(self) -> None:
        """Messages that still wait become part of their chat's draft: the window closes."""

        def keep(conversation_id: str, waiting: str) -> None:
            draft = self._conversations.get(conversation_id).draft
            both = f"{draft}\n\n{waiting}".strip()
            self._conversations.save_draft(conversation_id, both)

        for conversation_id, queue in self._queues.items():
            if queue:
                waiting = "\n\n".join(entry.text for entry in queue)
                self._jobs.run_in_order(
                    lambda key=conversation_id, text=waiting: keep(key, text),  # type: ignore[misc]
                    lambda _: None,
                    ignore,
                )
        self._queues.clear()

    # -- the queue --------------------------------------------------------------------------

    def unqueue(self, queued_id: str) -> QueuedText | None:
        """Take a waiting message back."""
        queue = self._queues.get(self.conversation_id, [])
        for entry in queue:
            if entry.id == queued_id:
                queue.remove(entry)
                self._tell_queue()
                return entry
        return None

    # -- inside -----------------------------------------------------------------------------

    def _create_and_ask(self, question: Question, answerer: Answerer) -> None:
        target, system, parameters = self._new_target, self.system, self._new_parameters

        def create() -> Conversation:
            created = self._conversations.create(target=target, system=system)
            if parameters:
                self._conversations.set_parameters(created.id, parameters)
                created = self._conversations.get(created.id)
            return created

        def begin(created: Conversation) -> None:
            self._new_draft = self._new_system = ""
            self._new_parameters = {}
            if self.forwarding.is_elsewhere(target):
                self._new_target = ""  # chosen for this chat, not for those that follow
            self._open, self._wanted = created, created.id
            self.opened.emit(OpenedChat(created))
            self._ask(created, question, answerer)

        self._jobs.run_in_order(create, begin, self._fail)

    def _ask(self, conversation: Conversation, question: Question, answerer: Answerer) -> None:
        request = request_for(self._settings.current, conversation.parameters)
        if not question.is_task:
            self._asked[conversation.id] = question.text

        def ask(cancel: CancelToken) -> Iterator[TurnEvent]:
            return self._turns.ask(
                conversation.id,
                question.text,
                target=answerer(),
                request=request,
                cancel=cancel,
                parent_id=question.parent_id,
                images=self.images_of(question),
                alone=question.alone,
                task=question.task,
            )

        self.runs.start(conversation.id, ask)

    def _run_on(self, make: Callable[[AnswerRequest], TurnFactory]) -> None:
        opened = self._open
        if opened is not None and self.is_free():
            self.runs.start(opened.id, make(request_for(self._settings.current, opened.parameters)))

    def _change(
        self, work: Callable[[], _Result], tell: Callable[[_Result], None] | None = None
    ) -> None:
        wanted = self.conversation_id

        def then(result: _Result) -> None:
            if tell is not None:
                tell(result)
            self.stored.emit(wanted)
            if self.conversation_id == wanted:
                self.reload()

        self._jobs.run_in_order(work, then, self._fail)

    def _answer_started(self, started: AnswerStarted) -> None:
        self._asked.pop(started.conversation_id, None)
        self.stored.emit(started.conversation_id)
        self._read_message(started.conversation_id, started.answer.id)

    def _answer_ended(self, ended: AnswerEnded) -> None:
        text = self._asked.pop(ended.conversation_id, "")
        if ended.failed is not None and not ended.message_id:
            self._refuse(Refused(ended.conversation_id, text, ended.failed))
            return
        self.stored.emit(ended.conversation_id)
        if ended.message_id:
            self._read_message(ended.conversation_id, ended.message_id)
        finished = ended.finished
        if not self._queues.get(ended.conversation_id):
            return
        if finished is not None and finished.finish_reason in ("stop", "length"):
            self._ask_next(ended.conversation_id)
        elif ended.conversation_id == self.conversation_id:
            self.noticed.emit(Note(_STILL_WAITS))

    def _ask_next(self, conversation_id: str) -> None:
        """Ask what waits there longest."""
        waiting = self._queues[conversation_id].pop(0)
        self._tell_queue()
        question = Question(waiting.text, waiting.images)

        def answerer(chat: Conversation) -> Target:
            # Elsewhere only where that was so when it was typed and still is.
            moved = chat.target != waiting.target and self.forwarding.is_elsewhere(chat.target)
            return self._targets.get(waiting.target if moved else chat.target)

        self._jobs.run_in_order(
            lambda: self._conversations.get(conversation_id),
            lambda chat: self._ask(chat, question, lambda: answerer(chat)),
            self._fail,
        )

    def _read_message(self, conversation_id: str, message_id: str) -> None:
        """Only what an answer changed: a long conversation is not read for every answer."""
        if conversation_id != self.conversation_id:
            return

        def read() -> MessageChanged:
            return MessageChanged(
                self._conversations.get(conversation_id), self._conversations.message(message_id)
            )

        def show(changed: MessageChanged) -> None:
            if self.conversation_id == conversation_id:
                self._open = changed.conversation
                self.message_changed.emit(changed)
                self.conversation_changed.emit(changed.conversation)

        self._jobs.run_in_order(read, show, ignore)

    def _tell_queue(self) -> None:
        waiting = tuple(self._queues.get(self.conversation_id, ()))
        self.queue_changed.emit(QueueState(self.conversation_id, waiting))

    # -- what somebody else deleted ---------------------------------------------------------

    def _fail(self, error: LockhouseError) -> None:
        """Tell what failed; in a chat that was deleted elsewhere, that instead."""
        known = self._open
        if known is None or not isinstance(error, NotFound):
            self.failed.emit(error)
            return
        self._jobs.run_in_order(
            lambda: self._conversations.get(known.id),
            lambda _: self.failed.emit(error),
            lambda _: self._tell_gone(known),
        )

    def _refuse(self, refused: Refused) -> None:
        known = self._open
        if known is None or refused.failed.exit_code != NotFound.exit_code:
            self.refused.emit(refused)
            return

        def tell_gone(_error: LockhouseError) -> None:
            self.refused.emit(dataclasses.replace(refused, is_gone=True))
            self._tell_gone(known)

        self._jobs.run_in_order(
            lambda: self._conversations.get(refused.conversation_id),
            lambda _: self.refused.emit(refused),
            tell_gone,
        )

    def _tell_gone(self, known: Conversation) -> None:
        if self.conversation_id == known.id:
            self.gone.emit(known)

"""Asking in chats: questions, the queue of each chat, other answers, single tasks for other models.

Stands above :class:`OpenChat` and asks through :class:`Turns`. What is asked, waits or has to be
confirmed belongs to one chat and leaves all others alone.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec
from PySide6.QtCore import QObject, Signal

from lockhouse.answer.permission import AnswerHere, Proposal, Send
from lockhouse.answer.request import Question
from lockhouse.chat.conversations import Conversations, Message
from lockhouse.chat.outbox import Unsent
from lockhouse.chat.text_attachments import Attachment, with_attachments
from lockhouse.chat.turns import TurnEvent, Turns, TurnStarted
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, LockhouseError, NotFound
from lockhouse.core.messages import Image
from lockhouse.ui import formatting
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.chat.runs import Runs
from lockhouse.ui.chat.targets import Targets
from lockhouse.ui.chat.values import AnswerEnded, Note, QueuedQuestion, Rejected
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.outbound.values import INSTRUCTIONS, SendOptions, Subject, SubjectKind

_NOTHING = Question()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on its way, and what the window has to know of it.

    ``queued``: the entry of the queue that it is. ``material`` is a selection or a document that
    the question is about, next to an instruction. ``is_typed``: it comes from the message box,
    and goes back there when nothing comes of it; ``is_taken``: it was removed from there.
    """

    question: Question
    target: str
    subject: Subject
    queued: QueuedQuestion | None = None
    material: Attachment | None = None
    is_local: bool = False  # answered on this machine, whatever ``target`` is
    is_typed: bool = False
    is_taken: bool = False

    def revised(self, options: SendOptions) -> Question:
        """The question with what was chosen in the send dialog."""
        question = msgspec.structs.replace(self.question, alone=options.alone)
        if self.material is None:
            return question
        text = text_about(question.task, self.material, options.instruction)
        return msgspec.structs.replace(question, text=text)


class Confirmation:
    """Asks the person whether a question may be sent. Waits on the thread of the answer."""

    def __init__(self, chat: str, asked: Asked, proposal: Proposal) -> None:
        self.chat = chat  # its key
        self.asked = asked
        self.proposal = proposal
        self._reply: Send | AnswerHere | None = None
        self._is_over = threading.Event()

    def reply(self, reply: Send | AnswerHere | None) -> bool:
        """What the person decided; None sends nothing. Only the first reply counts."""
        if self._is_over.is_set():
            return False
        self._reply = reply
        self._is_over.set()
        return True

    def wait(self, cancel: CancelToken) -> Send | AnswerHere:
        """Blocks until the reply, or until the question is withdrawn; raises Cancelled then."""
        with cancel.watched(self._is_over.set):
            self._is_over.wait()
        if self._reply is None:
            raise Cancelled
        return self._reply


@dataclass
class _ChatWork:
    """What is being asked in one chat, and what waits there."""

    asked: Asked | None = None
    queue: list[QueuedQuestion] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    is_queue_stored: bool = False


class Asking(QObject):
    """Asks in the open chat; answers of other chats continue in the background."""

    taken = Signal(str, str)  # conversation, text: sent or queued, no longer in the message box
    rejected = Signal(object)  # Rejected
    queue_changed = Signal(object)  # tuple[QueuedQuestion, ...] of the open chat
    noticed = Signal(object)  # Note for the open chat
    confirmation_wanted = Signal(object)  # Confirmation

    def __init__(
        self,
        chat: OpenChat,
        turns: Turns,
        conversations: Conversations,
        targets: Targets,
        jobs: Jobs,
    ) -> None:
        super().__init__(chat)
        self._chat = chat
        self._turns = turns
        self._conversations = conversations
        self._targets = targets
        self._jobs = jobs
        self.runs = Runs(jobs, self)
        self.runs.started.connect(self._started)
        self.runs.noticed.connect(self.note)
        self.runs.ended.connect(self._ended)
        self._numbers = itertools.count(1)
        self._work: dict[str, _ChatWork] = {}  # by key of the chat

    def is_busy(self, chat: str) -> bool:
        """Whether something is asked in that chat, or waits to be confirmed."""
        return self.runs.running(chat) is not None

    # -- asking -----------------------------------------------------------------------------

    def send(self, text: str, images: tuple[Image, ...] = ()) -> None:
        """Ask now, or after what is asked or waits in this chat already."""
        if not text.strip() and not images:
            return
        chat, question = self._chat, Question(text, images)
        work = self._work_of(chat.key)
        if not work.queue and not self.is_busy(chat.key):
            subject = Subject("message", "Your message")
            is_taken = not self._targets.is_remote(chat.target)
            self._ask(Asked(question, chat.target, subject, is_typed=True, is_taken=is_taken))
            return
        if work.asked and not work.asked.is_taken and work.asked.question == question:
            return  # sent twice: it still stands in the message box
        number = next(self._numbers)
        work.queue.append(QueuedQuestion(f"queued-{number}", question, chat.target))
        self._store_queue(chat.key)
        self.taken.emit(chat.conversation_id, text)
        self.tell_queue()
        self.send_queued()

    def send_queued(self) -> None:
        """Ask what waits in the open chat, the oldest first, unless an answer is running."""
        if self._work_of(self._chat.key).queue and not self.is_busy(self._chat.key):
            self._ask_next(self._chat.key)

    def again(
        self, message_id: str, conversation_id: str = "", *, safer: bool = False, here: bool = False
    ) -> None:
        """Another version of an answer, or another answer to a question.

        ``safer``: with the load settings that are least likely to fail; ``here``: by a model on
        this machine.
        """
        subject = Subject("message", "Your question, asked again")
        question = Question(again=message_id, safer=safer)
        asked = Asked(question, self._chat.target, subject, is_local=here)
        if conversation_id and conversation_id != self._chat.conversation_id:
            self._start(conversation_id, replace(asked, target=""))
        else:
            self._ask(asked)

    def resume(self, message: Message, *, has_before: bool) -> None:
        """Continue an answer where it ended.

        One of a remote target is continued by that target: its badge would not be true otherwise.
        """
        info, target, is_task = message.target, self._chat.target, False
        if info is not None and info.kind != "local":
            target, is_task = info.name, info.name != self._targets.full_name(target)
        kind: SubjectKind = "turn" if is_task else "message"
        question = Question(
            continues=message.id, alone=is_task, task="turn" if is_task else "chat",
            must_confirm=is_task,
        )  # fmt: skip
        has_before = has_before and is_task
        self._ask(Asked(question, target, Subject(kind, "The rest of this answer", has_before)))

    def edit(self, message: Message, text: str, *, send: bool) -> None:
        """A new version of a message; ``send`` has a question answered again."""
        if not text.strip() or (text == message.content and not send):
            return
        if message.role != "user" or not send:
            self._chat.edit_message(message, text)
            return
        question = Question(text, parent_id=message.parent_id, edits=message.id)
        self._ask(Asked(question, self._chat.target, Subject("message", "Your message")))

    def ask_turn(self, message: Message, target: str, *, has_before: bool) -> None:
        """Ask another model one question only, or the question of an answer."""
        question = Question(again=message.id, alone=True, task="turn", must_confirm=True)
        words = "Your question only, no history"
        self._ask(Asked(question, target, Subject("turn", words, has_before)))

    def ask_about(
        self, task: SubjectKind, material: Attachment, target: str, *, has_before: bool
    ) -> None:
        """Ask another model about a selection or a document; the dialog takes the instruction."""
        size = formatting.counted(len(material.text), "character")
        words = "The selection" if task == "selection" else material.name
        text = text_about(task, material, INSTRUCTIONS[0][1])
        question = Question(text, alone=True, task=task, must_confirm=True)
        subject = Subject(task, f"{words}, {size}", has_before)
        self._ask(Asked(question, target, subject, material=material))

    def retry(self, asked: Asked) -> None:
        """Ask what was not sent, in the open chat: what was in the way may be settled now."""
        if asked.queued is not None:
            self.send_queued()
        else:
            self._ask(asked)

    def decline(self, confirmation: Confirmation) -> None:
        """The person does not want it sent. The chat is free for another question at once."""
        if confirmation.reply(None):
            self.runs.abandon(confirmation.chat)

    def stop(self) -> None:
        """Stop the answer of the open chat."""
        self.runs.stop(self._chat.key)

    def answer_now(self) -> None:
        """End the reasoning of the open chat's answer."""
        self.runs.answer_now(self._chat.key)

    def select_version(self, message_id: str, offset: int) -> None:
        """Show another version of a message, once no answer is running."""
        if self.is_busy(self._chat.key):
            self.noticed.emit(Note("Versions can be changed once the answer has ended."))
        else:
            self._chat.select_version(message_id, offset)

    def is_free(self) -> bool:
        """Whether an answer can begin in the open chat; says so where it cannot."""
        if self.is_busy(self._chat.key):
            self.noticed.emit(Note("Stop the running answer first.", "warning"))
            return False
        return True

    # -- the queue --------------------------------------------------------------------------

    def unqueue(self, queued_id: str) -> Question | None:
        """Take a queued message back."""
        work = self._work_of(self._chat.key)
        found = next((entry for entry in work.queue if entry.id == queued_id), None)
        if found is None or (work.asked and work.asked.queued is found):
            return None
        work.queue.remove(found)
        self._store_queue(self._chat.key)
        self.tell_queue()
        return found.question

    def tell_queue(self) -> None:
        """What waits in the open chat."""
        self.queue_changed.emit(tuple(self._work_of(self._chat.key).queue))

    def show_chat(self) -> None:
        """Another chat was opened: show what waits there, and what was to be told."""
        work = self._work_of(self._chat.key)
        self.tell_queue()
        notes, work.notes = work.notes, []
        for note in notes:
            self.noticed.emit(note)

    def note(self, conversation_id: str, note: Note) -> None:
        """Tell it now, or a warning when that chat is opened."""
        if conversation_id == self._chat.key:
            self.noticed.emit(note)
        elif note.kind == "warning":
            self._work_of(conversation_id).notes.append(note)

    def return_queues(self) -> None:
        """Messages that still wait become part of their chat's draft: the window closes."""
        for key, work in self._work.items():
            if work.queue:
                text = "\n\n".join(entry.question.text for entry in work.queue)
                images = tuple(one for entry in work.queue for one in entry.question.images)
                work.queue.clear()
                self._chat.give_back(self._chat.id_of(key), text, images)
                self._store_queue(key)

    # -- inside -----------------------------------------------------------------------------

    def _work_of(self, key: str) -> _ChatWork:
        return self._work.setdefault(key, _ChatWork())

    def _ask(self, asked: Asked) -> None:
        if self.is_free():
            if asked.is_taken:
                self.taken.emit(self._chat.conversation_id, asked.question.text)
            self._start(self._chat.key, asked)

    def _start(self, key: str, asked: Asked) -> None:
        """Begin asking in that chat, which may be one that is not stored yet."""
        where = self._chat.id_of(key) or self._chat.setup

        def confirm(proposal: Proposal, cancel: CancelToken) -> Send | AnswerHere:
            confirmation = Confirmation(key, asked, proposal)
            self.confirmation_wanted.emit(confirmation)
            return confirmation.wait(cancel)

        def turn(cancel: CancelToken) -> Iterator[TurnEvent]:
            target = self._targets.resolve(asked.target, is_local=asked.is_local)
            return self._turns.ask(
                where, asked.question, target=target, confirm=confirm, cancel=cancel
            )

        if self.runs.start(key, turn):
            self._work_of(key).asked = asked

    def _ask_next(self, key: str) -> None:
        """Ask what waits there longest."""
        entry = self._work_of(key).queue[0]

        def ask(target: str) -> None:
            if entry not in self._work_of(key).queue:
                return  # taken back meanwhile
            # A remote target only where it was chosen when this was typed, and still is.
            moved = target != entry.target and self._targets.is_remote(target)
            name = entry.target if moved else target
            subject = Subject("message", "Your queued message")
            self._start(key, Asked(entry.question, name, subject, queued=entry, is_typed=True))

        if key == self._chat.key:
            ask(self._chat.target)
        else:
            self._jobs.run_in_order(
                lambda: self._conversations.get(key).target, ask, self._chat.fail
            )

    def _started(self, key: str, started: TurnStarted) -> None:
        conversation = started.conversation
        work = self._work[conversation.id] = self._work.pop(key, _ChatWork())
        if key != conversation.id:
            is_local = started.answer.target is None or started.answer.target.kind == "local"
            target = conversation.target if is_local else ""
            self._chat.begin(key, conversation, next_target=target)
        asked = work.asked
        if asked is not None and asked.queued in work.queue:
            work.queue.remove(asked.queued)
            self.tell_queue()
        elif asked is not None and asked.is_typed and not asked.is_taken:
            self.taken.emit(conversation.id, asked.question.text)
        self._store_queue(conversation.id)
        self._chat.stored.emit(conversation.id)

    def _ended(self, ended: AnswerEnded) -> None:
        work = self._work_of(ended.conversation_id)
        asked, work.asked = work.asked, None
        self.tell_queue()
        if not ended.message_id:
            self._reject(ended, asked)
            return
        self._chat.stored.emit(ended.conversation_id)
        self._chat.read_message(ended.conversation_id, ended.message_id)
        finished = ended.finished
        if work.queue and finished and finished.finish_reason in ("stop", "length"):
            self._ask_next(ended.conversation_id)

    def _reject(self, ended: AnswerEnded, asked: Asked | None) -> None:
        """Nothing was stored: what was taken out of the message box or the queue goes back."""
        work, returned = self._work_of(ended.conversation_id), None
        if asked is not None and asked.is_typed:
            if asked.queued in work.queue and ended.failed is not None:
                work.queue.remove(asked.queued)
                self._store_queue(ended.conversation_id)
                self.tell_queue()
                returned = asked.question
            elif asked.is_taken:
                returned = asked.question
        rejected = Rejected(ended.conversation_id, ended.failed, returned)
        known = self._chat.conversation
        is_gone = ended.failed is not None and ended.failed.exit_code == NotFound.exit_code
        if known is None or known.id != ended.conversation_id or not is_gone:
            self.rejected.emit(rejected)
            return

        def tell_gone(_error: LockhouseError) -> None:
            self.rejected.emit(replace(rejected, is_gone=True))
            self._chat.tell_gone(known)

        self._jobs.run_in_order(
            lambda: self._conversations.get(known.id),
            lambda _: self.rejected.emit(rejected),
            tell_gone,
        )

    def _store_queue(self, key: str) -> None:
        """Store what waits there; a queued question stays until it is stored as a message."""
        work, conversation_id = self._work_of(key), self._chat.id_of(key)
        entries = [Unsent(one.question.text, one.question.images) for one in work.queue]
        if not conversation_id or not (entries or work.is_queue_stored):
            return
        work.is_queue_stored = True
        self._jobs.run_in_order(
            lambda: self._conversations.keep_waiting(conversation_id, entries),
            lambda _: None,
            self._chat.fail,
        )


def text_about(task: str, material: Attachment, instruction: str) -> str:
    """A question about a selection or a document."""
    if task == "document":
        return with_attachments(instruction, [material])
    return f"{instruction}\n\n{material.text.strip()}"

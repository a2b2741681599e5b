"""Asking in the open conversation, and what waits to be asked there.

Starts answers and follows their ends; a message that is typed while one runs waits its turn.
Hides who answers a waiting message, and what becomes of a question that could not be stored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from lockhouse.answer.permission import Proposal, Reply, Send, refuse_unconfirmed
from lockhouse.answer.registry import TargetRegistry
from lockhouse.answer.request import Question as Asked
from lockhouse.chat.conversations import Conversation, Conversations
from lockhouse.chat.outbox import Unsent
from lockhouse.chat.turns import TurnEvent, Turns
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError, NotFound
from lockhouse.core.events import Failed
from lockhouse.core.messages import Image
from lockhouse.ui.chat.forwarding import Answerer, Chosen
from lockhouse.ui.chat.outbox import Waiting
from lockhouse.ui.chat.values import (
    AnswerEnded,
    AnswerStarted,
    Note,
    Question,
    QueuedText,
    QueueState,
    Refused,
)
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.settings.store import SettingsStore

if TYPE_CHECKING:
    from lockhouse.ui.chat.controller import ChatController

_STILL_WAITS = "What you typed meanwhile still waits. It goes before your next message."


class Answering(QObject):
    """Answers of the open conversation; those of others go on behind it."""

    taken = Signal(str, str)  # of a chat: this text is on its way, or waits its turn
    refused = Signal(object)  # Refused: nothing was stored, the text goes back
    queue_changed = Signal(object)  # QueueState
    noticed = Signal(object)  # Note

    def __init__(
        self,
        chat: ChatController,
        conversations: Conversations,
        turns: Turns,
        targets: TargetRegistry,
        settings: SettingsStore,
        jobs: Jobs,
    ) -> None:
        super().__init__(chat)
        self._chat = chat
        self._conversations = conversations
        self._turns = turns
        self._targets = targets
        self._settings = settings
        self._jobs = jobs
        self._runs = chat.runs
        self._runs.started.connect(self._answer_started)
        self._runs.ended.connect(self._answer_ended)
        self._waiting = Waiting()
        self._kept: set[str] = set()  # conversations of which waiting messages are stored
        self._asked: dict[str, Question] = {}  # by conversation, until it is stored

    # -- asking -----------------------------------------------------------------------------

    def send(self, text: str, images: tuple[Image, ...] = ()) -> None:
        """Ask now, or after the answer that is still running."""
        if not text.strip() and not images:
            return
        here = self._chat.conversation_id
        if not here or not (self._runs.running(here) or self._waiting.of(here)):
            self._chat.tasks.message(Question(text, images))
            return
        self._waiting.add(here, text, images, self._chat.target)
        self._keep_waiting(here)
        self.taken.emit(here, text)
        if not self._runs.running(here):  # what waited longer goes first
            self._ask_next(here)
        self.tell_queue()

    def ask(self, opened: Conversation | None, question: Question, answerer: Answerer) -> None:
        """Ask in that conversation, or in a new one. ``answerer`` is called on another thread."""
        if not question.is_task:
            self.taken.emit(opened.id if opened else "", question.text)
        if opened is None:
            self._chat.create(
                lambda created: self._ask(created, question, answerer),
                lambda error: self.refused.emit(
                    _refused(
                        "", question, Failed(error.code, error.message, error.hint, error.exit_code)
                    )
                ),
            )
        else:
            self._ask(opened, question, answerer)

    def ask_again(
        self,
        message_id: str,
        answerer: Answerer,
        *,
        alone: bool = False,
        task: str = "",
        safer: bool = False,
    ) -> None:
        """Another version of that answer, or another answer to that question."""
        asked = Asked(again=message_id, alone=alone, task=task or "chat", safer=safer)
        self._run_on(asked, answerer)

    def images_of(self, question: Question) -> tuple[Image, ...]:
        """The pictures of a question; another version of one keeps its own. Waits for the disk."""
        if question.edits:
            return self._conversations.images(question.edits)
        return question.images

    def is_free(self) -> bool:
        """Whether an answer can begin in the open conversation; says so where it cannot."""
        if self._runs.running(self._chat.conversation_id):
            self.noticed.emit(Note("Stop the running answer first.", "warning"))
            return False
        return True

    def stop(self) -> None:
        """Stop the answer of the open conversation."""
        self._runs.stop(self._chat.conversation_id)

    def answer_now(self) -> None:
        """End the reasoning of the open conversation's answer."""
        self._runs.answer_now(self._chat.conversation_id)

    def regenerate(self, message_id: str) -> None:
        """Another version of that answer."""
        if self._chat.conversation is not None and self.is_free():
            self._chat.tasks.again(message_id)

    def retry_safer(self, message_id: str) -> None:
        """Another version, with the load settings that are least likely to fail."""
        target = self._chat.target
        here = self._targets.on_this_machine
        self.ask_again(message_id, lambda: Chosen(here(target)), safer=True)

    def continue_answer(self, message_id: str, answerer: Answerer) -> None:
        """Go on where that answer ended."""
        self._run_on(Asked(continues=message_id), answerer)

    # -- what waits -------------------------------------------------------------------------

    def unqueue(self, queued_id: str) -> QueuedText | None:
        """Take a waiting message back."""
        entry = self._waiting.take_back(self._chat.conversation_id, queued_id)
        if entry is not None:
            self._keep_waiting(self._chat.conversation_id)
            self.tell_queue()
        return entry

    def tell_queue(self) -> None:
        """What waits in the open conversation."""
        here = self._chat.conversation_id
        self.queue_changed.emit(QueueState(here, self._waiting.of(here)))

    def take_up(self) -> None:
        """A conversation was opened: what waits in it is shown, and that it does."""
        self.tell_queue()
        here = self._chat.conversation_id
        if self._waiting.of(here) and not self._runs.running(here):
            self.noticed.emit(Note(_STILL_WAITS))

    def keep_queues(self) -> None:
        """Messages that still wait become part of their chat's draft: the window closes."""

        for conversation_id, queue in self._waiting.empty().items():
            text = "\n\n".join(entry.text for entry in queue)
            images = tuple(image for entry in queue for image in entry.images)
            self._chat.give_back(conversation_id, text, images)
            self._keep_waiting(conversation_id)

    # -- inside -----------------------------------------------------------------------------

    def _ask(self, conversation: Conversation, question: Question, answerer: Answerer) -> None:
        def ask(cancel: CancelToken) -> Iterator[TurnEvent]:
            return self._turn(conversation.id, asked_of(question), answerer, cancel)

        if self._runs.start(conversation.id, ask):
            self._asked[conversation.id] = question
        elif not question.is_task:  # another one was faster
            target = conversation.target
            self._waiting.add(conversation.id, question.text, question.images, target)
            self._keep_waiting(conversation.id)
            self.tell_queue()

    def _run_on(self, asked: Asked, answerer: Answerer) -> None:
        opened = self._chat.conversation
        if opened is not None and self.is_free():
            self._runs.start(
                opened.id, lambda cancel: self._turn(opened.id, asked, answerer, cancel)
            )

    def _turn(
        self, conversation_id: str, asked: Asked, answerer: Answerer, cancel: CancelToken
    ) -> Iterator[TurnEvent]:
        chosen = answerer()

        def confirm(proposal: Proposal, cancel: CancelToken) -> Reply:
            if chosen.approved is None:
                return refuse_unconfirmed(proposal, cancel)
            return Send(dataclasses.replace(proposal, outbound=chosen.approved))

        return self._turns.ask(
            conversation_id, asked, target=chosen.target, confirm=confirm, cancel=cancel
        )

    def _answer_started(self, started: AnswerStarted) -> None:
        self._asked.pop(started.conversation_id, None)
        self._chat.stored.emit(started.conversation_id)
        self._keep_waiting(started.conversation_id)
        self._chat.read_message(started.conversation_id, started.answer.id)

    def _keep_waiting(self, conversation_id: str) -> None:
        """Store what waits there; one that is being asked stays until its question is stored."""
        entries = [Unsent(one.text, one.images) for one in self._waiting.of(conversation_id)]
        if not entries and conversation_id not in self._kept:
            return
        self._kept.add(conversation_id)
        self._jobs.run_in_order(
            lambda: self._conversations.keep_waiting(conversation_id, entries),
            lambda _: None,
            self._chat.fail,
        )

    def _answer_ended(self, ended: AnswerEnded) -> None:
        self._keep_waiting(ended.conversation_id)
        question = self._asked.pop(ended.conversation_id, None)
        if ended.failed is not None and not ended.message_id:
            self._refuse(_refused(ended.conversation_id, question, ended.failed))
            return
        self._chat.stored.emit(ended.conversation_id)
        if ended.message_id:
            self._chat.read_message(ended.conversation_id, ended.message_id)
        finished = ended.finished
        if not self._waiting.of(ended.conversation_id):
            return
        if finished is not None and finished.finish_reason in ("stop", "length"):
            self._ask_next(ended.conversation_id)
        elif ended.conversation_id == self._chat.conversation_id:
            self.noticed.emit(Note(_STILL_WAITS))

    def _ask_next(self, conversation_id: str) -> None:
        """Ask what waits there longest. It waits on where the person has to look at it first."""
        waiting = self._waiting.of(conversation_id)[0]
        question = Question(waiting.text, waiting.images)

        def pass_on(chat: Conversation) -> None:
            # Elsewhere only where that was so when it was typed and still is.
            is_elsewhere = self._chat.forwarding.is_elsewhere(chat.target)
            moved = chat.target != waiting.target and is_elsewhere
            target = waiting.target if moved else chat.target
            self._chat.tasks.waiting(chat, question, target, lambda who: go(chat, who))

        def go(chat: Conversation, answerer: Answerer) -> None:
            if self._waiting.take_back(conversation_id, waiting.id) is not None:
                self.tell_queue()
                self._ask(chat, question, answerer)

        self._jobs.run_in_order(
            lambda: self._conversations.get(conversation_id), pass_on, self._chat.fail
        )

    def _refuse(self, refused: Refused) -> None:
        known = self._chat.conversation
        if known is None or refused.failed.exit_code != NotFound.exit_code:
            self.refused.emit(refused)
            return

        def tell_gone(_error: LockhouseError) -> None:
            self.refused.emit(dataclasses.replace(refused, is_gone=True))
            self._chat.tell_gone(known)

        self._jobs.run_in_order(
            lambda: self._conversations.get(refused.conversation_id),
            lambda _: self.refused.emit(refused),
            tell_gone,
        )


def asked_of(question: Question) -> Asked:
    """A question of the page as the answer path takes it."""
    return Asked(
        question.text,
        images=question.images,
        parent_id=question.parent_id,
        edits=question.edits,
        alone=question.alone,
        task=question.task or "chat",
    )


def _refused(conversation_id: str, question: Question | None, failed: Failed) -> Refused:
    """A task has nothing to give back: what it is about still stands where it was."""
    if question is None or question.task:
        return Refused(conversation_id, "", failed)
    return Refused(conversation_id, question.text, failed, images=question.images)

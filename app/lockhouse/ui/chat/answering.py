"""Asking in the open conversation, and what waits to be asked there.

Starts answers and follows their ends; a message that is typed while one runs waits its turn.
Hides who answers a waiting message, and what becomes of a question that could not be stored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from lockhouse.answer.everything import AllTargets
from lockhouse.answer.targets import Target
from lockhouse.chat.conversations import Conversation, Conversations
from lockhouse.chat.turns import TurnEvent, Turns
from lockhouse.core.answering import AnswerRequest, Image
from lockhouse.core.cancelling import CancelToken
from lockhouse.core.errors import LockhouseError, NotFound
from lockhouse.ui.chat.asking import request_for
from lockhouse.ui.chat.forwarding import Answerer
from lockhouse.ui.chat.runs import TurnFactory
from lockhouse.ui.chat.values import (
    AnswerEnded,
    AnswerStarted,
    Note,
    Question,
    QueuedText,
    QueueState,
    Refused,
)
from lockhouse.ui.chat.waiting import Waiting
from lockhouse.ui.jobs import Jobs, ignore
from lockhouse.ui.settings.store import SettingsStore

if TYPE_CHECKING:
    from lockhouse.ui.chat.controller import ChatController

_STILL_WAITS = "What you typed meanwhile still waits. It goes before your next message."


class Answering(QObject):
    """Answers of the open conversation; those of others go on behind it."""

    taken = Signal()  # what was typed is on its way, or waits its turn
    refused = Signal(object)  # Refused: nothing was stored, the text goes back
    queue_changed = Signal(object)  # QueueState
    noticed = Signal(object)  # Note

    def __init__(
        self,
        chat: ChatController,
        conversations: Conversations,
        turns: Turns,
        targets: AllTargets,
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
        self._asked: dict[str, str] = {}

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
        self.taken.emit()
        if not self._runs.running(here):  # what waited longer goes first
            self._ask_next(here)
        self.tell_queue()

    def ask(self, opened: Conversation | None, question: Question, answerer: Answerer) -> None:
        """Ask in that conversation, or in a new one. ``answerer`` is called on another thread."""
        if not question.is_task:
            self.taken.emit()
        if opened is None:
            self._chat.create(lambda created: self._ask(created, question, answerer))
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
        self.ask_again(message_id, lambda: self._targets.local.get(target).safer())

    def continue_answer(self, message_id: str, answerer: Answerer | None = None) -> None:
        """Go on where that answer ended, by whom the conversation goes to or by ``answerer``."""
        target = self._chat.target
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

    # -- what waits -------------------------------------------------------------------------

    def unqueue(self, queued_id: str) -> QueuedText | None:
        """Take a waiting message back."""
        entry = self._waiting.take_back(self._chat.conversation_id, queued_id)
        if entry is not None:
            self.tell_queue()
        return entry

    def tell_queue(self) -> None:
        """What waits in the open conversation."""
        here = self._chat.conversation_id
        self.queue_changed.emit(QueueState(here, self._waiting.of(here)))

    def keep_queues(self) -> None:
        """Messages that still wait become part of their chat's draft: the window closes."""

        def keep(conversation_id: str, waiting: str) -> None:
            draft = self._conversations.get(conversation_id).draft
            both = f"{draft}\n\n{waiting}".strip()
            self._conversations.save_draft(conversation_id, both)

        for conversation_id, queue in self._waiting.empty().items():
            waiting = "\n\n".join(entry.text for entry in queue)
            self._jobs.run_in_order(
                lambda key=conversation_id, text=waiting: keep(key, text),  # type: ignore[misc]
                lambda _: None,
                ignore,
            )

    # -- inside -----------------------------------------------------------------------------

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

        self._runs.start(conversation.id, ask)

    def _run_on(self, make: Callable[[AnswerRequest], TurnFactory]) -> None:
        opened = self._chat.conversation
        if opened is not None and self.is_free():
            request = request_for(self._settings.current, opened.parameters)
            self._runs.start(opened.id, make(request))

    def _answer_started(self, started: AnswerStarted) -> None:
        self._asked.pop(started.conversation_id, None)
        self._chat.stored.emit(started.conversation_id)
        self._chat.read_message(started.conversation_id, started.answer.id)

    def _answer_ended(self, ended: AnswerEnded) -> None:
        text = self._asked.pop(ended.conversation_id, "")
        if ended.failed is not None and not ended.message_id:
            self._refuse(Refused(ended.conversation_id, text, ended.failed))
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
        """Ask what waits there longest."""
        waiting = self._waiting.take_first(conversation_id)
        self.tell_queue()
        question = Question(waiting.text, waiting.images)

        def answerer(chat: Conversation) -> Target:
            # Elsewhere only where that was so when it was typed and still is.
            is_elsewhere = self._chat.forwarding.is_elsewhere(chat.target)
            moved = chat.target != waiting.target and is_elsewhere
            return self._targets.get(waiting.target if moved else chat.target)

        self._jobs.run_in_order(
            lambda: self._conversations.get(conversation_id),
            lambda chat: self._ask(chat, question, lambda: answerer(chat)),
            self._chat.fail,
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

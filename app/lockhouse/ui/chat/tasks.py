"""What can be asked from the Chat page, each as a :class:`SendIntent`: a message, a turn, a text.

A single task goes to the target that was picked for it; the conversation keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from lockhouse.answer.registry import TargetRegistry
from lockhouse.answer.request import Question as Asked
from lockhouse.chat.conversations import Conversation, Message
from lockhouse.chat.text_attachments import Attachment, with_attachments
from lockhouse.chat.turns import NewChat, Turns
from lockhouse.core.messages import Image
from lockhouse.core.request import AnswerRequest
from lockhouse.ui import formatting
from lockhouse.ui.chat.answering import asked_of
from lockhouse.ui.chat.forwarding import Answerer, Chosen, SendIntent
from lockhouse.ui.chat.values import Question
from lockhouse.ui.outbound.values import SendOptions, Subject, SubjectKind
from lockhouse.ui.settings.store import SettingsStore

if TYPE_CHECKING:
    from lockhouse.ui.chat.controller import ChatController


class Tasks:
    """Makes passages and hands them to the forwarding."""

    def __init__(
        self,
        chat: ChatController,
        turns: Turns,
        targets: TargetRegistry,
        settings: SettingsStore,
    ) -> None:
        self._chat = chat
        self._turns = turns
        self._targets = targets
        self._settings = settings

    def message(self, question: Question) -> None:
        """What was typed, to whom the conversation goes."""
        opened = self._chat.conversation
        self._pass(
            SendIntent(
                self._chat.target,
                Subject("message", "Your message"),
                lambda _: self._request(opened, question),
                lambda answerer, _: self._chat.answers.ask(opened, question, answerer),
                None if question.images else self._local,  # nobody here can look at pictures
            )
        )

    def again(self, message_id: str) -> None:
        """Another version of an answer, by whom the conversation goes to."""
        self._turn(message_id, self._chat.target, "Your question, asked again", task="")

    def on_this_machine(self, message_id: str) -> None:
        """The same question, answered by a model of this machine."""
        self._chat.answers.ask_again(message_id, self._local)

    def turn(self, message: Message, target: str, *, has_before: bool) -> None:
        """That one question, or the question of that answer, to somebody else."""
        what = "This question" if message.role == "user" else "The question of this answer"
        self._turn(message.id, target, what, task="turn", has_before=has_before)

    def rest(self, message: Message, *, has_before: bool) -> None:
        """The rest of an answer, by whom the conversation goes to.

        One from elsewhere goes on with who began it: nobody else's words would be its own.
        """
        opened, info = self._chat.conversation, message.target
        if opened is None:
            return
        target, is_task = self._chat.target, False
        if info is not None and info.kind != "local":
            target, is_task = info.name, info.name != self._chat.forwarding.full_name(target)

        def draft(wish: SendOptions) -> AnswerRequest:
            return self._turns.draft(
                opened.id,
                Asked(
                    continues=message.id,
                    alone=wish.alone and is_task,
                    task="turn" if is_task else "chat",
                ),
            )

        def go(answerer: Answerer, _wish: SendOptions) -> None:
            self._chat.answers.continue_answer(message.id, answerer)

        kind: SubjectKind = "turn" if is_task else "message"
        subject = Subject(kind, "The rest of this answer", has_before=has_before and is_task)
        self._pass(SendIntent(target, subject, draft, go, None, must_ask=is_task))

    def text(
        self,
        kind: Literal["selection", "document"],
        material: Attachment,
        target: str,
        *,
        has_before: bool,
    ) -> None:
        """A selection or a document, with an instruction that is still to be said."""
        opened = self._chat.conversation
        size = formatting.counted(len(material.text), "character")
        words = "The selection" if kind == "selection" else material.name

        def question(wish: SendOptions) -> Question:
            return Question(_written(kind, material, wish), alone=wish.alone, task=kind)

        self._pass(
            SendIntent(
                target,
                Subject(kind, f"{words}, {size}", has_before=has_before),
                lambda wish: self._request(opened, question(wish)),
                lambda answerer, wish: self._chat.answers.ask(opened, question(wish), answerer),
                self._local,
                must_ask=True,
            )
        )

    def request(
        self, opened: Conversation | None, text: str, images: tuple[Image, ...]
    ) -> AnswerRequest:
        """What the message that is being typed would ask. Waits for the disk."""
        return self._request(opened, Question(text, images))

    def waiting(
        self, opened: Conversation, question: Question, target: str, go: Callable[[Answerer], None]
    ) -> None:
        """What was typed while another answer ran, now that its turn has come."""
        chat = self._chat
        chat.forwarding.pass_on(
            SendIntent(
                target,
                Subject("message", "Your waiting message"),
                lambda _: self._request(opened, question),
                lambda answerer, _: go(answerer),
                None if question.images else self._local,
                is_seen=lambda: chat.conversation_id == opened.id,
            )
        )

    # Inside

    def _turn(
        self, message_id: str, target: str, words: str, *, task: str, has_before: bool = False
    ) -> None:
        opened = self._chat.conversation
        if opened is None:
            return
        kind: SubjectKind = "turn" if task else "message"

        def draft(wish: SendOptions) -> AnswerRequest:
            alone = wish.alone and bool(task)
            asked = Asked(again=message_id, alone=alone, task=task or "chat")
            return self._turns.draft(opened.id, asked)

        def go(answerer: Answerer, wish: SendOptions) -> None:
            self._chat.answers.ask_again(
                message_id, answerer, alone=wish.alone and bool(task), task=task
            )

        subject = Subject(kind, words, has_before=has_before)
        self._pass(SendIntent(target, subject, draft, go, self._local, must_ask=bool(task)))

    def _pass(self, passage: SendIntent) -> None:
        if self._chat.answers.is_free():
            self._chat.forwarding.pass_on(passage)

    def _request(self, opened: Conversation | None, question: Question) -> AnswerRequest:
        chat = self._chat
        begun = opened.id if opened else NewChat("", chat.system, chat.parameters)
        return self._turns.draft(begun, asked_of(question))

    def _local(self) -> Chosen:
        """Who answers on this machine: the conversation's own model, or else the usual one."""
        return Chosen(self._targets.on_this_machine(self._chat.target))


def _written(kind: str, material: Attachment, wish: SendOptions) -> str:
    if kind == "document":
        return with_attachments(wish.instruction, [material])
    return f"{wish.instruction}\n\n{material.text.strip()}"

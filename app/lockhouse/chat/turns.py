"""One turn of a conversation: a question is kept, a target answers, the answer is kept.

Hides the order in which things are written, so that at no moment a kill, a crash or a reader
that walks away can lose what was asked or what had come of the answer.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from types import EllipsisType

import msgspec

from lockhouse.answer.directory import TargetDirectory
from lockhouse.answer.target import Target
from lockhouse.chat.autosave import INTERVAL_S, Autosave
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.titles import title_from
from lockhouse.chat.values import Conversation, Message, Provenance, Status
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, LockhouseError, UsageMistake
from lockhouse.core.events import (
    Event,
    Failed,
    Finished,
    Reasoning,
    StartOver,
    Text,
    TextWasReasoning,
)
from lockhouse.core.messages import Image, Role, ToolCall, Turn
from lockhouse.core.request import AnswerRequest

# A target ends within a tenth of a second of being cancelled; this is for one that does not.
_PATIENCE_S = 2.0


class TurnStarted(msgspec.Struct, frozen=True, tag="turn_started"):
    """The question, where there is a new one, and the still empty answer are kept."""

    user: Message | None
    answer: Message


TurnEvent = TurnStarted | Event


class Turns:
    """Asks targets within conversations.

    Every method gives back events: first :class:`TurnStarted`, then those of the target. Nothing
    happens before the first is taken. Closing the iterator, or leaving it, cancels the answer
    and keeps what came.
    """

    def __init__(
        self,
        conversations: Conversations,
        targets: TargetDirectory,
        *,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._conversations = conversations
        self._targets = targets
        self._interval_s = interval_s

    def ask(
        self,
        conversation_id: str,
        text: str,
        *,
        target: str | Target,
        request: AnswerRequest,
        cancel: CancelToken,
        parent_id: str | EllipsisType | None = ...,
        images: Sequence[Image] = (),
        alone: bool = False,
        task: str = "",
    ) -> Iterator[TurnEvent]:
        """Puts a question below ``parent_id``, by default below what is shown, and answers it.

        ``parent_id`` None makes it a first message, beside the one that may be there. ``alone``:
        the target gets this message and nothing else, neither those before it nor the system
        prompt. ``task`` is the word for totals and records.
        """
        if not text.strip() and not images:
            raise UsageMistake("There is nothing to ask: the message is empty.")
        conversation = self._conversations.get(conversation_id)
        chosen = self._target(target, conversation)
        parent = conversation.active_leaf_id if isinstance(parent_id, EllipsisType) else parent_id
        user = self._conversations.add_user(conversation.id, text, parent_id=parent, images=images)
        if not conversation.title:
            title = title_from(user.content) or (images[0].name if images else "")
            self._conversations.rename(conversation.id, title)
        full = msgspec.structs.replace(
            request, turns=self._turns_up_to(user, alone=alone), task=task or request.task
        )
        yield from self._answer(user, None, chosen, full, cancel, asked=user)

    def request_for(
        self,
        conversation_id: str,
        text: str,
        *,
        request: AnswerRequest,
        parent_id: str | EllipsisType | None = ...,
        images: Sequence[Image] = (),
        alone: bool = False,
        task: str = "",
        system: str | None = None,
    ) -> AnswerRequest:
        """What a target would be asked by :meth:`ask` with the same arguments. Keeps nothing.

        An empty ``conversation_id`` stands for one that has not begun. ``system`` stands in for
        the conversation's own system prompt.
        """
        turns: list[Turn] = []
        if not conversation_id and system and system.strip() and not alone:
            turns.append(Turn("system", system))
        if conversation_id and not alone:
            conversation = self._conversations.get(conversation_id)
            system = conversation.system if system is None else system
            above = (
                conversation.active_leaf_id if isinstance(parent_id, EllipsisType) else parent_id
            )
            turns = self._turns_of(conversation.id, above, system=system)
        _add(turns, "user", text, tuple(images))
        return msgspec.structs.replace(request, turns=tuple(turns), task=task or request.task)

    def request_again(
        self, message_id: str, *, request: AnswerRequest, alone: bool = False, task: str = ""
    ) -> AnswerRequest:
        """The same for :meth:`regenerate`."""
        message = self._conversations.message(message_id)
        question = message if message.role == "user" else self._question(message)
        turns = self._turns_up_to(question, alone=alone)
        return msgspec.structs.replace(request, turns=turns, task=task or request.task)

    def regenerate(
        self,
        message_id: str,
        *,
        target: str | Target,
        request: AnswerRequest,
        cancel: CancelToken,
        alone: bool = False,
        task: str = "",
    ) -> Iterator[TurnEvent]:
        """Another version of an answer; of a question, another answer to it.

        ``alone`` and ``task`` as with :meth:`ask`.
        """
        message = self._conversations.message(message_id)
        chosen = self._target(target, self._conversations.get(message.conversation_id))
        question = message if message.role == "user" else self._question(message)
        full = msgspec.structs.replace(
            request, turns=self._turns_up_to(question, alone=alone), task=task or request.task
        )
        yield from self._answer(question, None, chosen, full, cancel)

    def continue_answer(
        self,
        message_id: str,
        *,
        target: str | Target,
        request: AnswerRequest,
        cancel: CancelToken,
    ) -> Iterator[TurnEvent]:
        """A version of an answer that goes on where it ended. The events tell only what is new."""
        message = self._conversations.message(message_id)
        if message.role != "assistant":
            raise UsageMistake("Only an answer can be continued.")
        if message.status == "streaming":
            raise UsageMistake("The answer is still being written.", hint="Stop it first.")
        chosen = self._target(target, self._conversations.get(message.conversation_id))
        # Without a word of the answer itself there is nothing to go on from.
        earlier = message if message.content else None
        question = self._question(message)
        full = msgspec.structs.replace(
            request,
            turns=self._turns_up_to(question),
            prefill=earlier.content if earlier else request.prefill,
        )
        yield from self._answer(question, earlier, chosen, full, cancel)

    # Inside

    def _target(self, target: str | Target, conversation: Conversation) -> Target:
        if isinstance(target, str):
            return self._targets.get(target or conversation.target)
        return target

    def _question(self, answer: Message) -> Message:
        if answer.parent_id is None:
            raise UsageMistake("There is no question before this answer.")
        return self._conversations.message(answer.parent_id)

    def _answer(
        self,
        question: Message,
        earlier: Message | None,
        target: Target,
        request: AnswerRequest,
        cancel: CancelToken,
        *,
        asked: Message | None = None,
    ) -> Generator[TurnEvent, None, None]:
        answer = self._conversations.begin_answer(
            question.conversation_id,
            question.id,
            target=target.info,
            prefill=request.prefill,
            reasoning=earlier.reasoning if earlier else "",
        )
        full = msgspec.structs.replace(request, message_id=answer.id)
        keeper = Autosave(self._conversations, answer.id, interval_s=self._interval_s)
        keeper.start(content=answer.content, reasoning=answer.reasoning)
        writing = _Writing(self._conversations, answer, target, keeper, cancel)
        try:
            yield TurnStarted(asked, answer)
            yield from writing.run(full)
        except GeneratorExit:
            writing.leave("cancelled")
            raise
        finally:
            writing.leave("cut")

    def _turns_up_to(self, question: Message, *, alone: bool = False) -> tuple[Turn, ...]:
        """What the target gets to read."""
        if alone:
            return (Turn(question.role, question.content, images=self._images(question)),)
        system = self._conversations.get(question.conversation_id).system
        return tuple(self._turns_of(question.conversation_id, question.id, system=system))

    def _turns_of(self, conversation_id: str, leaf_id: str | None, *, system: str) -> list[Turn]:
        """The messages down to a leaf. Reasoning of earlier answers is not sent back."""
        turns = [Turn("system", system)] if system.strip() else []
        if leaf_id is not None:
            for message in self._conversations.path(conversation_id, leaf_id):
                _add(turns, message.role, message.content, self._images(message))
        return turns

    def _images(self, message: Message) -> tuple[Image, ...]:
        return self._conversations.images(message.id) if message.pictures else ()


def _add(turns: list[Turn], role: Role, content: str, images: tuple[Image, ...]) -> None:
    """Put a message behind the others.

    Templates insist that the two sides alternate, and a failed answer leaves a gap.
    """
    if not content.strip() and not images:
        return
    if turns and turns[-1].role == role:
        last = turns[-1]
        joined = "\n\n".join(text for text in (last.content, content) if text)
        every = last.images + images
        turns[-1] = Turn(role, joined, images=every, earlier_images=len(last.images))
    else:
        turns.append(Turn(role, content, images=images))


class _Writing:
    """One answer from its first event to the moment when it is kept for good."""

    def __init__(
        self,
        conversations: Conversations,
        answer: Message,
        target: Target,
        keeper: Autosave,
        cancel: CancelToken,
    ) -> None:
        self._conversations = conversations
        self._answer = answer
        self._target = target
        self._keeper = keeper
        self._cancel = cancel
        self._events: Iterator[Event] | None = None
        self._ended = False
        self._tool_calls: list[ToolCall] = []

    def run(self, request: AnswerRequest) -> Generator[Event, None, None]:
        """The target's events. The answer is kept before its last event is handed on."""
        try:
            self._events = self._target.answer(request, self._cancel)
            for event in self._events:
                self._take(event)
                yield event
                if self._ended:
                    return
        except Cancelled:
            self._finish(self._stopped())
        except LockhouseError as error:
            self._cancel.cancel()
            if self._ended:
                raise
            failed = Failed(error.code, error.message, error.hint, error.exit_code)
            self._finish("failed", error=failed)
            yield failed

    def leave(self, status: Status) -> None:
        """Keeps what came of an answer that has not ended by itself."""
        if self._ended:
            return
        self._cancel.cancel()
        try:
            self._drain()
        finally:
            if not self._ended:
                self._finish("cut" if self._cancel.left else status)

    def _stopped(self) -> Status:
        """An answer that nobody stopped was cut off with the program."""
        return "cut" if self._cancel.left else "cancelled"

    def _drain(self) -> None:
        """Waits for the target's own end, which tells how the answer came about."""
        deadline = time.monotonic() + _PATIENCE_S
        if self._events is None:
            return
        try:
            for event in self._events:
                self._take(event)
                if self._ended or time.monotonic() > deadline:
                    return
        except (LockhouseError, Cancelled):
            return  # cancelled already; what came is kept below
        finally:
            if isinstance(self._events, Generator):
                self._events.close()

    def _take(self, event: Event) -> None:
        match event:
            case Text():
                self._keeper.add(content=event.text)
            case Reasoning():
                self._keeper.add(reasoning=event.text)
            case TextWasReasoning():
                self._keeper.text_was_reasoning()
            case StartOver():
                self._keeper.start_over()
                self._tool_calls.clear()
            case ToolCall():
                self._tool_calls.append(event)
            case Finished():
                statuses: dict[str, Status] = {"cancelled": self._stopped(), "error": "failed"}
                status = statuses.get(event.finish_reason, "complete")
                self._finish(status, provenance=Provenance(self._target.info, event))
            case Failed():
                self._finish("failed", error=event)
            case _:
                pass

    def _finish(
        self,
        status: Status,
        *,
        provenance: Provenance | None = None,
        error: Failed | None = None,
    ) -> None:
        self._keeper.stop()
        self._ended = True
        self._conversations.finish_answer(
            self._answer.id,
            content=self._keeper.content,
            reasoning=self._keeper.reasoning,
            status=status,
            provenance=provenance,
            error=error,
            tool_calls=self._tool_calls,
        )

"""One turn of a conversation: a question is kept, a target answers, the answer is kept.

Hides the order in which things are written, so that at no moment a kill, a crash or a reader
that walks away can lose what was asked or what had come of the answer. Who may answer, and how,
is the session's business (:mod:`lockhouse.answer.session`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from types import EllipsisType
from typing import TYPE_CHECKING

import msgspec

from lockhouse.answer.permission import Confirm, Proposal, refuse_unconfirmed
from lockhouse.answer.request import Question, add_turn, build_request
from lockhouse.answer.session import AnsweredBy, Answers, Session, SessionEvent
from lockhouse.answer.target import Target, TargetInfo
from lockhouse.chat.autosave import INTERVAL_S, Autosave, patiently
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.text_attachments import with_attachments
from lockhouse.chat.titles import title_from
from lockhouse.chat.values import Conversation, Message, Provenance, Status
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, LockhouseError, UsageMistake
from lockhouse.core.events import (
    Failed,
    Finished,
    Reasoning,
    StartOver,
    Text,
    TextWasReasoning,
    failed_of,
)
from lockhouse.core.labels import LABELS, Label, highest
from lockhouse.core.messages import File, Image, ToolCall, Turn
from lockhouse.core.request import AnswerRequest

if TYPE_CHECKING:
    from lockhouse.storage.settings import Settings

# A target ends within a tenth of a second of being cancelled; this is for one that does not.
_PATIENCE_S = 2.0


class NewChat(msgspec.Struct, frozen=True):
    """A conversation that begins with a question. It is stored once asking is permitted."""

    target: str = ""  # kept with it; "" is the default
    system: str = ""
    parameters: dict[str, object] = {}
    label: str = ""


class Changes(msgspec.Struct, frozen=True):
    """What a conversation becomes with a question. None: it stays. A label is only raised."""

    target: str | None = None
    system: str | None = None
    label: str | None = None


class TurnStarted(msgspec.Struct, frozen=True, tag="turn_started"):
    """The question, where there is a new one, and the still empty answer are kept."""

    conversation: Conversation
    user: Message | None
    answer: Message


TurnEvent = TurnStarted | SessionEvent


class Turns:
    """Asks targets within conversations."""

    def __init__(
        self,
        conversations: Conversations,
        answers: Answers,
        settings: Callable[[], Settings],
        *,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._conversations = conversations
        self._answers = answers
        self._settings = settings
        self._interval_s = interval_s

    def ask(
        self,
        chat: str | NewChat,
        question: Question,
        *,
        target: str | Target = "",
        changes: Changes | None = None,
        confirm: Confirm = refuse_unconfirmed,
        cancel: CancelToken,
        by: str = "window",
    ) -> Iterator[TurnEvent]:
        """Has a question answered and keeps both.

        ``target`` is the conversation's own by default. Nothing happens before the first event
        is taken, and nothing is kept before asking is permitted: until then whatever stands in
        the way is raised. Then come :class:`TurnStarted` and the events of the answer. Closing
        the iterator, or leaving it, cancels the answer and keeps what came.
        """
        changes = changes or Changes()
        self._check(question)
        session = self._answers.open(
            question,
            [self._target(chat, target, changes)],
            lambda asked: self.draft(chat, asked, changes),
            confirm=confirm,
            cancel=cancel,
            by=by,
        )
        conversation = self._begun(chat, changes)
        asked, above = self._kept_question(conversation, session.question)
        yield from self._answer(conversation, asked, above, session)

    def propose(
        self,
        chat: str | NewChat,
        question: Question,
        *,
        target: str | Target = "",
        changes: Changes | None = None,
    ) -> Proposal:
        """What :meth:`ask` would do now. Nothing is kept, asked or sent."""
        changes = changes or Changes()
        self._check(question)
        return self._answers.propose(
            question,
            self._target(chat, target, changes),
            lambda asked: self.draft(chat, asked, changes),
        )

    def draft(
        self, chat: str | NewChat, question: Question, changes: Changes | None = None
    ) -> AnswerRequest:
        """What a target would be asked. Keeps nothing."""
        changes = changes or Changes()
        state = chat if isinstance(chat, NewChat) else self._conversations.get(chat)
        system = state.system if changes.system is None else changes.system
        request = build_request(
            self._settings(),
            parameters=state.parameters,
            choices=question.choices,
            label=_label(state.label, changes.label),
        )
        earlier = self._continued(question)
        turns: list[Turn] = []
        if not question.alone:
            if system.strip():
                turns.append(Turn("system", system))
            if isinstance(state, Conversation):
                self._add_path(turns, state, self._above(state, question))
        if self._is_new(question):
            text = with_attachments(question.text, self._files_of(question))
            add_turn(turns, "user", text, self._images_of(question))
        else:
            self._add(turns, self._asked(question), None)
        return msgspec.structs.replace(
            request,
            turns=tuple(turns),
            task=question.task,
            prefill=earlier.content if earlier else "",
            safer=question.safer,
        )

    # -- what is asked ----------------------------------------------------------------------

    def _check(self, question: Question) -> None:
        if self._is_new(question) and not question.text.strip() and not self._images_of(question):
            raise UsageMistake("There is nothing to ask: the message is empty.")
        if not question.continues:
            return
        message = self._conversations.message(question.continues)
        if message.role != "assistant":
            raise UsageMistake("Only an answer can be continued.")
        if message.status == "streaming":
            raise UsageMistake("The answer is still being written.", hint="Stop it first.")

    def _is_new(self, question: Question) -> bool:
        return not question.again and not question.continues

    def _target(self, chat: str | NewChat, target: str | Target, changes: Changes) -> str | Target:
        if not isinstance(target, str) or target:
            return target
        if changes.target is not None:
            return changes.target
        return self._conversations.get(chat).target if isinstance(chat, str) else chat.target

    def _continued(self, question: Question) -> Message | None:
        """The answer that goes on. Without a word of it there is nothing to go on from."""
        if not question.continues:
            return None
        message = self._conversations.message(question.continues)
        return message if message.content else None

    def _asked(self, question: Question) -> Message:
        """The message that an answer is given to once more."""
        message = self._conversations.message(question.again or question.continues)
        if message.role == "user":
            return message
        if message.parent_id is None:
            raise UsageMistake("There is no question before this answer.")
        return self._conversations.message(message.parent_id)

    def _above(self, conversation: Conversation, question: Question) -> str | None:
        """The last message that goes along before the question itself."""
        if not self._is_new(question):
            return self._asked(question).parent_id
        if isinstance(question.parent_id, EllipsisType):
            return conversation.active_leaf_id
        return question.parent_id

    def _add_path(self, turns: list[Turn], conversation: Conversation, leaf_id: str | None) -> None:
        """The messages down to a leaf. Reasoning of earlier answers is not sent back."""
        if leaf_id is None:
            return
        path = self._conversations.path(conversation.id, leaf_id)
        for message, following in zip(path, [*path[1:], None], strict=True):
            self._add(turns, message, following)

    def _add(self, turns: list[Turn], message: Message, following: Message | None) -> None:
        """One kept message. Calls that no tool answered are left out: no target takes them."""
        if message.role == "tool":
            turns += [
                Turn("tool", result.content, tool_call_id=result.call_id)
                for result in message.results
            ]
        elif message.tool_calls and following is not None and following.role == "tool":
            turns.append(Turn("assistant", message.content, tool_calls=message.tool_calls))
        else:
            text = with_attachments(message.content, message.files)
            add_turn(turns, message.role, text, self._images(message))

    def _images_of(self, question: Question) -> tuple[Image, ...]:
        """The pictures of a question; another version of a message keeps its own."""
        if question.edits:
            return self._conversations.images(question.edits)
        return question.images

    def _files_of(self, question: Question) -> tuple[File, ...]:
        """The files of a question, likewise."""
        if question.edits:
            return self._conversations.message(question.edits).files
        return question.files

    def _images(self, message: Message) -> tuple[Image, ...]:
        return self._conversations.images(message.id) if message.pictures else ()

    # -- what is kept -----------------------------------------------------------------------

    def _begun(self, chat: str | NewChat, changes: Changes) -> Conversation:
        """The conversation as it is from this question on."""
        kept = self._conversations
        if isinstance(chat, NewChat):
            chat = kept.create(
                target=chat.target,
                system=chat.system,
                parameters=chat.parameters,
                label=chat.label,
            ).id
        if changes.target is not None:
            kept.set_target(chat, changes.target)
        if changes.system is not None:
            kept.set_system(chat, changes.system)
        if changes.label is not None:
            label = _label(kept.get(chat).label, changes.label)
            kept.set_label(chat, label)
        return kept.get(chat)

    def _kept_question(
        self, conversation: Conversation, question: Question
    ) -> tuple[Message | None, Message]:
        """The new message, where there is one, and the one that is answered."""
        if not self._is_new(question):
            return None, self._asked(question)
        images = self._images_of(question)
        user = self._conversations.add_user(
            conversation.id,
            question.text,
            parent_id=self._above(conversation, question),
            images=images,
            parts=self._files_of(question),
        )
        if not conversation.title:
            title = title_from(user.content) or (images[0].name if images else "")
            self._conversations.rename(conversation.id, title)
        return user, user

    def _answer(
        self,
        conversation: Conversation,
        asked: Message | None,
        above: Message,
        session: Session,
    ) -> Generator[TurnEvent, None, None]:
        earlier = self._continued(session.question)
        answer = self._conversations.begin_answer(
            above.conversation_id,
            above.id,
            target=session.first.info,
            prefill=earlier.content if earlier else "",
            reasoning=earlier.reasoning if earlier else "",
        )
        autosave = Autosave(self._conversations, answer.id, interval_s=self._interval_s)
        autosave.start(content=answer.content, reasoning=answer.reasoning)
        writing = _Writing(
            self._conversations,
            answer,
            session,
            autosave,
            begins_edited=earlier is not None and earlier.begins_edited,
        )
        try:
            begun = self._conversations.get(conversation.id)
            yield TurnStarted(begun, asked, answer)
            yield from writing.run()
        except GeneratorExit:
            writing.leave("cancelled")
            raise
        finally:
            writing.leave("cut")


class _Writing:
    """One answer from its first event to the moment when it is kept for good."""

    def __init__(
        self,
        conversations: Conversations,
        answer: Message,
        session: Session,
        autosave: Autosave,
        *,
        begins_edited: bool,
    ) -> None:
        self._conversations = conversations
        self._answer = answer
        self._session = session
        self._autosave = autosave
        self._begins_edited = begins_edited
        self._cancel = session.cancel
        self._target: TargetInfo = session.first.info
        self._events: Generator[SessionEvent, None, None] | None = None
        self._ended = False
        self._tool_calls: list[ToolCall] = []

    def run(self) -> Generator[SessionEvent, None, None]:
        """The session's events. The answer is kept before its last event is handed on."""
        try:
            self._events = self._session.answer(message_id=self._answer.id)
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
            failed = failed_of(error)
            self._finish("failed", error=failed)
            yield failed

    def leave(self, status: Status) -> None:
        """Keeps what came of an answer that has not ended by itself."""
        if self._ended:
            self._close_events()
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
            self._close_events()

    def _close_events(self) -> None:
        """Ends the target's own work: it may have something to do after its last event."""
        if self._events is not None:
            self._events.close()

    def _take(self, event: SessionEvent) -> None:
        match event:
            case Text():
                self._autosave.add(content=event.text)
            case Reasoning():
                self._autosave.add(reasoning=event.text)
            case TextWasReasoning():
                self._autosave.text_was_reasoning()
            case StartOver():
                self._autosave.start_over()
                self._tool_calls.clear()
            case ToolCall():
                self._tool_calls.append(event)
            case AnsweredBy():
                self._target = event.target
            case Finished():
                statuses: dict[str, Status] = {"cancelled": self._stopped(), "error": "failed"}
                status = statuses.get(event.finish_reason, "complete")
                told = msgspec.structs.replace(event, begins_edited=self._begins_edited)
                self._finish(status, provenance=Provenance(self._target, told))
            case Failed():
                ended = event.finished
                provenance = Provenance(self._target, ended) if ended is not None else None
                error = msgspec.structs.replace(event, finished=None)
                self._finish("failed", provenance=provenance, error=error)
            case _:
                pass

    def _finish(
        self,
        status: Status,
        *,
        provenance: Provenance | None = None,
        error: Failed | None = None,
    ) -> None:
        self._autosave.stop()
        self._ended = True
        patiently(
            lambda: self._conversations.finish_answer(
                self._answer.id,
                content=self._autosave.content,
                reasoning=self._autosave.reasoning,
                status=status,
                provenance=provenance,
                error=error,
                parts=self._tool_calls,
            )
        )


def _label(kept: str, asked: str | None) -> Label:
    """The higher of two labels; no label is public, and an unknown one the highest."""
    return highest(label if label in LABELS else "confidential" for label in (kept, asked) if label)

"""The messages of the open chat as the transcript shows them.

Versions, branches and streamed text arrive as "this is the path now" or "this text was added";
the view is told only what changed, so that reading, selecting and scrolling are not disturbed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lockhouse.chat.conversations import Message
from lockhouse.chat.text_attachments import Attachment, attached
from lockhouse.chat.turns import TurnStarted
from lockhouse.core.errors import EngineCrashed
from lockhouse.core.events import Cost, Finished
from lockhouse.ui import formatting
from lockhouse.ui.chat.runs import Runs
from lockhouse.ui.chat.values import AnswerEnded, AnswerGrew, RunState
from lockhouse.ui.outbound.values import WAY_WORDS
from lockhouse.ui.outbound.words import badge_words, leaves
from lockhouse.ui.transcript import TranscriptView
from lockhouse.ui.transcript.header import IMPORTED, NOTHING_SENT
from lockhouse.ui.transcript.values import AttachedFile, ShownPicture, TranscriptMessage

# "Store one: lockhouse keys set mistral": the sentence that ends in a command, to the end.
_COMMAND = re.compile(r"[^.]*: `?lockhouse [^\n]*$")


def _fingerprint(message: Message) -> tuple[object, ...]:
    """Changes when the message changes; cheap, because there may be ten thousand of them."""
    return (
        message.status,
        message.version_index,
        message.version_count,
        len(message.content),
        len(message.reasoning),
        message.provenance is None,
    )


class TranscriptModel:
    """Keeps the transcript equal to the active path of the open chat."""

    def __init__(self, view: TranscriptView, runs: Runs) -> None:
        self._view = view
        self._runs = runs
        self._messages: list[Message] = []
        self._shown: list[TranscriptMessage] = []
        self._streaming = ""
        self._retry_at: dict[str, datetime] = {}

    @property
    def messages(self) -> tuple[Message, ...]:
        """What is on the page, first to last."""
        return tuple(self._messages)

    def message(self, message_id: str) -> Message | None:
        """One of them."""
        return next((one for one in self._messages if one.id == message_id), None)

    @property
    def newest(self) -> Message | None:
        """The latest message, whoever wrote it."""
        return self._messages[-1] if self._messages else None

    def last(self, role: str) -> Message | None:
        """The latest message of a role."""
        return next((one for one in reversed(self._messages) if one.role == role), None)

    def open(self, chat: str, messages: Sequence[Message]) -> None:
        """Another conversation."""
        self._streaming = ""
        self._messages = list(messages)
        self._shown = [self._as_shown(message) for message in messages]
        self._view.set_messages(self._shown)
        self._join(chat)

    def sync(self, chat: str, messages: Sequence[Message]) -> None:
        """The same conversation, as it is stored now."""
        same = 0
        for old, new in zip(self._messages, messages, strict=False):
            if old.id != new.id:
                break
            same += 1
        if same == 0:
            self.open(chat, messages)
            return
        self._cut(same)
        for number, new in enumerate(messages[:same]):
            if _fingerprint(self._messages[number]) != _fingerprint(new):
                self._replace(number, new)
        for new in messages[same:]:
            shown = self._as_shown(new)
            self._view.append_message(shown)
            self._messages.append(new)
            self._shown.append(shown)
        if self._streaming and self.message(self._streaming) is None:
            self._streaming = ""
        self._join(chat)

    def update(self, message: Message) -> None:
        """One message, as it is stored now."""
        for number in range(len(self._messages) - 1, -1, -1):
            if self._messages[number].id == message.id:
                self._replace(number, message)
                return

    def _replace(self, number: int, message: Message) -> None:
        shown = self._as_shown(message)
        if message.id == self._streaming:
            if message.status == "streaming":
                return  # what is shown is newer than what is stored
            self._streaming = ""
            self._view.end_stream(shown)
        elif shown != self._shown[number]:
            self._view.update_message(shown)
        self._messages[number], self._shown[number] = message, shown

    def start(self, started: TurnStarted) -> None:
        """A question and its answer begin in the open conversation."""
        answer = to_transcript(started.answer)
        parent = started.answer.parent_id
        places = [number for number, one in enumerate(self._messages) if one.id == parent]
        if started.user is None and places:
            self._cut(places[0] + 1)
        elif started.user is not None:
            above = started.user.parent_id
            places = [number for number, one in enumerate(self._messages) if one.id == above]
            self._cut(places[0] + 1 if places else 0)
            question = to_transcript(started.user)
            self._view.append_message(question)
            self._messages.append(started.user)
            self._shown.append(question)
        self._messages.append(started.answer)
        self._shown.append(answer)
        self._streaming = answer.id
        self._view.begin_stream(answer)

    def grow(self, grew: AnswerGrew) -> None:
        """Add text to the answer."""
        if grew.message_id == self._streaming:
            if grew.from_start:
                answer = next(one for one in self._shown if one.id == grew.message_id)
                self._view.restart_stream(
                    replace(answer, text="", reasoning="", remark=grew.remark)
                )
            self._view.feed(grew.message_id, text=grew.text, reasoning=grew.reasoning)

    def progress(self, run: RunState) -> None:
        """Loading or reading."""
        if run.message_id != self._streaming or not self._streaming:
            return
        if run.told:
            self._view.set_progress(run.message_id, "waiting", 0, 0, run.told)
        elif run.phase == "loading":
            self._view.set_progress(run.message_id, "loading", run.done, run.total)
        elif run.phase == "reading":
            self._view.set_progress(run.message_id, "prompt", run.done, run.total)

    def offer_selection(self, *, offered: bool) -> None:
        """Whether a remote model can be asked about a selection."""
        self._view.offers_selection = offered

    def note_end(self, ended: AnswerEnded) -> None:
        """An answer failed: when to try again is counted from now."""
        if ended.failed is not None and ended.failed.retry_after_s > 0:
            wait = timedelta(seconds=ended.failed.retry_after_s)
            self._retry_at[ended.message_id] = datetime.now(UTC) + wait

    def _as_shown(self, message: Message) -> TranscriptMessage:
        return to_transcript(message, retry_at=self._retry_at.get(message.id))

    def _cut(self, keep: int) -> None:
        if keep >= len(self._shown):
            return
        if keep == 0:
            self._view.set_messages([])
        else:
            self._view.truncate_after(self._shown[keep - 1].id)
        del self._messages[keep:]
        del self._shown[keep:]

    def _join(self, chat: str) -> None:
        """Show the text so far of an answer that is being written in this chat."""
        message_id, text, reasoning = self._runs.so_far(chat)
        if not message_id or message_id == self._streaming:
            return
        for shown in self._shown:
            if shown.id == message_id and shown.status == "streaming":
                self._streaming = message_id
                bare = replace(shown, text="", reasoning="", stats=())
                self._view.begin_stream(bare)
                self._view.feed(message_id, text=text, reasoning=reasoning)


def files_of(message: Message) -> tuple[Attachment, ...]:
    """The files in front of a question, and those that are kept beside a message."""
    files = attached(message.content)[0] if message.role == "user" else ()
    return (*files, *(Attachment(file.name, file.text) for file in message.files))


def to_transcript(
    message: Message, *, retry_at: datetime | None = None, remark: str = ""
) -> TranscriptMessage:
    """A stored message as the transcript shows it."""
    info = message.provenance.target if message.provenance else message.target
    finished = message.provenance.finished if message.provenance else None
    error = message.error
    crashed = error is not None and error.exit_code == EngineCrashed.exit_code
    name = (info.title or info.name) if info else ""
    start = attached(message.content)[1] if message.role == "user" else 0
    return TranscriptMessage(
        id=message.id,
        role="system" if message.role == "tool" else message.role,
        text=message.content,
        reasoning=message.reasoning,
        status=message.status,
        header_name=name if message.role == "assistant" else "",
        header_detail=info.detail if info else "",
        badge=_badge(message),
        version_index=message.version_index + 1,
        version_count=message.version_count,
        stats=stats(finished) if finished else (),
        error_message=error.message if error else "",
        error_hint=without_commands(error.hint) if error else "",
        created_at=message.created_at,
        retry_safer=crashed,
        limit=_limit(message),
        files=tuple(
            AttachedFile(file.name, formatting.size(file.size_bytes), file.text)
            for file in files_of(message)
        ),
        words_from=start,
        pictures=tuple(
            ShownPicture(one.sha256, one.name, formatting.size(one.size_bytes))
            for one in message.pictures
        ),
        leaves=_left(message) and _was_sent(message),
        is_served=info is not None and info.kind != "local" and _was_sent(message),
        ways=_ways(message),
        retry_at=retry_at,
        remark=remark,
    )


# What can be done about an error of a provider, besides asking a model of this machine.
_WAYS: dict[str, tuple[tuple[str, str], ...]] = {
    "key_missing": (("key", WAY_WORDS["key"]),),
    "unauthorized": (("key", WAY_WORDS["key"]), ("regenerate", "Try again")),
    "keyring_locked": (("regenerate", "Try again"),),
    "sealed": (("network", WAY_WORDS["network"]),),
    "cut_off": (("network", WAY_WORDS["network"]),),
    "host_not_allowed": (("network", WAY_WORDS["network"]),),
    "consent_needed": (("regenerate", "Review and send…"),),
    "budget": (("limits", WAY_WORDS["limits"]),),
    "context_too_long": (("ask_alone", "Send only this question…"),),
    "model_not_found": (("choose_target", "Choose another model…"),),
    "no_vision": (("choose_target", "Choose another model…"),),
}
_AGAIN = (("regenerate", "Try again"),)
_NEVER_LEFT = (
    "key_missing",
    "keyring_locked",
    "sealed",
    "host_not_allowed",
    "consent_needed",
    "budget",
    "no_vision",
    "no_tools",
    "unknown_provider",
    "unknown_model",
)


def _was_sent(message: Message) -> bool:
    """Whether anything was sent for this answer."""
    refused = message.error is not None and message.error.code in _NEVER_LEFT
    return message.role == "assistant" and not refused


def _ways(message: Message) -> tuple[tuple[str, str], ...]:
    """What can be done about a failed answer of a remote target; nothing for others."""
    error, info = message.error, message.target
    if error is None or info is None or info.kind == "local" or message.status != "failed":
        return ()
    ways = _WAYS.get(error.code, _AGAIN)
    if message.content and error.code not in _WAYS and error.code != "content_refused":
        ways = (("continue", "Continue"), *ways)
    return (*ways, ("ask_local", "Use a local model instead"))


def without_commands(hint: str) -> str:
    """What to do, without commands for a terminal: the window has buttons for them."""
    return _COMMAND.sub("", hint).strip()


def _limit(message: Message) -> str:
    finished = message.provenance.finished if message.provenance else None
    if message.status != "complete" or finished is None or finished.finish_reason != "length":
        return ""
    used = finished.usage.prompt_tokens + finished.usage.completion_tokens
    if finished.context_length and used >= finished.context_length:
        return "The answer ends here because the context is full."
    counted = formatting.counted(finished.usage.completion_tokens, "token")
    return f"The answer ends here because it reached its limit of {counted}."


def _left(message: Message) -> bool:
    """Whether the words came from beyond this machine, as far as that is known."""
    info = message.provenance.target if message.provenance else message.target
    if info is None or message.is_imported:
        return info is not None and info.leaves_machine
    return leaves(info)


def _badge(message: Message) -> str:
    if message.role != "assistant":
        return ""
    info = message.provenance.target if message.provenance else message.target
    if info is None:
        return "Edited by you" if message.version_count > 1 else IMPORTED
    if info.kind == "local":
        return "Local · edited by you" if message.begins_edited else "Local"
    if message.is_imported:
        return IMPORTED
    if not _was_sent(message):
        return NOTHING_SENT
    finished = message.provenance.finished if message.provenance else None
    badge = badge_words(info, (finished.host if finished else "") or info.host)
    return f"{badge} · edited by you" if message.begins_edited else badge


def stats(finished: Finished) -> tuple[str, ...]:
    """The short figures under an answer."""
    parts = [formatting.counted(finished.usage.completion_tokens, "token")]
    if finished.timing.first_token_s > 0:
        parts.append(f"first token {formatting.seconds(finished.timing.first_token_s)}")
    if finished.timing.tokens_per_s > 0:
        parts.append(formatting.speed(finished.timing.tokens_per_s))
    if finished.cost is not None:
        parts.append(cost_of(finished.cost))
    elif finished.energy_j is not None and not finished.host:
        parts.append(formatting.joules(finished.energy_j))
    return tuple(parts)


def cost_of(cost: Cost) -> str:
    """$0.0021, or about $0.0021 where it is an estimate."""
    told = formatting.money(cost.amount, cost.currency)
    return f"about {told}" if cost.is_estimate else told

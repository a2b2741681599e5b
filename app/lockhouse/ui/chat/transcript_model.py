"""Keeps the transcript equal to the conversation's path, with as few changes as possible.

Hides the difference between what is stored and what is shown: versions, branches and streamed
text all arrive as "this is the path now" or "this piece came", and the view is told only what
changed, so that reading, selecting and scrolling are not disturbed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lockhouse.chat.conversations import Message
from lockhouse.ui.chat.provenance import to_transcript
from lockhouse.ui.chat.runs import Runs
from lockhouse.ui.chat.values import AnswerEnded, AnswerGrew, AnswerStarted, RunState
from lockhouse.ui.transcript import TranscriptView
from lockhouse.ui.transcript.values import TranscriptMessage


def _mark(message: Message) -> tuple[object, ...]:
    """Differs when the message differs; cheap, because there may be ten thousand of them."""
    return (
        message.status,
        message.version_index,
        message.version_count,
        len(message.content),
        len(message.reasoning),
        message.provenance is None,
    )


class TranscriptModel:
    """The open conversation's messages, as shown."""

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

    def open(self, conversation_id: str, messages: Sequence[Message]) -> None:
        """Another conversation."""
        self._streaming = ""
        self._messages = list(messages)
        self._shown = [self._as_shown(message) for message in messages]
        self._view.set_messages(self._shown)
        self._join(conversation_id)

    def sync(self, conversation_id: str, messages: Sequence[Message]) -> None:
        """The same conversation, as it is stored now."""
        same = 0
        for old, new in zip(self._messages, messages, strict=False):
            if old.id != new.id:
                break
            same += 1
        if same == 0:
            self.open(conversation_id, messages)
            return
        self._cut(same)
        for number, new in enumerate(messages[:same]):
            if _mark(self._messages[number]) != _mark(new):
                self._replace(number, new)
        for new in messages[same:]:
            shown = self._as_shown(new)
            self._view.append_message(shown)
            self._messages.append(new)
            self._shown.append(shown)
        if self._streaming and self.message(self._streaming) is None:
            self._streaming = ""
        self._join(conversation_id)

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

    def start(self, started: AnswerStarted) -> None:
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
        """A piece of the answer."""
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
        """Whether a selection can be asked about elsewhere."""
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

    def _join(self, conversation_id: str) -> None:
        """Take up an answer that runs in this conversation already."""
        message_id, text, reasoning = self._runs.so_far(conversation_id)
        if not message_id or message_id == self._streaming:
            return
        for shown in self._shown:
            if shown.id == message_id and shown.status == "streaming":
                self._streaming = message_id
                bare = TranscriptMessage(
                    id=shown.id,
                    role=shown.role,
                    status="streaming",
                    header_name=shown.header_name,
                    header_detail=shown.header_detail,
                    badge=shown.badge,
                    leaves=shown.leaves,
                    version_index=shown.version_index,
                    version_count=shown.version_count,
                    created_at=shown.created_at,
                )
                self._view.begin_stream(bare)
                self._view.feed(message_id, text=text, reasoning=reasoning)

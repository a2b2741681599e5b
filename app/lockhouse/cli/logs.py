"""``lockhouse logs``: the last questions, who answered, and what was sent for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import msgspec

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json
from lockhouse.cli.options import WholeNumber

if TYPE_CHECKING:
    from lockhouse.chat.conversations import Conversation, Conversations, Message
    from lockhouse.gate.sent_requests import SentRequest

_STATUS_WORDS = {"cut": "cut off", "cancelled": "stopped", "failed": "failed"}


class Entry(msgspec.Struct, frozen=True):
    """One answer with its question, and the requests that were sent for it."""

    conversation: Conversation
    question: Message | None
    answer: Message
    sent: tuple[SentRequest, ...]

    @property
    def target(self) -> str:
        """Who answered."""
        return self.answer.target.name if self.answer.target is not None else ""


@click.command()
@click.option("-n", "--count", type=WholeNumber(1, 100_000), metavar="N", default=3,
              show_default=True, help="How many.")  # fmt: skip
@as_json
def logs(cli: CliContext, count: int) -> None:
    """Show the last questions and answers, the newest last, with the exact requests sent for them.

    Answers that were not kept (--no-save) are not among them.
    """
    from lockhouse.gate.sent_requests import Sent

    with cli.conversations() as conversations:
        sent = Sent(conversations.database)
        entries = [
            Entry(chat, question, answer, tuple(sent.of_message(answer.id)))
            for chat, question, answer in _last(conversations, count)
        ]
    if output.wrote_json([_described(entry) for entry in entries]):
        return
    if not entries:
        output.note('There is no answer yet. Try: lockhouse ask "Hello"')
    for entry in entries:
        _write(entry)


def _last(
    conversations: Conversations, count: int
) -> list[tuple[Conversation, Message | None, Message]]:
    """The newest answers, oldest first; a conversation is never newer than its change."""
    found: list[tuple[Conversation, Message | None, Message]] = []
    for chat in sorted(conversations.list(), key=lambda one: one.updated_at, reverse=True):
        if len(found) >= count and found[-count][2].created_at > chat.updated_at:
            break
        found += _answers(conversations, chat)
        found.sort(key=lambda each: each[2].created_at)
    return found[-count:]


def _answers(
    conversations: Conversations, chat: Conversation
) -> Iterator[tuple[Conversation, Message | None, Message]]:
    messages = {message.id: message for message in conversations.messages(chat.id)}
    for message in messages.values():
        if message.role == "assistant":
            yield chat, messages.get(message.parent_id or ""), message


def _described(entry: Entry) -> dict[str, object]:
    answer = entry.answer
    return {
        "conversation_id": entry.conversation.id,
        "title": entry.conversation.title,
        "message_id": answer.id,
        "created_at": answer.created_at,
        "question": entry.question.content if entry.question else "",
        "target": answer.target,
        "status": answer.status,
        "answer": answer.content,
        "reasoning": answer.reasoning or None,
        "error": answer.error,
        "finished": answer.provenance.finished if answer.provenance else None,
        "sent": [
            {**output.plain(each), "body": _body(each) if each.body is not None else None}
            for each in entry.sent
        ],
    }


def _body(sent: SentRequest) -> str:
    return (sent.body or b"").decode(errors="replace")


def _write(entry: Entry) -> None:
    answer = entry.answer
    how = _STATUS_WORDS.get(answer.status, "")
    parts = [output.when(answer.created_at), entry.target, how, f"chat {entry.conversation.id}"]
    output.write_line(output.Styled("  ".join(part for part in parts if part), "dim"))
    if entry.question is not None:
        output.write_line(output.Styled("> ", "bold"), entry.question.content)
    output.write_line(answer.content)
    if answer.error is not None:
        output.write_line(f"({answer.error.message})")
    for each in entry.sent:
        size = f"{each.size_bytes:,} bytes, sha256 {each.sha256[:12]}"
        output.write_line(output.Styled(f"sent to {each.host}: {size}, {each.outcome}", "dim"))
        if each.body is not None:
            output.write_line(output.Styled(_body(each), "dim"))
    output.write_line()

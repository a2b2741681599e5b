"""``lockhouse chats``: the conversations of this home, to list, read, find, move and remove."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door
from lockhouse.cli.options import WholeNumber, require_text
from lockhouse.core.errors import InvalidInput, NotFound, UsageMistake

if TYPE_CHECKING:
    from lockhouse.chat.conversations import Conversation, Conversations, Message

_STATUS_WORDS = {"cut": "cut off", "cancelled": "stopped", "failed": "failed"}


@click.group(short_help="List, search, export and import conversations.")
def chats() -> None:
    """The conversations of this home."""


@chats.command("list")
@click.option("--deleted", is_flag=True, help="Show those that can be restored instead.")
@as_json
@pass_door
def list_chats(door: CliContext, *, deleted: bool, is_json: bool) -> None:
    """List conversations, pinned ones first, then the newest."""
    with door.conversations() as conversations:
        found = [
            conversation
            for conversation in conversations.list(include_deleted=deleted)
            if conversation.deleted == deleted
        ]
    if is_json:
        output.write_json(found)
        return
    if not found:
        output.note("There are none." if deleted else "There are no conversations yet.")
        return
    output.write_table(
        ("ID", "CHANGED", "MESSAGES", "TITLE"),
        [
            (chat.id, output.when(chat.updated_at), chat.message_count, _title(chat))
            for chat in found
        ],
    )


@chats.command()
@click.argument("chat_id", metavar="ID")
@click.option("--all", "is_whole", is_flag=True, help="Every version, not only the active one.")
@as_json
@pass_door
def show(door: CliContext, chat_id: str, *, is_whole: bool, is_json: bool) -> None:
    """Show a conversation. ID may be shortened as long as it is unique."""
    with door.conversations() as conversations:
        conversation = conversations.get(chat_id)
        messages = (
            conversations.messages(conversation.id)
            if is_whole
            else conversations.path(conversation.id)
        )
    if is_json:
        output.write_json({**output.plain(conversation), "messages": output.plain(messages)})
        return
    output.write_line(f"{_title(conversation)}  ({conversation.id})")
    if conversation.system:
        output.write_line(f"\nsystem:\n{conversation.system}")
    for message in messages:
        output.write_line(f"\n{_heading(message)}:\n{_said(message)}")


@chats.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=WholeNumber(1, 10_000), metavar="N", default=50, show_default=True)
@as_json
@pass_door
def search(door: CliContext, words: tuple[str, ...], *, limit: int, is_json: bool) -> None:
    """Find messages and titles with all of WORDS."""
    wanted = require_text(" ".join(words), "The search")
    with door.conversations() as conversations:
        hits = conversations.search(wanted, limit=limit)
    if is_json:
        marked = [
            {**output.plain(hit), "snippet": _unmarked(hit.snippet), "marked": hit.snippet}
            for hit in hits
        ]
        output.write_json(marked)
        return
    if not hits:
        output.note("Nothing was found.")
    for hit in hits:
        heading = f"{hit.conversation_id}  {output.when(hit.created_at)}  {hit.title}"
        output.write_line(output.dim(heading, sys.stdout))
        output.write_line(f"  {hit.role}: {_highlighted(hit.snippet)}")


@chats.command()
@click.argument("chat_id", metavar="ID")
@click.option(
    "--format", "fmt", type=click.Choice(["md", "json", "jsonl", "html"]), default="md",
    show_default=True, help="json holds every version; the others the active one.",
)  # fmt: skip
@click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE", help="Write to FILE instead of standard output.",
)  # fmt: skip
@pass_door
def export(
    door: CliContext, chat_id: str, fmt: Literal["md", "json", "jsonl", "html"], file: Path | None
) -> None:
    """Write a conversation in an open format."""
    from lockhouse.chat import import_export

    with door.conversations() as conversations:
        conversation = conversations.get(chat_id)
        text = import_export.export(conversations, conversation.id, fmt)
    if file is None:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.") from error
    output.note(f"Written to {file}")


@chats.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@pass_door
def import_chats(door: CliContext, file: Path, *, is_json: bool) -> None:
    """Import conversations: our own JSON, or a ChatGPT or Open WebUI export."""
    from lockhouse.chat import import_export

    with door.conversations() as conversations:
        report = import_export.import_file(conversations, file)
    if is_json:
        output.write_json(report)
        return
    output.write_line(f"{report.conversations} conversations, {report.messages} messages")
    for reason in report.skipped:
        output.note(f"skipped: {reason}")


@chats.command()
@click.argument("chat_ids", metavar="ID...", nargs=-1, required=True)
@as_json
@pass_door
def delete(door: CliContext, chat_ids: tuple[str, ...], *, is_json: bool) -> None:
    """Delete conversations. ``chats restore`` brings them back."""
    with door.conversations() as conversations:
        ids = [conversations.get(chat_id).id for chat_id in chat_ids]
        conversations.delete(ids)
    if is_json:
        output.write_json({"deleted": ids})
    else:
        output.note(f"Deleted. To undo: lockhouse chats restore {' '.join(ids)}")


@chats.command()
@click.argument("chat_ids", metavar="ID...", nargs=-1, required=True)
@as_json
@pass_door
def restore(door: CliContext, chat_ids: tuple[str, ...], *, is_json: bool) -> None:
    """Bring deleted conversations back as they were."""
    with door.conversations() as conversations:
        ids = [_deleted(conversations, chat_id).id for chat_id in chat_ids]
        conversations.restore(ids)
    if is_json:
        output.write_json({"restored": ids})
    else:
        output.note("Restored.")


@chats.command()
@click.argument("chat_id", metavar="ID")
@click.argument("title")
@as_json
@pass_door
def rename(door: CliContext, chat_id: str, title: str, *, is_json: bool) -> None:
    """Give a conversation another title."""
    if not require_text(title, "The title").strip():
        raise UsageMistake("The title is empty.")
    with door.conversations() as conversations:
        conversation = conversations.get(chat_id)
        conversations.rename(conversation.id, title)
        renamed = conversations.get(conversation.id)
    if is_json:
        output.write_json(renamed)
    else:
        output.note(f"Renamed to {renamed.title}")


def _deleted(conversations: Conversations, chat_id: str) -> Conversation:
    found = [
        conversation
        for conversation in conversations.list(include_deleted=True)
        if conversation.deleted and conversation.id.startswith(chat_id)
    ]
    if len(found) != 1:
        raise NotFound(
            f"{'No' if not found else 'More than one'} deleted conversation has an id that begins "
            f'with "{chat_id}".',
            hint="See: lockhouse chats list --deleted",
        )
    return found[0]


def _title(conversation: Conversation) -> str:
    return conversation.title or "(no title)"


def _heading(message: Message) -> str:
    parts: list[str] = [message.role]
    if message.version_count > 1:
        parts.append(f"version {message.version_index + 1} of {message.version_count}")
    if message.status in _STATUS_WORDS:
        parts.append(_STATUS_WORDS[message.status])
    if message.target is not None and message.target.kind != "local":
        told = message.target.host or message.target.provider or ""
        parts.append(f"from elsewhere: {message.target.name}{f' at {told}' if told else ''}")
    return ", ".join(parts)


def _said(message: Message) -> str:
    """The words of a message, and why there are no more of them."""
    parts = [f"(picture: {one.name or one.media_type})" for one in message.pictures]
    if message.content or (message.error is None and not message.tool_calls):
        parts.append(message.content)
    parts += [f"(wants called: {call.name}({call.arguments}))" for call in message.tool_calls]
    if message.error is not None:
        parts.append(f"({message.error.message})")
        parts += [f"({message.error.hint})"] if message.error.hint else []
    return "\n".join(parts)


def _unmarked(snippet: str) -> str:
    return snippet.replace("\x02", "").replace("\x03", "")


def _highlighted(snippet: str) -> str:
    """The words that were looked for in bold, on a line of their own."""
    tidy = output.harmless(_unmarked(snippet.replace("\n", " ")))
    if not output.has_colour(sys.stdout):
        return tidy
    pieces = snippet.replace("\n", " ").replace("\x02", "\x03").split("\x03")
    bold = [
        f"\x1b[1m{output.harmless(piece)}\x1b[22m" if odd else output.harmless(piece)
        for piece, odd in zip(pieces, [False, True] * len(pieces), strict=False)
    ]
    return "".join(bold)

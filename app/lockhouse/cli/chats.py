"""``lockhouse chats``: lists, shows, searches, exports, imports and deletes conversations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from lockhouse.cli import output
from lockhouse.cli.completion import chats_here
from lockhouse.cli.context import CliContext, as_json
from lockhouse.cli.options import WholeNumber, require_text
from lockhouse.core.errors import NotFound, UsageMistake
from lockhouse.core.labels import LABELS

if TYPE_CHECKING:
    from lockhouse.chat.conversations import Conversation, Conversations, Message

_STATUS_WORDS = {"cut": "cut off", "cancelled": "stopped", "failed": "failed"}


@click.group()
def chats() -> None:
    """List, search, export and import conversations."""


@chats.command("list")
@click.option("--deleted", is_flag=True, help="List deleted ones that can be restored.")
@as_json
def list_chats(cli: CliContext, *, deleted: bool) -> None:
    """List conversations, pinned ones first, then the newest."""
    with cli.conversations() as conversations:
        found = [
            conversation
            for conversation in conversations.list(include_deleted=deleted)
            if conversation.deleted == deleted
        ]
    output.write_list(
        found,
        ("ID", "CHANGED", "MESSAGES", "TITLE"),
        lambda chat: (chat.id, output.when(chat.updated_at), chat.message_count, _title(chat)),
        empty=f"There are no {'deleted ' if deleted else ''}conversations.",
    )


@chats.command()
@click.argument("chat_id", metavar="ID", shell_complete=chats_here)
@click.option("--all", "is_whole", is_flag=True, help="Show all versions of each message.")
@as_json
def show(cli: CliContext, chat_id: str, *, is_whole: bool) -> None:
    """Show a conversation. The beginning of its ID is enough if it is unique."""
    with cli.conversations() as conversations:
        conversation = conversations.get(chat_id)
        messages = (
            conversations.messages(conversation.id)
            if is_whole
            else conversations.path(conversation.id)
        )
    if output.wrote_json({**output.plain(conversation), "messages": output.plain(messages)}):
        return
    output.write_line(f"{_title(conversation)}  ({conversation.id})")
    if conversation.system:
        output.write_line(f"\nsystem:\n{conversation.system}")
    for message in messages:
        output.write_line(f"\n{_heading(message)}:\n{_text_of(message)}")


@chats.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=WholeNumber(1, 10_000), metavar="N", default=50, show_default=True)
@as_json
def search(cli: CliContext, words: tuple[str, ...], *, limit: int) -> None:
    """Find messages and titles that contain all WORDS."""
    wanted = require_text(" ".join(words), "The search")
    with cli.conversations() as conversations:
        hits = conversations.search(wanted, limit=limit)
    marked = [
        {**output.plain(hit), "snippet": _unmarked(hit.snippet), "marked": hit.snippet}
        for hit in hits
    ]
    if output.wrote_json(marked):
        return
    if not hits:
        output.note("Nothing was found.")
    for hit in hits:
        heading = f"{hit.conversation_id}  {output.when(hit.created_at)}  {hit.title}"
        output.write_line(output.Styled(heading, "dim"))
        output.write_line(f"  {hit.role}: ", *_highlighted(hit.snippet))


@chats.command()
@click.argument("chat_id", metavar="ID", shell_complete=chats_here)
@click.option(
    "--format", "fmt", type=click.Choice(["md", "json", "jsonl", "html"]), default="md",
    show_default=True, help="json has all versions of messages; the others the active ones.",
)  # fmt: skip
@click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE", help="Write to FILE instead of standard output.",
)  # fmt: skip
@as_json
def export(
    cli: CliContext, chat_id: str, fmt: Literal["md", "json", "jsonl", "html"], file: Path | None
) -> None:
    """Export a conversation in an open format. With --json, tell what was written."""
    from lockhouse.chat import import_export
    from lockhouse.storage import exports

    with cli.conversations() as conversations:
        conversation = conversations.get(chat_id)
        text = import_export.export(conversations, conversation.id, fmt)
    told = {"conversation_id": conversation.id, "format": fmt}
    if file is not None:
        exports.export_text(file, text)
        output.write_result({**told, "path": file.absolute()}, f"Written to {file}")
    elif not output.wrote_json({**told, "text": text}):
        output.write(text if text.endswith("\n") else f"{text}\n")


@chats.command("import", short_help="Import conversations.")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def import_chats(cli: CliContext, file: Path) -> None:
    """Import conversations from Lockhouse JSON, or an export of ChatGPT or Open WebUI."""
    from lockhouse.chat import import_export

    line = output.StatusLine()

    def show(done: int, total: int) -> None:
        line.show(f"Importing: {done:,} of {total:,} conversations")

    with cli.conversations() as conversations:
        try:
            report = import_export.import_file(conversations, file, progress=show)
        finally:
            line.clear()
    if output.wrote_json(report):
        return
    output.write_line(f"{report.conversations} conversations, {report.messages} messages")
    for reason in report.skipped:
        output.note(f"skipped: {reason}")


@chats.command()
@click.argument("chat_ids", metavar="ID...", nargs=-1, required=True, shell_complete=chats_here)
@click.option(
    "--for-good", is_flag=True,
    help="Erase them now, deleted ones too. This cannot be undone; older backups may hold them.",
)  # fmt: skip
@as_json
def delete(cli: CliContext, chat_ids: tuple[str, ...], *, for_good: bool) -> None:
    """Hide conversations; they are erased for good after 30 days. To undo: chats restore."""
    with cli.conversations() as conversations:
        if for_good:
            ids = [_any(conversations, chat_id).id for chat_id in chat_ids]
            conversations.erase(ids)
            erased = f"Erased for good. Older backups may hold them: {cli.paths.backups}"
            output.write_result({"erased": ids}, erased)
            return
        ids = [conversations.get(chat_id).id for chat_id in chat_ids]
        conversations.delete(ids)
    hidden = "Hidden. Erased for good 30 days from now."
    undo = f"To undo: lockhouse chats restore {' '.join(ids)}"
    output.write_result({"deleted": ids}, f"{hidden} {undo}")


@chats.command()
@click.argument("chat_ids", metavar="ID...", nargs=-1, required=True, shell_complete=chats_here)
@as_json
def restore(cli: CliContext, chat_ids: tuple[str, ...]) -> None:
    """Restore deleted conversations."""
    with cli.conversations() as conversations:
        ids = [_deleted(conversations, chat_id).id for chat_id in chat_ids]
        conversations.restore(ids)
    output.write_result({"restored": ids}, "Restored.")


@chats.command()
@click.argument("chat_id", metavar="ID", shell_complete=chats_here)
@click.argument("title")
@as_json
def rename(cli: CliContext, chat_id: str, title: str) -> None:
    """Rename a conversation."""
    if not require_text(title, "The title").strip():
        raise UsageMistake("The title is empty.")
    with cli.conversations() as conversations:
        conversation = conversations.get(chat_id)
        conversations.rename(conversation.id, title)
        renamed = conversations.get(conversation.id)
    output.write_result(renamed, f"Renamed to {renamed.title}")


@chats.command(short_help="Recover what can be read of a damaged database.")
@as_json
def recover(cli: CliContext) -> None:
    """Recover what can be read of a damaged database, and put it in its place.

    The damaged file is kept. Close every window first.
    """
    from lockhouse.chat import recovery

    paths = cli.paths
    done = recovery.recover(paths.database, backups=paths.backups)
    if output.wrote_json({"recovered": output.plain(done) if done else None}):
        return
    if done is None:
        output.note(f"{paths.database} is not damaged. Nothing was changed.")
        return
    first, *more = done.sentences()
    output.write_line(first)
    for sentence in more:
        output.note(sentence)


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
            hint="List them: lockhouse chats list --deleted",
        )
    return found[0]


def _any(conversations: Conversations, chat_id: str) -> Conversation:
    """One that can be seen, or else one that was deleted."""
    try:
        return conversations.get(chat_id)
    except NotFound:
        return _deleted(conversations, chat_id)


def _title(conversation: Conversation) -> str:
    return conversation.title or "(no title)"


def _heading(message: Message) -> str:
    parts: list[str] = [message.role]
    if message.version_count > 1:
        parts.append(f"version {message.version_index + 1} of {message.version_count}")
    if message.status in _STATUS_WORDS:
        parts.append(_STATUS_WORDS[message.status])
    if message.target is not None and message.target.kind != "local":
        host = message.target.host or message.target.provider or ""
        parts += ["imported"] if message.is_imported else []
        parts.append(f"from {message.target.name}{f' at {host}' if host else ''}")
    return ", ".join(parts)


def _text_of(message: Message) -> str:
    """The text of a message, and why it ended early."""
    parts = [f"(picture: {one.name or one.media_type})" for one in message.pictures]
    if message.content or (message.error is None and not message.tool_calls):
        parts.append(message.content)
    parts += [f"(file: {file.name})\n{file.text}" for file in message.files]
    parts += [f"(tool call: {call.name}({call.arguments}))" for call in message.tool_calls]
    if message.error is not None:
        parts.append(f"({message.error.message})")
        parts += [f"({message.error.hint})"] if message.error.hint else []
    return "\n".join(parts)


def _unmarked(snippet: str) -> str:
    return snippet.replace("\x02", "").replace("\x03", "")


def _highlighted(snippet: str) -> list[str | output.Styled]:
    """The snippet on one line, with the words that were found in bold."""
    pieces = snippet.replace("\n", " ").replace("\x02", "\x03").split("\x03")
    return [output.Styled(piece, "bold") if n % 2 else piece for n, piece in enumerate(pieces)]


@chats.command(short_help="Say how far a conversation may travel.")
@click.argument("chat_id", metavar="ID", shell_complete=chats_here)
@click.argument("label", type=click.Choice(LABELS))
@as_json
def label(cli: CliContext, chat_id: str, label: str) -> None:
    """Set the label of a conversation.

    A confidential conversation is answered on this machine only, an internal one also by servers
    of your own network, a public one by any target.
    """
    with cli.conversations() as conversations:
        conversation = conversations.get(chat_id)
        conversations.set_label(conversation.id, label)
        labelled = conversations.get(conversation.id)
    output.write_result(labelled, f"{labelled.title} is {label} now.")

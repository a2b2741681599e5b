"""Conversations: trees of messages, kept so that nothing a person wrote or read is lost.

A message is never changed once it is complete: an edit or a new answer is a version beside
it, and a path from the root to the active leaf is what a transcript shows. Hides the tables,
the rows and the bookkeeping of answers that are still being written.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from types import EllipsisType
from typing import TYPE_CHECKING, Literal

import msgspec

from lockhouse.answer.target import TargetInfo
from lockhouse.chat import image_store, outbox, rows
from lockhouse.chat.identity import kept_time, new_id, now, storable
from lockhouse.chat.values import Conversation, Folder, Message, Provenance, SearchHit, Status
from lockhouse.core.errors import NotFound, UsageMistake
from lockhouse.core.events import Failed
from lockhouse.core.messages import Image, Part, ToolResult
from lockhouse.processes import is_alive, mine
from lockhouse.storage.connection import migrations_of
from lockhouse.storage.database import Database
from lockhouse.storage.read_only import if_writable

if TYPE_CHECKING:
    import sqlite_utils

__all__ = [
    "Conversation",
    "Conversations",
    "Folder",
    "Message",
    "Provenance",
    "SearchHit",
    "Status",
]

_Field = Literal["title", "pinned", "folder_id", "target", "system", "label", "draft", "parameters"]

# The class has a method named list, which hides the type from its annotations.
KEEP_DELETED = timedelta(days=30)

_ConversationList = list[Conversation]
_FolderList = list[Folder]
_HitList = list[SearchHit]
_MessageList = list[Message]
_Conditions = list[str]
_Values = list[str | None]


class Conversations:
    """All conversations of one home. Usable from several threads and processes at once."""

    def __init__(self, database: Database) -> None:
        self.database = database
        database.migrate(migrations_of("conversations", rows.STEPS))

    # Conversations

    def create(
        self,
        *,
        title: str = "",
        target: str = "",
        system: str = "",
        folder_id: str | None = None,
        parameters: dict[str, object] | None = None,
        label: str = "",
    ) -> Conversation:
        """A new, empty conversation."""
        conversation_id, moment = new_id(), now()
        with self.database.write() as database:
            if folder_id is not None:
                _require_folder(database, folder_id)
            database.execute(
                "INSERT INTO conversations"
                " (id, title, created_at, updated_at, folder_id, target, system, parameters,"
                " label) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    conversation_id,
                    storable(title),
                    moment,
                    moment,
                    folder_id,
                    storable(target),
                    storable(system),
                    msgspec.json.encode(parameters or {}).decode(),
                    storable(label),
                ],
            )
            return rows.conversation(database, conversation_id)

    def get(self, conversation_id: str) -> Conversation:
        """The conversation of that id, or of the only id that begins so."""
        database = self.database.read()
        if not re.fullmatch("[0-9a-z]+", conversation_id):
            raise rows.no_conversation(conversation_id)
        found = rows.conversations_where(
            database,
            "c.id >= ? AND c.id < ? AND c.deleted_at IS NULL ORDER BY c.id LIMIT 2",
            [conversation_id, conversation_id + "\x7f"],
        )
        if not found:
            raise rows.no_conversation(conversation_id)
        if len(found) > 1 and found[0].id != conversation_id:
            raise NotFound(
                f'Several conversations have an id that begins with "{conversation_id}".',
                hint="Give more of the id; `lockhouse chats list` shows them.",
            )
        return found[0]

    def rename(self, conversation_id: str, title: str) -> None:
        """Gives it a title of the user's own."""
        self._set(conversation_id, "title", storable(" ".join(title.split())))

    def set_pinned(self, conversation_id: str, *, pinned: bool) -> None:
        """Keeps it at the top of the list, or no longer."""
        self._set(conversation_id, "pinned", int(pinned))

    def set_folder(self, conversation_id: str, folder_id: str | None) -> None:
        """Moves it into a folder; None takes it out of its folder."""
        with self.database.write() as database:
            if folder_id is not None:
                _require_folder(database, folder_id)
            self._set(conversation_id, "folder_id", folder_id)

    def set_target(self, conversation_id: str, target: str) -> None:
        """Who answers in it from now on; "" is the default target."""
        self._set(conversation_id, "target", storable(target))

    def set_system(self, conversation_id: str, system: str) -> None:
        """The instructions that stand before its first message."""
        self._set(conversation_id, "system", storable(system))

    def set_label(self, conversation_id: str, label: str) -> None:
        """How confidential it is."""
        self._set(conversation_id, "label", storable(label))

    def set_parameters(self, conversation_id: str, parameters: dict[str, object]) -> None:
        """Settings that hold in this conversation only."""
        self._set(conversation_id, "parameters", msgspec.json.encode(parameters).decode())

    def save_draft(self, conversation_id: str, draft: str) -> None:
        """Keeps what is typed and not sent. Does not count as a change of the conversation."""
        self._set(conversation_id, "draft", storable(draft))

    def add_to_draft(self, conversation_id: str, text: str, images: Sequence[Image] = ()) -> None:
        """More that was not sent, after what is kept already; "" is a conversation not begun,
        of which only the pictures are kept here."""
        with self.database.write() as database:
            if conversation_id:
                draft = rows.conversation(database, conversation_id).draft
                self.save_draft(conversation_id, f"{draft}\n\n{text}".strip() if text else draft)
            kept = image_store.of_draft(database, conversation_id)
            new = [image for image in images if image not in kept]
            image_store.keep_draft(database, conversation_id, (*kept, *new))

    def save_draft_pictures(self, conversation_id: str, images: Sequence[Image]) -> None:
        """Keeps the pictures that go along with what is typed; "" is a conversation not begun."""
        with self.database.write() as database:
            if conversation_id:
                rows.conversation(database, conversation_id)  # raises NotFound
            image_store.keep_draft(database, conversation_id, images)

    def draft_pictures(self, conversation_id: str) -> tuple[Image, ...]:
        """The pictures of a draft, bytes and all."""
        return image_store.of_draft(self.database.read(), conversation_id)

    def delete(self, conversation_ids: Iterable[str]) -> tuple[str, ...]:
        """Puts conversations out of sight; give what comes back to :meth:`restore` to undo."""
        wanted = _ids(conversation_ids)
        moment = now()
        with self.database.write() as database:
            for conversation_id in wanted:
                changed = database.execute(
                    "UPDATE conversations SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL",
                    [moment, conversation_id],
                )
                if not changed.rowcount:
                    raise rows.no_conversation(conversation_id)
        return wanted

    def restore(self, conversation_ids: Iterable[str]) -> None:
        """Brings deleted conversations back as they were."""
        with self.database.write() as database:
            for conversation_id in _ids(conversation_ids):
                changed = database.execute(
                    "UPDATE conversations SET deleted_at = NULL WHERE id = ?", [conversation_id]
                )
                if not changed.rowcount:
                    raise NotFound("The conversation was deleted for good and cannot come back.")

    def purge_deleted(self, older_than: timedelta = KEEP_DELETED) -> int:
        """Erases what was deleted so long ago; how many conversations that were.

        To be called at the start, by every program. Costs one question where there is nothing.
        """
        before = kept_time(datetime.now(UTC) - older_than)
        old = "SELECT 1 FROM conversations WHERE deleted_at <= ?"
        erased = 0
        with if_writable():
            if self.database.row(old, [before]) is not None:
                erased = self._erase("deleted_at <= ?", [before])
        return erased

    def erase(self, conversation_ids: Iterable[str]) -> None:
        """Removes conversations for good, deleted ones or not.

        Their words do not stay behind in the file, though they may in older backups.
        """
        wanted = list(_ids(conversation_ids))
        self._erase(f"id IN ({', '.join('?' * len(wanted))})", wanted)

    def _erase(self, condition: str, values: Sequence[str]) -> int:
        with self.database.write() as database:
            removed = database.execute(f"DELETE FROM conversations WHERE {condition}", values)  # noqa: S608 - our own
            image_store.forget_unused(database)
            self._forget_sent(database)
            # The index only marks removed words as such until it is put in order.
            for index in ("message_words", "title_words"):
                database.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")  # noqa: S608
        self.database.settle()
        return int(removed.rowcount)

    def _forget_sent(self, database: sqlite_utils.Database) -> None:
        """What was sent to remote targets for these conversations is erased with them."""
        from lockhouse.gate.sent_requests import Sent  # most programs never purge

        if database["sent_requests"].exists():
            Sent(self.database).forget_erased()

    # Folders

    def folders(self) -> _FolderList:
        """All folders by name."""
        found = self.database.rows("SELECT id, name FROM folders")
        return sorted((Folder(*row) for row in found), key=lambda folder: folder.name.casefold())

    def create_folder(self, name: str) -> Folder:
        """A new, empty folder."""
        folder = Folder(new_id(), _folder_name(name))
        self.database.change("INSERT INTO folders VALUES (?, ?)", [folder.id, folder.name])
        return folder

    def rename_folder(self, folder_id: str, name: str) -> None:
        """Gives it another name."""
        with self.database.write() as database:
            _require_folder(database, folder_id)
            database.execute(
                "UPDATE folders SET name = ? WHERE id = ?", [_folder_name(name), folder_id]
            )

    def delete_folder(self, folder_id: str) -> None:
        """Removes the folder; what was in it stays, without a folder."""
        with self.database.write() as database:
            _require_folder(database, folder_id)
            database.execute("DELETE FROM folders WHERE id = ?", [folder_id])

    # Messages

    def message(self, message_id: str) -> Message:
        """One message."""
        return rows.message(self.database.read(), message_id)

    def path(self, conversation_id: str, leaf_id: str | None = None) -> _MessageList:
        """From the root to the active leaf, or to the message given: what a transcript shows."""
        database = self.database.read()
        leaf = leaf_id
        if leaf is None:
            leaf = rows.conversation(database, conversation_id).active_leaf_id
        elif rows.message(database, leaf).conversation_id != conversation_id:
            raise rows.no_message(leaf)
        return [] if leaf is None else rows.path_to(database, leaf)

    def messages(self, conversation_id: str) -> _MessageList:
        """The whole tree, parents before children, in the order in which they were written."""
        return rows.tree(self.database.read(), conversation_id)

    def add_user(
        self,
        conversation_id: str,
        content: str,
        *,
        parent_id: str | None,
        images: Sequence[Image] = (),
        parts: Sequence[Part] = (),
    ) -> Message:
        """A message of the user's below ``parent_id``; it becomes the active leaf."""
        with self.database.write() as database:
            added = rows.add(
                database, conversation_id, parent_id, "user", content, images=images, parts=parts
            )
            return rows.message(database, added)

    def add_results(
        self, conversation_id: str, parent_id: str, results: Sequence[ToolResult]
    ) -> Message:
        """What tools gave back to the calls of the answer above; it becomes the active leaf."""
        with self.database.write() as database:
            added = rows.add(database, conversation_id, parent_id, "tool", "", parts=results)
            return rows.message(database, added)

    def images(self, message_id: str) -> tuple[Image, ...]:
        """The pictures of a message, bytes and all."""
        return image_store.of_message(self.database.read(), message_id)

    def picture(self, sha256: str) -> Image:
        """One picture by its hash, as ``Message.pictures`` tells it. Raises NotFound."""
        return image_store.one(self.database.read(), sha256)

    def edit(self, message_id: str, content: str) -> Message:
        """Another version of a message, with the user's words. The original stays.

        An answer of a remote target keeps its target and host: most of the words are still its
        own. Where not a word had come, or no host is known, all is the user's own.
        """
        with self.database.write() as database:
            old = rows.message(database, message_id)
            if old.status == "streaming":
                raise UsageMistake("The answer is still being written.", hint="Stop it first.")
            added = rows.add(
                database, old.conversation_id, old.parent_id, old.role, content, parts=old.parts
            )
            image_store.copy(database, old.id, added)
            target = None if old.is_imported else old.target
            if old.content and target is not None and target.kind != "local":
                host = old.provenance.finished.host if old.provenance else ""
                mark = msgspec.structs.replace(target, host=host or target.host)
                database.execute(
                    "UPDATE messages SET target = ? WHERE id = ?", [rows.kept(mark), added]
                )
            return rows.message(database, added)

    def select_version(self, message_id: str, offset: int) -> Message:
        """Turns to the version that many places on, and to the latest message below it.

        That is reading: the conversation keeps its time and its place in the list.
        """
        with self.database.write() as database:
            message = rows.message(database, message_id)
            versions = database.execute(
                "SELECT id FROM messages WHERE conversation_id = ? AND parent_id IS ?"
                " AND role = ? ORDER BY seq",
                [message.conversation_id, message.parent_id, message.role],
            ).fetchall()
            place = min(max(message.version_index + offset, 0), len(versions) - 1)
            chosen = versions[place][0]
            leaf = rows.latest_leaf(database, chosen)
            rows.turn_to(database, message.conversation_id, leaf)
            return rows.message(database, chosen)

    def branch(self, message_id: str) -> Conversation:
        """A new conversation that holds everything up to and including that message."""
        with self.database.write() as database:
            last = rows.message(database, message_id)
            branch_id, moment = new_id(), now()
            title = rows.title_beside(database, last.conversation_id)
            database.execute(
                "INSERT INTO conversations (id, title, created_at, updated_at, folder_id, target,"
                " system, label, parameters) SELECT ?, ?, ?, ?, folder_id, target, system,"
                " label, parameters FROM conversations WHERE id = ?",
                [branch_id, title, moment, moment, last.conversation_id],
            )
            above: str | None = None
            for original in rows.path_to(database, message_id):
                copy = new_id()
                database.execute(
                    "INSERT INTO messages (id, conversation_id, parent_id, role, content,"
                    " reasoning, created_at, status, target, finished, error, parts)"
                    " SELECT ?, ?, ?, role, content, reasoning, created_at,"
                    " iif(status = 'streaming', 'cut', status), target, finished, error,"
                    " parts FROM messages WHERE id = ?",
                    [copy, branch_id, above, original.id],
                )
                image_store.copy(database, original.id, copy)
                above = copy
            rows.activate(database, branch_id, above)
            return rows.conversation(database, branch_id)

    # Answers being written

    def begin_answer(
        self,
        conversation_id: str,
        parent_id: str | None,
        *,
        target: TargetInfo,
        prefill: str = "",
        reasoning: str = "",
    ) -> Message:
        """An answer with no words yet, or with those it has to begin with.

        It is marked as being written by this process until :meth:`finish_answer`.
        """
        pid, started = mine()
        with self.database.write() as database:
            added = rows.add(
                database, conversation_id, parent_id, "assistant", prefill, status="streaming"
            )
            database.execute(
                "UPDATE messages SET reasoning = ?, target = ?, writer_pid = ?,"
                " writer_started = ? WHERE id = ?",
                [storable(reasoning), rows.kept(target), pid, started, added],
            )
            return rows.message(database, added)

    def append_answer(self, message_id: str, *, content: str, reasoning: str) -> None:
        """Keeps the whole text so far."""
        changed = self.database.change(
            "UPDATE messages SET content = ?, reasoning = ? WHERE id = ?",
            [storable(content), storable(reasoning), message_id],
        )
        if not changed:
            raise rows.no_message(message_id)

    def finish_answer(
        self,
        message_id: str,
        *,
        content: str,
        reasoning: str,
        status: Status,
        provenance: Provenance | None = None,
        error: Failed | None = None,
        parts: Sequence[Part] = (),
    ) -> Message:
        """Keeps the whole text and how it came about. From now on it can be found by search."""
        with self.database.write() as database:
            changed = database.execute(
                "UPDATE messages SET content = ?, reasoning = ?, status = ?,"
                " target = coalesce(?, target), finished = ?, error = ?, parts = ?,"
                " writer_pid = NULL, writer_started = NULL WHERE id = ?",
                [
                    storable(content),
                    storable(reasoning),
                    status,
                    rows.kept(provenance.target if provenance else None),
                    rows.kept(provenance.finished if provenance else None),
                    rows.kept(error),
                    rows.kept(parts or None),
                    message_id,
                ],
            )
            if not changed.rowcount:
                raise rows.no_message(message_id)
            message = rows.message(database, message_id)
            rows.touch(database, message.conversation_id)
            return message

    def add_model_hash(self, message_id: str, sha256: str) -> None:
        """Completes the record of an answer that ended before the hash of its model was known."""
        self.database.change(
            "UPDATE messages SET finished = json_set(finished, '$.model_sha256', ?)"
            " WHERE id = ? AND finished IS NOT NULL",
            [sha256, message_id],
        )

    def keep_waiting(self, conversation_id: str, entries: Sequence[outbox.Unsent]) -> None:
        """Messages that this program will ask later; none of them is lost when it is killed."""
        with self.database.write() as database:
            outbox.keep(database, conversation_id, entries)

    def _give_back_waiting(self) -> None:
        """What waited in a program that is gone becomes part of its conversation's draft."""
        for found in outbox.orphaned(self.database.read()):
            text = "\n\n".join(entry.text for entry in found.entries)
            images = tuple(image for entry in found.entries for image in entry.images)
            # Of a conversation that was deleted it stays: that may be brought back.
            with contextlib.suppress(NotFound), self.database.write() as database:
                self.add_to_draft(found.conversation_id, text, images)
                outbox.forget(database, found)

    def recover(self) -> _MessageList:
        """Marks the answers whose writer is gone as cut, and gives back what waited there.

        To be called at the start.
        """
        recovered: _MessageList = []
        with if_writable():
            recovered = self._recover()
        return recovered  # noqa: RET504 - nothing where it cannot be written

    def _recover(self) -> _MessageList:
        self._give_back_waiting()
        streaming = "SELECT id, writer_pid, writer_started FROM messages WHERE status = 'streaming'"
        written = self.database.rows(streaming)
        gone = [row for row in written if row[1] is None or not is_alive(row[1], row[2])]
        if not gone:
            return []
        with self.database.write() as database:
            for message_id, pid, started in gone:
                database.execute(
                    "UPDATE messages SET status = 'cut', writer_pid = NULL, writer_started = NULL"
                    " WHERE id = ? AND status = 'streaming'"
                    " AND writer_pid IS ? AND writer_started IS ?",
                    [message_id, pid, started],
                )
            return [rows.message(database, row[0]) for row in gone]

    # Finding

    def search(self, words: str, *, limit: int = 50) -> _HitList:
        """Where the words occur: titles first, then messages, the best first."""
        from lockhouse.chat import search as full_text  # its patterns take time to make

        return full_text.search(self.database.read(), words, limit=limit)

    def data_version(self) -> int:
        """A stamp for :meth:`changed_since`."""
        return self.database.data_version()

    def changed_since(self, stamp: int) -> bool:
        """Whether another process has written since the stamp was taken. Never waits."""
        return self.database.data_version() != stamp

    def list(
        self,
        *,
        folder_id: str | EllipsisType | None = ...,
        include_deleted: bool = False,
    ) -> _ConversationList:
        """Pinned ones first, then the newest first; of one folder, of none, or (...) of all."""
        conditions: _Conditions = ["1"]
        values: _Values = []
        if not include_deleted:
            conditions.append("c.deleted_at IS NULL")
        if not isinstance(folder_id, EllipsisType):
            conditions.append("c.folder_id IS ?")
            values.append(folder_id)
        condition = " AND ".join(conditions)
        return rows.conversations_where(
            self.database.read(),
            f"{condition} ORDER BY c.pinned DESC, c.updated_at DESC, c.seq DESC",
            values,
        )

    def _set(self, conversation_id: str, field: _Field, value: str | int | None) -> None:
        changed = self.database.change(
            f"UPDATE conversations SET {field} = ?"  # noqa: S608 - one of _Field
            " WHERE id = ? AND deleted_at IS NULL",
            [value, conversation_id],
        )
        if not changed:
            raise rows.no_conversation(conversation_id)


def _require_folder(database: sqlite_utils.Database, folder_id: str) -> None:
    if database.execute("SELECT 1 FROM folders WHERE id = ?", [folder_id]).fetchone() is None:
        raise NotFound("That folder does not exist any more.")


def _folder_name(name: str) -> str:
    tidy = storable(" ".join(name.split()))
    if not tidy:
        raise UsageMistake("A folder needs a name.")
    return tidy


def _ids(conversation_ids: Iterable[str]) -> tuple[str, ...]:
    """The ids once each; a single id on its own is taken as one."""
    if isinstance(conversation_ids, str):
        return (conversation_ids,)
    return tuple(dict.fromkeys(conversation_ids))

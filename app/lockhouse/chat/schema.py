"""The tables of the conversations. Steps are only ever appended, never changed."""

from __future__ import annotations

from typing import Final

# Parents have no ON DELETE CASCADE: SQLite follows it by recursion, at most 1,000 deep.
#
# The two search indexes hold no text of their own. A message enters its index when it stops
# streaming: indexing each half second of an answer would cost more than the answer.
_FIRST = """
CREATE TABLE folders (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE conversations (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    folder_id TEXT REFERENCES folders (id) ON DELETE SET NULL,
    target TEXT NOT NULL DEFAULT '',
    system TEXT NOT NULL DEFAULT '',
    label TEXT NOT NULL DEFAULT '',
    draft TEXT NOT NULL DEFAULT '',
    active_leaf_id TEXT,
    parameters TEXT NOT NULL DEFAULT '{}',
    deleted_at TEXT,
    origin TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX conversations_by_folder ON conversations (folder_id);
CREATE INDEX conversations_by_origin ON conversations (origin) WHERE origin <> '';

CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    parent_id TEXT REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
    role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
    content TEXT NOT NULL,
    reasoning TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'complete'
        CHECK (status IN ('complete', 'streaming', 'cut', 'cancelled', 'failed')),
    target TEXT,
    finished TEXT,
    error TEXT,
    writer_pid INTEGER,
    writer_started REAL
) STRICT;
CREATE INDEX messages_in_tree ON messages (conversation_id, parent_id, role);
CREATE INDEX messages_by_parent ON messages (parent_id);
CREATE INDEX messages_streaming ON messages (status) WHERE status = 'streaming';

CREATE VIRTUAL TABLE message_words USING fts5 (
    content, content = 'messages', content_rowid = 'seq',
    tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
CREATE TRIGGER message_words_insert AFTER INSERT ON messages
WHEN new.status <> 'streaming' BEGIN
    INSERT INTO message_words (rowid, content) VALUES (new.seq, new.content);
END;
CREATE TRIGGER message_words_update AFTER UPDATE OF content, status ON messages
WHEN old.status <> 'streaming' OR new.status <> 'streaming' BEGIN
    INSERT INTO message_words (message_words, rowid, content)
    SELECT 'delete', old.seq, old.content WHERE old.status <> 'streaming';
    INSERT INTO message_words (rowid, content)
    SELECT new.seq, new.content WHERE new.status <> 'streaming';
END;
CREATE TRIGGER message_words_delete AFTER DELETE ON messages
WHEN old.status <> 'streaming' BEGIN
    INSERT INTO message_words (message_words, rowid, content)
    VALUES ('delete', old.seq, old.content);
END;

CREATE VIRTUAL TABLE title_words USING fts5 (
    title, content = 'conversations', content_rowid = 'seq',
    tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
CREATE TRIGGER title_words_insert AFTER INSERT ON conversations BEGIN
    INSERT INTO title_words (rowid, title) VALUES (new.seq, new.title);
END;
CREATE TRIGGER title_words_update AFTER UPDATE OF title ON conversations BEGIN
    INSERT INTO title_words (title_words, rowid, title) VALUES ('delete', old.seq, old.title);
    INSERT INTO title_words (rowid, title) VALUES (new.seq, new.title);
END;
CREATE TRIGGER title_words_delete AFTER DELETE ON conversations BEGIN
    INSERT INTO title_words (title_words, rowid, title) VALUES ('delete', old.seq, old.title);
END;
"""

_PICTURES = """
CREATE TABLE pictures (
    sha256 TEXT PRIMARY KEY,
    media_type TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE TABLE message_pictures (
    message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    sha256 TEXT NOT NULL REFERENCES pictures (sha256),
    name TEXT NOT NULL,
    PRIMARY KEY (message_id, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_pictures_by_picture ON message_pictures (sha256);
ALTER TABLE messages ADD COLUMN tool_calls TEXT;
"""

# A draft without a conversation is that of the chat that nobody has begun yet.
_DRAFT_PICTURES = """
CREATE TABLE draft_pictures (
    conversation_id TEXT REFERENCES conversations (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    sha256 TEXT NOT NULL REFERENCES pictures (sha256),
    name TEXT NOT NULL
) STRICT;
CREATE INDEX draft_pictures_by_conversation ON draft_pictures (conversation_id);
CREATE INDEX draft_pictures_by_picture ON draft_pictures (sha256);
"""

# What was typed while an answer ran, in the order it was typed, of each program that holds such.
_WAITING = """
CREATE TABLE waiting_messages (
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    writer_pid INTEGER NOT NULL,
    writer_started REAL NOT NULL,
    entries TEXT NOT NULL,
    PRIMARY KEY (conversation_id, writer_pid, writer_started)
) STRICT;
"""


# Messages get the role "tool", and parts in place of tool calls alone. A check that is only
# widened changes nothing on the disk, so the text of the table is changed as SQLite's page on
# ALTER TABLE (section 7) describes: making the table anew would empty what refers to it.
_PARTS = """
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(
    sql, '''user'', ''assistant'')', '''user'', ''assistant'', ''tool'')'
) WHERE type = 'table' AND name = 'messages';
PRAGMA writable_schema = RESET;
ALTER TABLE messages ADD COLUMN parts TEXT;
UPDATE messages SET parts = tool_calls WHERE tool_calls IS NOT NULL;
ALTER TABLE messages DROP COLUMN tool_calls;
"""

STEPS: Final = {
    "first": _FIRST,
    "pictures": _PICTURES,
    "draft_pictures": _DRAFT_PICTURES,
    "waiting": _WAITING,
    "parts": _PARTS,
}

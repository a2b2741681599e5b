"""Full-text search over titles and messages.

Hides the query language of FTS5: whatever a person types is taken as words, "quoted phrases"
and, for the last word, a beginning. Writing systems without spaces, and signs that are no
words, are searched for as they stand.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING

from lockhouse.chat.values import SearchHit

if TYPE_CHECKING:
    import sqlite_utils

START, END = "\x02", "\x03"

_MAX_CHARACTERS = 1000
_MAX_TERMS = 32
_BEFORE, _AFTER = 40, 120  # characters around a literal hit

_TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')
# Thai to Khmer, then the kana and ideographs: no spaces between words.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)

_IN_TITLES = """
SELECT c.id, c.title, NULL, 'title',
    highlight(title_words, 0, char(2), char(3)), c.created_at
FROM title_words JOIN conversations c ON c.seq = title_words.rowid
WHERE title_words MATCH ? AND c.deleted_at IS NULL
ORDER BY rank LIMIT ?
"""

_IN_MESSAGES = """
SELECT c.id, c.title, m.id, m.role,
    snippet(message_words, 0, char(2), char(3), '…', 24), m.created_at
FROM message_words JOIN messages m ON m.seq = message_words.rowid
    JOIN conversations c ON c.id = m.conversation_id
WHERE message_words MATCH ? AND c.deleted_at IS NULL
ORDER BY rank LIMIT ?
"""

_LITERALLY_IN_TITLES = """
SELECT id, title, NULL, 'title', title, created_at FROM conversations
WHERE title LIKE ? ESCAPE '\\' AND deleted_at IS NULL
ORDER BY updated_at DESC LIMIT ?
"""

_LITERALLY_IN_MESSAGES = """
SELECT c.id, c.title, m.id, m.role, m.content, m.created_at
FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.content LIKE ? ESCAPE '\\' AND m.status <> 'streaming' AND c.deleted_at IS NULL
ORDER BY m.seq DESC LIMIT ?
"""


def search(database: sqlite_utils.Database, words: str, *, limit: int) -> list[SearchHit]:
    """Hits in titles first, then in messages, the best first."""
    words = _tidy(words)
    if not words or limit < 1:
        return []
    if _UNSPACED.search(words) or not any(_is_word_sign(sign) for sign in words):
        return _literal(database, words, limit)
    match = _match(words)
    if not match:
        return []
    hits = [_hit(row) for row in database.execute(_IN_TITLES, [match, limit])]
    if len(hits) < limit:
        rows = database.execute(_IN_MESSAGES, [match, limit - len(hits)])
        hits.extend(_hit(row) for row in rows)
    return hits


def _tidy(words: str) -> str:
    """At most so many characters, none of them a control sign or half a character."""
    cut = words[:_MAX_CHARACTERS]
    kept = (" " if unicodedata.category(sign) in ("Cc", "Cs") else sign for sign in cut)
    return "".join(kept).lstrip()


def _is_word_sign(sign: str) -> bool:
    """Whether the index keeps it; the rule of FTS5's unicode61."""
    category = unicodedata.category(sign)
    return category[0] in "LN" or category == "Co"


def _match(words: str) -> str:
    """The FTS5 expression: every term in quotes, so that nothing in it is syntax."""
    terms = []
    for found in list(_TERM.finditer(words))[:_MAX_TERMS]:
        phrase, word = found.group(1), found.group(2)
        text = word if phrase is None else phrase
        if not any(_is_word_sign(sign) for sign in text):
            continue
        # The last word may be unfinished: it stands for all that begin with it.
        unfinished = (
            word is not None
            and found.end() == len(words)
            and (_is_word_sign(word[-1]) or word.endswith("*"))
        )
        terms.append(f'"{text}"*' if unfinished else f'"{text}"')
    return " ".join(terms)


def _literal(database: sqlite_utils.Database, words: str, limit: int) -> list[SearchHit]:
    text = words.replace('"', "").strip()
    if not text:
        return []
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    hits: list[SearchHit] = []
    for statement in (_LITERALLY_IN_TITLES, _LITERALLY_IN_MESSAGES):
        rows = database.execute(statement, [f"%{escaped}%", limit - len(hits)])
        hits.extend(_hit((*row[:4], _excerpt(row[4], text), row[5])) for row in rows)
    return hits


def _excerpt(content: str, text: str) -> str:
    found = re.search(re.escape(text), content, re.IGNORECASE)
    if found is None:  # LIKE and Python fold case alike for all but a few letters
        return content[: _BEFORE + _AFTER]
    start, end = max(0, found.start() - _BEFORE), found.end() + _AFTER
    before = ("…" if start else "") + content[start : found.start()]
    after = content[found.end() : end] + ("…" if end < len(content) else "")
    return f"{before}{START}{found.group()}{END}{after}"


def _hit(row: tuple[str, str, str | None, str, str, str]) -> SearchHit:
    conversation_id, title, message_id, role, snippet, created_at = row
    return SearchHit(
        conversation_id=conversation_id,
        title=title,
        message_id=message_id,
        role=role,  # type: ignore[arg-type] # the table allows no other
        snippet=snippet,
        created_at=datetime.fromisoformat(created_at),
    )

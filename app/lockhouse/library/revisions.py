"""The revisions of a model that are kept here: which one is used, where each came from, and what
differs between two of them.

A line is one file of one repository; each of its revisions is a file of its own, so that several
are kept side by side. The one in use carries the model's name, aliases, pin and profiles;
switching to another passes these on, in one transaction. Differences are those of headers alone,
so that a revision which was not downloaded can be compared as well.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from lockhouse.core.errors import InvalidInput, NotFound
from lockhouse.library.gguf.header import GgufHeader
from lockhouse.library.gguf.layout import Unread, reading
from lockhouse.library.inventory import key_of
from lockhouse.library.model_info import Difference, Source
from lockhouse.storage.database import Database

_PASSED_ON: Final = ("models", "model_aliases", "model_profiles")
_COLUMNS: Final = "path, line, repo, revision, file, url, license, sha256, added_at, current, newer"


class RevisionRow(msgspec.Struct, frozen=True):
    """One revision: a file of a line."""

    path: Path
    line: str
    source: Source
    license: str
    sha256: str
    added_at: str
    current: bool
    newer: str


class Revisions:
    """Reads and writes the table of revisions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_path(self) -> dict[Path, RevisionRow]:
        """Every file that is a revision."""
        query = f"SELECT {_COLUMNS} FROM model_revisions ORDER BY added_at"  # noqa: S608
        rows = self._database.rows(query)
        found = {}
        for path, line, repo, revision, file, url, terms, sha256, at, current, newer in rows:
            place = Path(os.fsdecode(path))
            source = Source(repo, revision, file, url)
            found[place] = RevisionRow(place, line, source, terms, sha256, at, bool(current), newer)
        return found

    def line_of(self, path: Path) -> list[RevisionRow]:
        """The revisions of the model in that file, the oldest first."""
        rows = self.by_path()
        if path not in rows:
            return []
        return [row for row in rows.values() if row.line == rows[path].line]

    def record(
        self,
        path: Path,
        source: Source,
        *,
        license_name: str,
        sha256: str,
        asked_at: str = "",
    ) -> None:
        """Keep a file as a revision and use it, unless the one in use is pinned or newer.

        Newer is what came after this one was asked for: a download may be paused for long.
        """
        line = f"{source.repo}/{source.file}"
        with self._database.write() as database:
            before = database.execute(
                "SELECT path, coalesce(pinned, 0), model_revisions.added_at FROM model_revisions"
                " LEFT JOIN models USING (path) WHERE line = ? AND current = 1 AND path <> ?",
                [line, key_of(path)],
            ).fetchone()
            database.execute(
                f"INSERT OR REPLACE INTO model_revisions ({_COLUMNS})"  # noqa: S608
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')",
                [
                    key_of(path),
                    line,
                    source.repo,
                    source.revision,
                    source.file,
                    source.url,
                    license_name,
                    sha256,
                    datetime.now(UTC).isoformat(),
                    int(before is None),
                ],
            )
            if before is not None and not before[1] and not _is_later(before[2], asked_at):
                self.use(path)

    def use(self, path: Path) -> None:
        """Use this revision instead of the one in use."""
        with self._database.write() as database:
            before = database.execute(
                "SELECT path FROM model_revisions WHERE current = 1"
                " AND line = (SELECT line FROM model_revisions WHERE path = ?)",
                [key_of(path)],
            ).fetchone()
            database.execute(
                "UPDATE model_revisions SET current = (path = ?)"
                " WHERE line = (SELECT line FROM model_revisions WHERE path = ?)",
                [key_of(path), key_of(path)],
            )
            for table in _PASSED_ON if before is not None else ():
                database.execute(
                    f"UPDATE OR REPLACE {table} SET path = ? WHERE path = ?",  # noqa: S608
                    [key_of(path), before[0]],
                )

    def note_newer(self, path: Path, revision: str) -> None:
        """Record that the hub has another revision; empty: that it has none."""
        self._database.change(
            "UPDATE model_revisions SET newer = ? WHERE path = ? AND revision <> ?",
            [revision, key_of(path), revision],
        )


def _is_later(added_at: str, asked_at: str) -> bool:
    if not asked_at:
        return False
    return datetime.fromisoformat(added_at) > datetime.fromisoformat(asked_at)


def find_revision(rows: list[RevisionRow], wanted: str, model: str) -> RevisionRow:
    """The revision whose name or hash begins with ``wanted``; the one in use when it is empty."""
    if not wanted:
        return next((row for row in rows if row.current), rows[0])
    found = [row for row in rows if row.source.revision.startswith(wanted)]
    found = found or [row for row in rows if row.sha256.startswith(wanted.lower())]
    exact = [row for row in found if row.source.revision == wanted]
    if len(exact or found) == 1:
        return (exact or found)[0]
    there = ", ".join(row.source.revision[:12] for row in rows)
    if found:
        raise InvalidInput(
            f'"{wanted}" could mean {len(found)} revisions of {model}.',
            hint=f"There are: {there}.",
            code="ambiguous",
        )
    raise NotFound(f'{model} has no revision "{wanted}" here.', hint=f"There are: {there}.")


# Differences


_TEMPLATE: Final = "tokenizer.chat_template"
_TOKENIZER: Final = "tokenizer."
_TOKENS: Final = "tokenizer.ggml.tokens"
_MAX_SHOWN: Final = 200
_MAX_TENSORS_NAMED: Final = 12


def differences(
    before: GgufHeader, after: GgufHeader, *, sha256_before: str = "", sha256_after: str = ""
) -> list[Difference]:
    """All differences, those that change answers most first."""
    if sha256_before and sha256_before == sha256_after:
        return []
    return [
        *_in_template(before, after),
        *_in_values(before, after),
        *_in_tensors(before, after),
        *_in_content(before, after, sha256_before, sha256_after),
    ]


def _in_template(before: GgufHeader, after: GgufHeader) -> list[Difference]:
    if before.chat_template == after.chat_template:
        return []
    return [Difference("template", "chat template", before.chat_template, after.chat_template)]


def _in_values(before: GgufHeader, after: GgufHeader) -> list[Difference]:
    found = []
    for key in sorted(before.key_values.keys() | after.key_values.keys()):
        one, other = before.key_values.get(key), after.key_values.get(key)
        if key == _TEMPLATE or one == other:
            continue
        is_tokenizer = key.startswith(_TOKENIZER)
        found.append(
            Difference(
                "tokenizer" if is_tokenizer else "metadata", key, _as_text(one), _as_text(other)
            )
        )
    if before.vocabulary_size != after.vocabulary_size:
        sizes = (f"{header.vocabulary_size:,} tokens" for header in (before, after))
        found.append(Difference("tokenizer", "vocabulary", *sizes))
    one, other = _tokens_of(before), _tokens_of(after)
    if before.vocabulary_size == after.vocabulary_size and one and other and one != other:
        found.append(Difference("tokenizer", "tokens", f"sha256 {one}", f"sha256 {other}"))
    return sorted(found, key=lambda each: each.kind != "tokenizer")


def _tokens_of(header: GgufHeader) -> str:
    """A hash of the tokens in the file; empty for a file that was not downloaded."""
    tokens = header.vocabulary
    listed = isinstance(header.key_values.get(_TOKENS), Unread)  # a short list is compared itself
    if tokens is None or not listed or not header.path.is_file():
        return ""
    with reading(header.path) as descriptor:
        os.lseek(descriptor, tokens.offset, os.SEEK_SET)
        return hashlib.sha256(os.read(descriptor, tokens.size_bytes)).hexdigest()


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Unread):
        return f"{value.count:,} {'bytes of text' if value.is_text else 'items'}"
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _in_tensors(before: GgufHeader, after: GgufHeader) -> list[Difference]:
    one = {tensor.name: tensor for tensor in before.tensors}
    other = {tensor.name: tensor for tensor in after.tensors}
    found = []
    types = [Counter(tensor.type_name for tensor in each.values()) for each in (one, other)]
    if types[0] != types[1]:
        counted = (
            ", ".join(f"{count} {name}" for name, count in each.most_common()) for each in types
        )
        found.append(Difference("tensors", "types", *counted))
    changed = [
        name
        for name in sorted(one.keys() | other.keys())
        if name not in one
        or name not in other
        or (one[name].type_name, one[name].shape) != (other[name].type_name, other[name].shape)
    ]
    for name in changed[:_MAX_TENSORS_NAMED]:
        sides = (
            f"{each[name].type_name} {'×'.join(map(str, each[name].shape))}" if name in each else ""
            for each in (one, other)
        )
        found.append(Difference("tensors", name, *sides))
    more = len(changed) - _MAX_TENSORS_NAMED
    if more > 0:
        found.append(Difference("tensors", f"and {more} more", "", ""))
    return found


def _in_content(
    before: GgufHeader, after: GgufHeader, sha256_before: str, sha256_after: str
) -> list[Difference]:
    found = []
    if sha256_before and sha256_after:
        found.append(Difference("content", "sha256", sha256_before, sha256_after))
    if before.size_bytes != after.size_bytes:
        found.append(
            Difference("content", "size_bytes", str(before.size_bytes), str(after.size_bytes))
        )
    return found

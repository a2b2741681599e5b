"""The revisions of a model that are kept here: which is in force, and where each came from.

A line is one file of one repository; its revisions lie in files of their own, so that several
are kept side by side. The one in force carries the model's name, aliases, pin and profiles;
changing to another hands these over, in one transaction.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from lockhouse.core.errors import InvalidInput, NotFound
from lockhouse.library.inventory import key_of
from lockhouse.library.model_info import Revision, Source
from lockhouse.storage.database import Database

_HANDED_OVER: Final = ("models", "model_aliases", "model_profiles")
_COLUMNS: Final = "path, line, repo, revision, file, url, license, sha256, added_at, current, newer"


class RevisionRow(msgspec.Struct, frozen=True):
    """One file of a line."""

    path: Path
    line: str
    source: Source
    license: str
    sha256: str
    added_at: str
    current: bool
    newer: str


class Revisions:
    """Rows in, values out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_path(self) -> dict[Path, RevisionRow]:
        """Every file that is known to be a revision."""
        query = f"SELECT {_COLUMNS} FROM model_revisions ORDER BY added_at"  # noqa: S608
        rows = self._database.read().execute(query).fetchall()
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
        keeping: Collection[Path],
    ) -> None:
        """Keep a file as a revision and put it in force, unless the one before is to be kept."""
        line = f"{source.repo}/{source.file}"
        with self._database.write() as database:
            before = database.execute(
                "SELECT path FROM model_revisions WHERE line = ? AND current = 1 AND path <> ?",
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
            current = Path(os.fsdecode(before[0])) if before is not None else path
            if current != path and current not in keeping:
                self.change(current, path)

    def change(self, before: Path, after: Path) -> None:
        """Put one revision in force instead of another."""
        with self._database.write() as database:
            database.execute(
                "UPDATE model_revisions SET current = (path = ?)"
                " WHERE line = (SELECT line FROM model_revisions WHERE path = ?)",
                [key_of(after), key_of(after)],
            )
            for table in _HANDED_OVER:
                database.execute(
                    f"UPDATE OR REPLACE {table} SET path = ? WHERE path = ?",  # noqa: S608
                    [key_of(after), key_of(before)],
                )

    def note_newer(self, path: Path, revision: str) -> None:
        """Remember that the hub has another revision; empty: that it has none."""
        with self._database.write() as database:
            database.execute(
                "UPDATE model_revisions SET newer = ? WHERE path = ? AND revision <> ?",
                [revision, key_of(path), revision],
            )


def named(rows: list[RevisionRow], wanted: str, model: str) -> RevisionRow:
    """The revision that begins so; an empty one is the one in force."""
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


def shown_as(row: RevisionRow) -> Revision:
    """A row as its users see it."""
    return Revision(row.source.revision, row.sha256, row.path, row.added_at, row.current)

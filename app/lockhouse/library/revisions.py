"""The revisions of a model that are kept here: which one is used, and where each came from.

A line is one file of one repository; each of its revisions is a file of its own, so that several
are kept side by side. The one in use carries the model's name, aliases, pin and profiles;
switching to another passes these on, in one transaction.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from lockhouse.core.errors import InvalidInput, NotFound
from lockhouse.library.inventory import key_of
from lockhouse.library.model_info import Source
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
    ) -> None:
        """Keep a file as a revision and use it, unless the one in use is pinned."""
        line = f"{source.repo}/{source.file}"
        with self._database.write() as database:
            before = database.execute(
                "SELECT path, coalesce(pinned, 0) FROM model_revisions LEFT JOIN models USING"
                " (path) WHERE line = ? AND current = 1 AND path <> ?",
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
            if before is not None and not before[1]:
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

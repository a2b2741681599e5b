"""The tables of one service, created or brought up to date at their first use.

Hides the migrations: a service names its steps and reads and writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from lockhouse.storage.connection import Statements, migrations_of

if TYPE_CHECKING:
    import sqlite_utils

    from lockhouse.storage.database import Database


class Tables(Statements):
    """Usable from any thread, for as long as the database is open."""

    def __init__(self, database: Database, service: str, steps: Mapping[str, str]) -> None:
        self._database = database
        self._service = service
        self._steps = steps
        self._is_ready = False

    def read(self) -> sqlite_utils.Database:
        """See :meth:`Database.read`."""
        self._prepare()
        return self._database.read()

    def write(self) -> AbstractContextManager[sqlite_utils.Database]:
        """See :meth:`Database.write`."""
        self._prepare()
        return self._database.write()

    def _prepare(self) -> None:
        if not self._is_ready:
            self._database.migrate(migrations_of(self._service, self._steps))
            self._is_ready = True

"""Which providers may be sent something without a confirmation each time.

A consent holds for a name together with its hosts: a provider whose address was changed has to
be allowed again. Servers of the own network need none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lockhouse.gate.providers import Provider
from lockhouse.gate.records import Records
from lockhouse.storage.database import Tables

if TYPE_CHECKING:
    from lockhouse.storage.database import Database

_TABLE = """
CREATE TABLE consents (
    provider TEXT PRIMARY KEY,
    hosts TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT
"""


class Consent(msgspec.Struct, frozen=True):
    """One provider that may be sent something without a confirmation."""

    provider: str
    hosts: tuple[str, ...]
    at: str


_ConsentList = list[Consent]


class Consents:
    """The consents of one home. Usable from any thread. Its first use creates the table."""

    def __init__(self, database: Database) -> None:
        self._tables = Tables(database, "consents", {"consents": _TABLE})
        self._records = Records(database)

    def given(self, provider: Provider) -> bool:
        """Whether something may be sent there without a confirmation."""
        if provider.zone == "lan":
            return True
        return any(
            consent.provider == provider.name and set(provider.hosts) <= set(consent.hosts)
            for consent in self.list()
        )

    def give(self, provider: Provider, *, by: str = "window") -> None:
        """Allow it, for the hosts it has now. ``by`` is the word in the records."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._tables.write() as database:
            database.execute(
                "INSERT OR REPLACE INTO consents VALUES (?, ?, ?)",
                [provider.name, " ".join(provider.hosts), at],
            )
            self._records.note(  # given only if this is recorded
                "consent_given", host=" ".join(provider.hosts), purpose=by, outcome=provider.name
            )

    def withdraw(self, name: str, *, by: str = "window") -> bool:
        """Require a confirmation from now on. Whether it had been allowed."""
        with self._tables.write() as database:
            removed = database.execute("DELETE FROM consents WHERE provider = ?", [name]).rowcount
            if removed:
                self._records.note("consent_withdrawn", purpose=by, outcome=name)
        return bool(removed)

    def list(self) -> _ConsentList:
        """All consents, by name of provider."""
        rows = self._tables.rows("SELECT provider, hosts, at FROM consents ORDER BY provider")
        return [Consent(name, tuple(hosts.split()), at) for name, hosts, at in rows]

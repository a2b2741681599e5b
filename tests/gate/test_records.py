"""The records: what they hold, finding one among many, and forgetting the old."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlite_utils
from sqlcipher3.dbapi2 import IntegrityError

from lockhouse.gate.client import GateClient
from lockhouse.gate.consents import Consents
from lockhouse.gate.network import Network
from lockhouse.gate.protocol import Record
from lockhouse.gate.providers import presets
from lockhouse.gate.records import RecordFilter, Records, Term
from lockhouse.storage.database import Database

OLD = Path(__file__).parents[1] / "data" / "db" / "lockhouse-0.1.0.db"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    yield database
    database.close()


def test_what_is_done_at_the_gate_is_kept(tmp_path: Path, database: Database) -> None:
    gate, records = (
        GateClient(Network(tmp_path / "network.json"), database, None),
        Records(database),
    )
    gate.note("key_set", host="api.openai.com:443", purpose="window", outcome="openai")
    gate.note("consent_given", host="api.openai.com:443", purpose="command", outcome="openai")
    gate.note("proved", purpose="window", outcome="12 attempts, all stopped")
    kinds = [kept.record.kind for kept in records.search()]
    assert kinds == ["proved", "consent_given", "key_set"]
    (found,) = records.search(RecordFilter(kinds=("key_set",)))
    assert (found.seq, found.record.outcome) == (1, "openai")
    both = RecordFilter(terms=(Term("OPENAI"), Term("window")))
    assert [kept.seq for kept in records.search(both)] == [1]
    assert records.search(RecordFilter(terms=(Term("nobody"),))) == []


def test_pages_go_back_in_time(database: Database) -> None:
    records = Records(database)
    for number in range(5):
        records.note("refused", outcome=str(number))
    first = records.search(limit=2)
    assert [kept.record.outcome for kept in first] == ["4", "3"]
    second = records.search(limit=2, before=first[-1].seq)
    assert [kept.record.outcome for kept in second] == ["2", "1"]


def test_what_cannot_be_recorded_is_not_changed(database: Database) -> None:
    records, consents = Records(database), Consents(database)
    api = presets().providers[0]
    consents.give(api)
    records.note("refused")
    with database.write() as written:
        written.execute(
            "CREATE TRIGGER full BEFORE INSERT ON network_records"
            " BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    with pytest.raises(IntegrityError):
        records.prune(datetime.now(UTC) + timedelta(days=1), purpose="command")
    assert records.count(RecordFilter()) == 2
    with pytest.raises(IntegrityError):
        consents.withdraw(api.name)
    assert consents.given(api)
    with pytest.raises(IntegrityError):
        consents.give(presets().providers[1])
    assert not consents.given(presets().providers[1])


def test_old_ones_go_when_asked_and_that_is_told(database: Database) -> None:
    records = Records(database)
    now = datetime.now(UTC)
    for days in (100, 50, 1):
        at = (now - timedelta(days=days)).isoformat(timespec="milliseconds")
        records.add(Record(at, "transfer", f"host{days}:443"))
    assert records.prune(now - timedelta(days=30), purpose="command") == 2
    kept = records.search()
    assert [found.record.kind for found in kept] == ["pruned", "transfer"]
    assert kept[0].record.outcome.startswith("2 records before ")
    assert kept[0].seq == 4  # numbers are never given twice
    assert records.prune(now - timedelta(days=30), purpose="command") == 0
    assert len(records.search()) == 2  # nothing went, nothing is told


def test_records_of_an_older_release_are_taken_over(tmp_path: Path) -> None:
    shutil.copy(OLD, tmp_path / "lockhouse.db")
    old = sqlite_utils.Database(tmp_path / "lockhouse.db")
    assert old["network_records"].exists() is False  # that release had none yet
    old.close()
    database = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    records = Records(database)
    records.note("key_removed", outcome="openai")
    assert records.count(RecordFilter(("key_removed",))) == 1
    database.close()


def test_the_first_table_becomes_the_second(database: Database) -> None:
    from lockhouse.gate import records as module
    from lockhouse.storage.connection import migrations_of

    database.migrate(migrations_of("gate", {"network_records": module._TABLE}))
    with database.write() as file:
        file.execute(
            "INSERT INTO network_records (seq, at, kind, host) VALUES (7, '2026', 'sealed', 'x')"
        )
    records = Records(database)
    records.note("key_tested", outcome="ok")
    assert [(kept.seq, kept.record.kind) for kept in records.search()] == [
        (8, "key_tested"),
        (7, "sealed"),
    ]


def test_a_hundred_thousand_are_searched_by_the_index_of_their_numbers(database: Database) -> None:
    """No clock here: the plan says that neither the newest page nor a filtered one sorts."""
    records = Records(database)
    records.note("sealed")
    with database.write() as file:
        file.execute(
            "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted"
            " WHERE n < 100000) INSERT INTO network_records (at, kind, host, purpose, bytes_out)"
            " SELECT '2026-01-01', CASE n % 3 WHEN 0 THEN 'refused' ELSE 'transfer' END,"
            " 'host' || n || '.example:443', 'answer', n FROM counted"
        )
    wanted = RecordFilter(("refused",), (Term("host99999."),))
    (found,) = records.search(wanted)
    assert found.record.host == "host99999.example:443"
    assert records.count(RecordFilter(("refused",))) == 33333
    plan = database.read().execute(
        "EXPLAIN QUERY PLAN SELECT count(*) FROM network_records WHERE kind IN ('refused')"
    )
    assert "COVERING INDEX network_records_by_kind" in str(plan.fetchall())
    plan = database.read().execute(
        "EXPLAIN QUERY PLAN SELECT * FROM network_records WHERE 1 ORDER BY seq DESC LIMIT 100"
    )
    assert "TEMP B-TREE" not in str(plan.fetchall())

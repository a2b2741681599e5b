"""The records: counted, found by words and kinds, read in pages, summed up for a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.gate.protocol import Record, RecordKind
from lockhouse.gate.records import RecordFilter, Records, Session, Term
from lockhouse.storage.database import Database

AT = "2026-11-22T10:00:00.000+00:00"


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    database = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    yield Records(database)
    database.close()


def add(records: Records, kind: RecordKind, **more: object) -> None:
    records.add(Record(AT, kind, **more))  # type: ignore[arg-type] # fields of a record


def test_nothing_is_counted_as_nothing(records: Records) -> None:
    assert records.last_seq() == 0
    assert records.count(RecordFilter()) == 0
    assert records.page(RecordFilter(), offset=0, limit=5) == ()
    assert records.since(0) == Session()


def test_pages_are_counted_from_the_oldest(records: Records) -> None:
    for number in range(7):
        add(records, "transfer", host=f"h{number}")
    found = records.page(RecordFilter(), offset=2, limit=3)
    assert [kept.record.host for kept in found] == ["h2", "h3", "h4"]
    add(records, "sealed")
    assert records.page(RecordFilter(), offset=2, limit=3) == found


def test_words_and_kinds_are_held_against_every_record(records: Records) -> None:
    add(records, "transfer", host="Api.Mistral.ai:443", purpose="download", outcome="200")
    add(records, "transfer", host="other.example:443", purpose="search", outcome="timed_out")
    add(records, "refused", host="api.mistral.ai:443", outcome="sealed")
    host = Term("mistral")
    assert records.count(RecordFilter(terms=(host,))) == 2
    assert records.count(RecordFilter(("refused",), (host,))) == 1
    assert records.count(RecordFilter(terms=(Term("fetched", ("download",)),))) == 1
    assert records.count(RecordFilter(terms=(host, Term("timed_out")))) == 0
    assert records.count(RecordFilter(terms=(Term("100%"),))) == 0  # no pattern


def test_a_session_is_what_came_after_its_beginning(records: Records) -> None:
    add(records, "transfer", host="before:443", bytes_out=900)
    began = records.last_seq()
    add(records, "transfer", host="less:443", bytes_out=10)
    add(records, "transfer", host="more:443", bytes_out=300)
    add(records, "transfer", host="more:443", bytes_out=40)
    add(records, "transfer", host="none:443", outcome="dns")
    add(records, "refused", host="bad:443")
    assert records.since(began) == Session(350, ("more:443", "less:443"), 1)

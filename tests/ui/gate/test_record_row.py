"""What a record says to its reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from lockhouse.gate.protocol import Record, RecordKind
from lockhouse.ui.gate import record_row

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
SEALED_AT = "2026-11-22T10:12:00.000+00:00"


def record(kind: RecordKind, **more: object) -> Record:
    return Record(SEALED_AT, kind, **more)  # type: ignore[arg-type]


def test_what_moved_nothing_was_not_sent() -> None:
    assert record_row.sign_of(record("transfer", bytes_out=120, outcome="200")).word == "Sent"
    failed = record("transfer", outcome="connection_lost", purpose="download")
    assert record_row.sign_of(failed).word == "Failed"
    assert record_row.purpose_of(failed) == "Model download: connection lost"


@pytest.mark.parametrize("kind", ["key_set", "consent_given", "pruned", "proved", "a_later_kind"])
def test_every_kind_has_a_word_and_an_icon(kind: RecordKind) -> None:
    sign = record_row.sign_of(record(kind))
    assert sign.word
    assert sign.icon


def test_a_status_is_told_when_it_is_no_good_one() -> None:
    assert record_row.trouble_of(record("transfer", outcome="200")) == ""
    assert record_row.trouble_of(record("transfer", outcome="401")) == "answered 401"
    assert record_row.trouble_of(record("refused", outcome="sealed")) == "the network was sealed"


def test_an_answers_purpose_shows_no_number() -> None:
    shown = record_row.purpose_of(
        record("transfer", outcome="200", purpose="answer of mistral/big #12")
    )
    assert shown == "Answer of mistral/big"


def test_allowed_hosts_are_shown_with_how_many_more() -> None:
    opened = record("unsealed", outcome="a.example:443 b.example:8080")
    assert record_row.host_of(opened) == "a.example +1"


def test_a_port_that_only_begins_like_the_usual_one_is_told_whole() -> None:
    asked = record("transfer", host="10.0.0.2:4431", bytes_out=120)
    assert record_row.host_of(asked) == "10.0.0.2:4431"
    key = record("key_set", host="a.example:443 b.example:4430")
    assert record_row.host_of(key) == "a.example b.example:4430"
    opened = record("unsealed", outcome="a.example:4430 b.example:443")
    assert record_row.host_of(opened) == "a.example:4430 +1"


def test_a_time_is_of_the_readers_own_day() -> None:
    east = timezone(timedelta(hours=13))
    here = record("sealed")
    assert record_row.time_of(here, NOW) == "10:12"
    assert record_row.time_of(here, NOW + timedelta(days=1)) == "22\u00a0Nov"
    assert record_row.time_of(here, NOW.astimezone(east)) == "23:12"
    assert record_row.time_of(Record("nonsense", "sealed"), NOW) == "nonsense"


def test_typed_words_also_find_what_is_only_shown() -> None:
    (term,) = record_row.terms_of("Download")
    assert term.text == "download"
    assert "download" in term.purposes

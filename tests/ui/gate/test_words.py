"""What the records say, and the sentence of the banner, in every state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from lockhouse.gate.protocol import Record, RecordKind
from lockhouse.gate.records import Session
from lockhouse.ui.gate import record_row as words
from lockhouse.ui.gate.banner import sentence
from lockhouse.ui.gate.records_model import Activity
from lockhouse.ui.network_monitor import NetworkView

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
SEALED_AT = "2026-11-22T10:12:00.000+00:00"


def record(kind: RecordKind, **more: object) -> Record:
    return Record(SEALED_AT, kind, **more)  # type: ignore[arg-type]


def test_what_moved_nothing_was_not_sent() -> None:
    assert words.sign_of(record("transfer", bytes_out=120, outcome="200")).word == "Sent"
    failed = record("transfer", outcome="connection_lost", purpose="download")
    assert words.sign_of(failed).word == "Failed"
    assert words.purpose_of(failed) == "Model download: connection lost"


@pytest.mark.parametrize("kind", ["key_set", "consent_given", "pruned", "proved", "a_later_kind"])
def test_every_kind_has_a_word_and_an_icon(kind: RecordKind) -> None:
    sign = words.sign_of(record(kind))
    assert sign.word
    assert sign.icon


def test_a_status_is_told_when_it_is_no_good_one() -> None:
    assert words.trouble_of(record("transfer", outcome="200")) == ""
    assert words.trouble_of(record("transfer", outcome="401")) == "answered 401"
    assert words.trouble_of(record("refused", outcome="sealed")) == "the network was sealed"


def test_an_answers_purpose_shows_no_number() -> None:
    shown = words.purpose_of(record("transfer", outcome="200", purpose="answer of mistral/big #12"))
    assert shown == "Answer of mistral/big"


def test_allowed_hosts_are_shown_with_how_many_more() -> None:
    opened = record("unsealed", outcome="a.example:443 b.example:8080")
    assert words.host_of(opened) == "a.example +1"


def test_a_port_that_only_begins_like_the_usual_one_is_told_whole() -> None:
    asked = record("transfer", host="10.0.0.2:4431", bytes_out=120)
    assert words.host_of(asked) == "10.0.0.2:4431"
    key = record("key_set", host="a.example:443 b.example:4430")
    assert words.host_of(key) == "a.example b.example:4430"
    opened = record("unsealed", outcome="a.example:4430 b.example:443")
    assert words.host_of(opened) == "a.example:4430 +1"


def test_a_time_is_of_the_readers_own_day() -> None:
    east = timezone(timedelta(hours=13))
    here = record("sealed")
    assert words.time_of(here, NOW) == "10:12"
    assert words.time_of(here, NOW + timedelta(days=1)) == "22\u00a0Nov"
    assert words.time_of(here, NOW.astimezone(east)) == "23:12"
    assert words.time_of(Record("nonsense", "sealed"), NOW) == "nonsense"


def test_typed_words_also_find_what_is_only_shown() -> None:
    (term,) = words.terms_of("Download")
    assert term.text == "download"
    assert "download" in term.purposes


SESSION = Session(448, ("api.mistral.ai:443",), refused=2)


@pytest.mark.parametrize(
    ("view", "told", "title", "below"),
    [
        (
            NetworkView(),
            Activity(record("sealed", purpose="window"), SESSION),
            "Sealed. Nothing can leave this machine.",
            "Before that, 448 bytes went to api.mistral.ai in this session, and two",
        ),
        (
            NetworkView(),
            Activity(None, Session()),
            "Sealed.",
            "Network access was never allowed. Nothing was sent",
        ),
        (
            NetworkView("open", hosts=("api.mistral.ai:443",), since=SEALED_AT, bytes_out=1500),
            Activity(record("unsealed", purpose="command")),
            "Network access to api.mistral.ai",
            "Allowed by a command at 10:12, until you seal it. 2\u00a0kB sent",
        ),
        (
            NetworkView("start_anew", hosts=("api.mistral.ai:443",), since=SEALED_AT),
            Activity(),
            "Network access starts after a restart.",
            "quit Lockhouse and start it again",
        ),
        (
            NetworkView("broker_gone", hosts=("x.example:443",)),
            Activity(),
            "The network process stopped. Restart Lockhouse.",
            "",
        ),
        (
            NetworkView("damaged", explanation="network.json is damaged."),
            Activity(),
            "cannot be read",
            "network.json is damaged.",
        ),
    ],
)
def test_the_banner_says_how_it_stands(
    view: NetworkView, told: Activity, title: str, below: str
) -> None:
    said = sentence(view, told, "kernel", NOW)
    assert title in said.title
    assert below in said.below
    assert said.is_closed == (not view.is_open)


def test_what_enforces_it_is_named_honestly() -> None:
    assert "Enforced by the kernel" in sentence(NetworkView(), Activity(), "kernel", NOW).below
    python = sentence(NetworkView(), Activity(), "python", NOW)
    assert python.title == "Sealed by the program only."
    assert "native code is not held back" in python.below
    assert not sentence(NetworkView(), Activity(), "none", NOW).is_closed


def test_a_port_is_named_where_the_name_alone_says_too_little() -> None:
    assert NetworkView("open", hosts=("api.example:443",)).place == "api.example"
    assert NetworkView("open", hosts=("box.lan:80",)).place == "box.lan"
    assert NetworkView("open", hosts=("192.168.1.20:8080",)).place == "192.168.1.20:8080"
    both = NetworkView("open", hosts=("box.lan:443", "box.lan:80"))
    assert both.place == "box.lan:443 and 1 more"
    hub = ("huggingface.co:443", "*.huggingface.co:443", "*.hf.co:443")
    assert NetworkView("open", hosts=hub).place == "huggingface.co"

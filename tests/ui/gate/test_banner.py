"""The banner of the Gate page, in every state of the network."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lockhouse.gate.protocol import Record, RecordKind
from lockhouse.gate.records import Session
from lockhouse.ui.gate.banner import sentence
from lockhouse.ui.gate.records_model import Activity
from lockhouse.ui.network_monitor import NetworkView

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
SEALED_AT = "2026-11-22T10:12:00.000+00:00"


def record(kind: RecordKind, **more: object) -> Record:
    return Record(SEALED_AT, kind, **more)  # type: ignore[arg-type]


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
            NetworkView("open", hosts=("api.mistral.ai:443", "box.lan:443"), since=SEALED_AT),
            Activity(record("unsealed", purpose="command")),
            "Network access to api.mistral.ai and 1 more",
            "Only the network process can reach them",
        ),
        (
            NetworkView("start_anew", hosts=("api.mistral.ai:443",), since=SEALED_AT),
            Activity(),
            "Network access starts after a restart.",
            "stays sealed until Lockhouse is restarted",
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

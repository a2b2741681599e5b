"""A file fetched through the guarded client, encrypted and plain, straight from the connection."""

# ruff: noqa: F811 - a fixture is asked for by its name

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.gate.broker import operation as operations
from lockhouse.gate.broker import range_download
from lockhouse.gate.broker.context import BrokerContext
from lockhouse.gate.broker.guard import Guard
from lockhouse.gate.broker.transport import GuardedTransport
from lockhouse.gate.hub_requests import Fetched, FetchFile
from lockhouse.gate.network import NetworkState
from lockhouse.gate.protocol import Record
from tests.gate.test_transport import certificate  # noqa: F401 - a fixture
from tests.hub.content import Blob, Fault
from tests.hub.server import HubServer

CONTENT = os.urandom(5 << 20)


@pytest.fixture(params=["plain", "encrypted"])
def hub(request: pytest.FixtureRequest, certificate: Path) -> Iterator[HubServer]:
    context = None
    if request.param == "encrypted":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    with HubServer(tls=context) as server:
        yield server


def fetched(
    hub: HubServer, trusted: ssl.SSLContext, path: Path, records: list[Record], *, start: int
) -> Fetched:
    """Fetch the rest of the file, the way the broker does."""
    state = NetworkState("open", hub.hosts, endpoint=hub.url)
    repo = hub.repos["org/Model-GGUF"]
    request = FetchFile(
        repo.name, "m.gguf", repo.main, len(CONTENT), repo.commits[repo.main]["m.gguf"].sha256,
        start, len(CONTENT), start, idle_timeout_s=0.5,
    )  # fmt: skip
    guard = Guard(state)
    transport = GuardedTransport(guard, trusted)
    with path.open("r+b") as file:
        context = BrokerContext(guard, "download", records.append, transport, (file.fileno(),))
        with operations.carrying_out(context):
            steps = range_download.fetch(request, context)
            try:
                while True:
                    next(steps)
            except StopIteration as ended:
                reply: Fetched = ended.value
        transport.end()
    return reply


def test_the_bytes_come_whole_and_are_counted(
    hub: HubServer,
    certificate: Path,
    tmp_path: Path,
) -> None:
    hub.add("org/Model-GGUF", {"m.gguf": Blob(CONTENT, faults=[Fault("reset", at=3 << 20)])})
    trusted = ssl.create_default_context(cafile=certificate)
    path, records = tmp_path / "part", list[Record]()
    path.touch()
    cut = fetched(hub, trusted, path, records, start=0)
    assert cut.end == "cut"
    assert CONTENT.startswith(path.read_bytes())
    rest = fetched(hub, trusted, path, records, start=cut.written_bytes)
    assert rest.end == "complete"
    assert path.read_bytes() == CONTENT
    came = sum(record.bytes_in for record in records if record.kind == "transfer")
    assert len(CONTENT) <= came < len(CONTENT) + (1 << 20)
    assert records[-1].outcome == "206"


def test_a_stall_ends_after_its_time(
    hub: HubServer,
    certificate: Path,
    tmp_path: Path,
) -> None:
    hub.add("org/Model-GGUF", {"m.gguf": Blob(CONTENT, faults=[Fault("stall", at=1 << 20)])})
    path, records = tmp_path / "part", list[Record]()
    path.touch()
    trusted = ssl.create_default_context(cafile=certificate)
    ended = fetched(hub, trusted, path, records, start=0)
    assert ended.end == "stalled"
    assert ended.written_bytes == path.stat().st_size > 0

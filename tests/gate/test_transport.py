"""The client from inside: encrypted connections, cancelling, keys, and the guard's own looks."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lockhouse.core.errors import Cancelled, LockhouseError, NetworkRefused
from lockhouse.gate.broker import operation as operations
from lockhouse.gate.broker.guard import Guard
from lockhouse.gate.broker.network_errors import for_status, map_error
from lockhouse.gate.broker.operation import Operation
from lockhouse.gate.broker.transport import GuardedTransport, make_client
from lockhouse.gate.dialects.provider_errors import retry_after_s
from lockhouse.gate.network import NetworkState
from lockhouse.gate.protocol import Record, RemoteFailure


class TlsServer:
    """Answers each connection with what it is told to, encrypted."""

    def __init__(self, certificate: Path, answer: bytes) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self._answer = answer
        self.asked = threading.Event()
        self.gone = threading.Event()
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            plain, _ = self._socket.accept()
            with self._context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(65536)
                self.asked.set()
                connection.sendall(self._answer)
                if not connection.recv(1):
                    self.gone.set()
        except OSError:
            self.gone.set()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that only these tests trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def records() -> list[Record]:
    return []


def begun(host: str, records: list[Record]) -> Operation:
    return Operation(Guard(NetworkState("open", (host,))), "test", records.append)


@pytest.fixture
def server(certificate: Path) -> Iterator[TlsServer]:
    with_body = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    server = TlsServer(certificate, with_body)
    yield server
    server.close()


def test_encrypted_and_counted(server: TlsServer, certificate: Path, records: list[Record]) -> None:
    operation = begun(f"127.0.0.1:{server.port}", records)
    trusted = ssl.create_default_context(cafile=certificate)
    with operations.carrying_out(operation):
        transport = GuardedTransport(operation.guard, trusted)
        answer = make_client(transport).get(f"https://127.0.0.1:{server.port}/")
        transport.end()
    assert answer.text == "hello"
    assert [record.kind for record in records] == ["allowed", "transfer"]
    assert records[1].outcome == "200"
    assert records[1].bytes_in == len(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


def test_a_certificate_that_nobody_vouches_for_is_refused(
    server: TlsServer, records: list[Record]
) -> None:
    operation = begun(f"127.0.0.1:{server.port}", records)
    with operations.carrying_out(operation), pytest.raises(Exception) as caught:  # noqa: PT011
        make_client(GuardedTransport(operation.guard)).get(f"https://127.0.0.1:{server.port}/")
    known = map_error(caught.value)
    assert known is not None
    assert known.code == records[-1].outcome == "tls"
    assert not server.asked.is_set()


def test_cancelling_ends_an_encrypted_wait(certificate: Path, records: list[Record]) -> None:
    server = TlsServer(certificate, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
    operation = begun(f"127.0.0.1:{server.port}", records)
    trusted = ssl.create_default_context(cafile=certificate)

    def cancel() -> None:
        server.asked.wait(30)
        operation.cancel()

    threading.Thread(target=cancel).start()
    with operations.carrying_out(operation), pytest.raises(Cancelled):
        make_client(GuardedTransport(operation.guard, trusted)).get(
            f"https://127.0.0.1:{server.port}/"
        )
    assert server.gone.wait(30)
    assert records[-1].outcome == "cancelled"
    server.close()


def test_without_an_operation_nothing_is_asked(records: list[Record]) -> None:
    client = make_client(GuardedTransport(begun("127.0.0.1:80", records).guard))
    with pytest.raises(NetworkRefused, match="No operation asked"):
        client.get("http://127.0.0.1/")


def test_time_runs_out(records: list[Record]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        operation = begun(host, records)
        operation.limits.total_s = 0.2
        with operations.carrying_out(operation), pytest.raises(Exception) as caught:  # noqa: PT011
            make_client(GuardedTransport(operation.guard)).get(f"http://{host}/")
        known = map_error(caught.value)
        assert known is not None
        assert known.code == "timed_out"


def test_a_key_does_not_travel_unencrypted() -> None:
    hosts = ("hub.example:80", "hub.example:443", "10.0.0.5:80", "127.0.0.1:80")
    guard = Guard(NetworkState("open", hosts))
    guard.check("https", "hub.example", 443, has_key=True)
    guard.check("http", "hub.example", 80, has_key=False)
    guard.check("http", "10.0.0.5", 80, has_key=True)
    guard.check("http", "127.0.0.1", 80, has_key=True)
    with pytest.raises(NetworkRefused) as caught:
        guard.check("http", "hub.example", 80, has_key=True)
    assert caught.value.code == "key_unencrypted"


def test_a_guard_becomes_narrower_only() -> None:
    guard = Guard(NetworkState("open", ("a.example:443", "b.example:443")))
    both = guard.narrowed(("b.example:443", "c.example:443"), lan=True)
    assert both.state.hosts == ("b.example:443",)
    assert both.state.lan
    assert Guard(NetworkState("open", ("a.example:1",), lan=True)).narrowed((), lan=False).state.lan


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("17", 17), ("", 0), ("soon", 0), ("-5", 0), ("99999999", 86_400), ("1.5", 1.5),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("\u0661", 0), ("9" * 5000, 86_400), ("nan", 0),
     ("Fri, 31 Dec 9999 23:59:59 -0000", 86_400), ("Mon, 01 Jan 0100 00:00:00 -0000", 0),
     ("Mon, 01 Jan 2026 00:00:00 +9999999999999999999999", 0)],
)  # fmt: skip
def test_retry_after(value: str, seconds: float) -> None:
    assert retry_after_s({"retry-after": value}) == seconds


def test_what_a_host_says_of_its_error_is_quoted_short_and_clean() -> None:
    said = "No\x9b2J, \u202etry sk-abcdef123456 " + "x" * 5000
    failure = for_status(500, {"x-error-message": said}, "hub.example")
    assert "No2J, try …" in failure.message
    assert failure.message.isprintable()
    assert len(failure.message) < 400


def test_what_is_a_bug_is_not_explained_away() -> None:
    assert map_error(KeyError("x")) is None
    failure = RemoteFailure("no", code="gated")
    assert map_error(failure) is failure
    assert isinstance(map_error(TimeoutError()), LockhouseError)

"""A provider on loopback: speaks one of the three dialects, and misbehaves when told to.

A fault is chosen by the model's name (``fault-429``, ``fault-stall-middle``: see
``replies.FAULTS``), or for the next request by ``server.faults.append(Fault(...))``, or from
another process with ``POST /control {"fault": "429", "retry_after": "2"}``. Everything that
comes is kept byte for byte in ``server.requests``; ``GET /control`` tells it as JSON.

    python -m tests.remote.server --dialect openai --port 0 [--key KEY] [--delay 0.05]
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.remote.replies import STATUSES, Fault, Reply
from tests.remote.shapes import (
    ERRORS,
    ERRORS_INSIDE,
    MODELS,
    STREAMS,
    DialectName,
    gemini_blocked,
)

BASES: dict[DialectName, str] = {"openai": "/v1", "anthropic": "/v1", "gemini": "/v1beta"}
HUGE_BYTES = 20 << 20
_DRIP_S = 0.02
_PIECE_BYTES = 37  # so that nothing ends where it would be easy


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it came: header names in their own writing and order."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    port: int = 0  # of the client: tells connections apart

    def header(self, name: str) -> str:
        return next((v for k, v in self.headers if k.lower() == name.lower()), "")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class RemoteServer:
    """One server. A context manager.

    ``key`` is the only one that is accepted; empty accepts everybody. ``models`` maps names to
    what the list tells beside them.
    """

    dialect: DialectName = "openai"
    key: str = ""
    models: dict[str, dict[str, Any]] = field(default_factory=lambda: {"small": {}, "large": {}})
    reply: Reply = field(default_factory=Reply)
    faults: list[Fault] = field(default_factory=list)
    requests: list[Sent] = field(default_factory=list)
    address: str = "127.0.0.1"
    port: int = 0
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released once for each request for an answer."""
    stalled: threading.Event = field(default_factory=threading.Event)  # a fault waits now
    gone: threading.Event = field(default_factory=threading.Event)  # a client hung up
    gone_at: float = 0.0  # when, by time.monotonic()
    first_byte_at: float = 0.0  # when the latest answer's first event was written
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _server: Any = None

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"remote": self})
        self._server = _Server((self.address, self.port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        """For the list of hosts."""
        return f"{self.address}:{self.port}"

    @property
    def endpoint(self) -> str:
        """For ``Provider.endpoints``."""
        return f"http://{self.host}{BASES[self.dialect]}"

    def asked(self) -> list[Sent]:
        """The requests for answers, without those for the list of models."""
        return [each for each in self.requests if each.method == "POST"]

    def note_gone(self) -> None:
        self.gone_at = self.gone_at or time.monotonic()
        self.gone.set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 0
    remote: RemoteServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/control":
            self._tell_requests()
            return
        self._keep(b"")
        if not self._has_key():
            self._refuse_key("")
        elif urlsplit(self.path).path == f"{BASES[self.remote.dialect]}/models":
            fault = self._next_fault("")
            if fault is None:
                self._send(200, MODELS[self.remote.dialect](self.remote.models))
            else:
                self._misbehave(fault, "")
        else:
            self._refuse(404, "404", "")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if urlsplit(self.path).path == "/control":
            self._take_order(json.loads(body))
            return
        sent = self._keep(body)
        self.remote.arrived.release()
        model = self._model(sent)
        fault = self._next_fault(model)
        if not self._has_key():
            self._refuse_key(model)
        elif not self._is_an_answers_path():
            self._send(404, {"detail": "Not Found"})
        elif not self._is_known(model) and fault is None:
            self._refuse(404, "404", model)
        elif fault is None or not self._misbehave(fault, model):
            self._answer(model, fault)

    # -- what was asked ------------------------------------------------------------------------

    def _keep(self, body: bytes) -> Sent:
        sent = Sent(
            self.command,
            self.path,
            tuple(self.headers.items()),
            body,
            self.client_address[1],
        )
        with self.remote.lock:
            self.remote.requests.append(sent)
        return sent

    def _model(self, sent: Sent) -> str:
        if self.remote.dialect == "gemini":
            return urlsplit(sent.path).path.rpartition("/")[2].partition(":")[0]
        return str(sent.json.get("model", ""))

    def _is_an_answers_path(self) -> bool:
        path = urlsplit(self.path)
        if self.remote.dialect == "gemini":
            return path.path.endswith(":streamGenerateContent") and path.query == "alt=sse"
        wanted = "/messages" if self.remote.dialect == "anthropic" else "/chat/completions"
        return path.path == BASES[self.remote.dialect] + wanted

    def _is_known(self, model: str) -> bool:
        return model in self.remote.models or model.startswith("fault-")

    def _has_key(self) -> bool:
        if not self.remote.key:
            return True
        given = {
            "openai": self.headers.get("Authorization", "").removeprefix("Bearer "),
            "anthropic": self.headers.get("x-api-key", ""),
            "gemini": self.headers.get("x-goog-api-key", ""),
        }
        return given[self.remote.dialect] == self.remote.key

    def _next_fault(self, model: str) -> Fault | None:
        with self.remote.lock:
            if self.remote.faults:
                return self.remote.faults.pop(0)
        return Fault(model.removeprefix("fault-")) if model.startswith("fault-") else None

    # -- faults --------------------------------------------------------------------------------

    def _misbehave(self, fault: Fault, model: str) -> bool:
        """Whether that was the whole answer."""
        if fault.name.isdecimal() and int(fault.name) in STATUSES:
            self._refuse(int(fault.name), fault.name, model, fault)
        elif fault.name == "blocked" and self.remote.dialect == "gemini":
            self._begin()
            self._chunk(gemini_blocked())
            self.wfile.write(b"0\r\n\r\n")
        elif fault.name in ("context", "quota", "blocked"):
            is_quota = fault.name == "quota" and self.remote.dialect != "anthropic"
            self._refuse(429 if is_quota else 400, fault.name, model, fault)
        elif fault.name == "reset-before":
            self._reset()
        elif fault.name == "stall-before":
            self._stall()
        elif fault.name == "wrong-type":
            self._send_bytes(200, b"<html><body>Sign in to the Wi-Fi</body></html>", "text/html")
        elif fault.name in ("raw", "endless"):
            self._send_raw(fault)
        elif fault.name == "endless-head":
            self._repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        elif fault.name == "redirect":
            self._send_bytes(302, b"", "text/plain", {"Location": fault.to or "/elsewhere"})
        else:
            return False
        return True

    def _answer(self, model: str, fault: Fault | None) -> None:
        name = fault.name if fault is not None else ""
        reply = self.remote.reply
        events = STREAMS[self.remote.dialect](
            model, _refused(reply, self.remote.dialect) if name == "refused" else reply,
            **({"usage": False} if name == "no-usage" else {}),
        )  # fmt: skip
        self._begin()
        try:
            if name == "stall-head":
                self._stall()
            while name == "comments-only" and not self.remote.stopping.wait(_DRIP_S):
                self._chunk(b": PROCESSING\n\n")
            for number, event in enumerate(events):
                self._pause(reply.delay_s)
                if number == 0:
                    self.remote.first_byte_at = time.monotonic()
                if self._is_spoilt(name, event, number, len(events), fault):
                    return
                self._write(event, name)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.remote.note_gone()
            self.close_connection = True

    def _is_spoilt(
        self, name: str, event: bytes, number: int, count: int, fault: Fault | None
    ) -> bool:
        """Do what goes wrong at this event; whether the answer ends here."""
        middle = count // 2
        if name == "error-first" or (name == "error-inside" and number == middle):
            assert fault is not None
            self._chunk(ERRORS_INSIDE[self.remote.dialect](fault.said))
            self.wfile.write(b"0\r\n\r\n")
        elif name == "empty":
            self.wfile.write(b"0\r\n\r\n")
        elif name == "not-sse":
            self._chunk(b"<html><body>Nothing to see here</body></html>")
            self.wfile.write(b"0\r\n\r\n")
        elif number == middle and name == "malformed":
            self._chunk(b'data: {"choices": [{"delta": {"con\n\n')
            return False
        elif number == middle and name == "huge-line":
            self._send_huge_line()
        elif number == middle and name == "stall-middle":
            self._stall()
        elif number == middle and name == "reset-middle":
            self._reset()
        elif number == middle and name == "drip":
            self._drip()
        elif (number == middle and name == "cut") or self._is_end(name, event):
            self.wfile.write(b"0\r\n\r\n")
        else:
            return False
        return True

    def _is_end(self, name: str, event: bytes) -> bool:
        marks = (b'"finish_reason": "', b'"stop_reason": "', b'"finishReason"')
        return name == "no-end" and any(mark in event for mark in marks)

    def _write(self, event: bytes, name: str) -> None:
        if name == "split-utf8":
            for byte in event:
                self._chunk(bytes((byte,)))
        elif name == "cr":
            self._chunk(event.replace(b"\n", b"\r"))
        elif name == "comments":
            self._chunk(b": PROCESSING\n\n" + event)
        else:
            self._chunk(event)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _stall(self) -> None:
        """Nothing, until the client hangs up."""
        self.remote.stalled.set()
        self.close_connection = True
        while not self.remote.stopping.is_set():
            if select.select([self.connection], [], [], 0.05)[0]:
                self.remote.note_gone()
                return

    def _drip(self) -> None:
        self.close_connection = True
        while not self.remote.stopping.wait(_DRIP_S):
            self._chunk(b"d")

    def _send_huge_line(self) -> None:
        self.close_connection = True
        piece = b"x" * (1 << 16)
        self._chunk(b"data: ")
        for _ in range(HUGE_BYTES // len(piece)):
            self._chunk(piece)

    def _send_raw(self, fault: Fault) -> None:
        self._begin(fault.status, fault.kind)
        if fault.name == "endless":
            self._repeat(b"%x\r\n%b\r\n" % (len(fault.body), fault.body))
            return
        for at in range(0, len(fault.body), _PIECE_BYTES):
            self._chunk(fault.body[at : at + _PIECE_BYTES])
        self.wfile.write(b"0\r\n\r\n")

    def _repeat(self, data: bytes) -> None:
        """Until the client hangs up."""
        self.close_connection = True
        try:
            while not self.remote.stopping.is_set():
                self.wfile.write(data)
        except OSError:
            self.remote.note_gone()

    # -- answers -------------------------------------------------------------------------------

    def _begin(self, status: int = 200, kind: str = "text/event-stream; charset=utf-8") -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _refuse(self, status: int, name: str, model: str, fault: Fault | None = None) -> None:
        more = {"Retry-After": fault.retry_after} if fault and fault.retry_after else {}
        said = fault.said if fault else ""
        self._send(status, ERRORS[self.remote.dialect](name, model, said), more)

    def _refuse_key(self, model: str) -> None:
        self._refuse(400 if self.remote.dialect == "gemini" else 401, "401", model)

    def _send(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self._send_bytes(status, json.dumps(value).encode(), "application/json", headers)

    def _send_bytes(
        self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _pause(self, seconds: float) -> None:
        if seconds:
            self.remote.stopping.wait(seconds)

    # -- orders from another process -------------------------------------------------------------

    def _take_order(self, order: dict[str, str]) -> None:
        if "fault" in order:
            fault = Fault(
                order["fault"],
                retry_after=order.get("retry_after", ""),
                to=order.get("to", ""),
                said=order.get("said", ""),
            )
            with self.remote.lock:
                self.remote.faults.append(fault)
        self._send(200, {"faults": len(self.remote.faults)})

    def _tell_requests(self) -> None:
        told = [
            {
                "method": each.method,
                "path": each.path,
                "headers": each.headers,
                "body": each.body.decode(errors="replace"),
            }
            for each in self.remote.requests
        ]
        self._send(200, {"count": len(told), "requests": told})


def _refused(reply: Reply, dialect: DialectName) -> Reply:
    word = {"openai": "content_filter", "anthropic": "refusal", "gemini": "SAFETY"}[dialect]
    return Reply(pieces=reply.pieces[:2], finish=word)


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dialect", choices=tuple(BASES), default="openai")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="", help="the only key that is accepted")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each event")
    parser.add_argument("--text", default="", help="what is answered, a word a piece")
    parser.add_argument("--model", action="append", default=[], help="repeatable")
    arguments = parser.parse_args()
    reply = Reply(delay_s=arguments.delay)
    if arguments.text:
        words = arguments.text.split(" ")
        pieces = (words[0], *(f" {word}" for word in words[1:]))
        reply = Reply(pieces=pieces, delay_s=arguments.delay, completion_tokens=len(pieces))
    models: dict[str, dict[str, Any]] = {name: {} for name in arguments.model or ("small", "large")}
    with RemoteServer(
        arguments.dialect, arguments.key, models, reply, port=arguments.port
    ) as server:
        print(server.endpoint, flush=True)
        server.stopping.wait()


if __name__ == "__main__":
    _main()

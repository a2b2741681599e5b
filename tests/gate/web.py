"""A web server on loopback that answers as its paths say, and remembers who came."""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PIECE = b"0123456789abcdef" * 256


@dataclass(slots=True)
class Web:
    """One server. A context manager."""

    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)  # a client hung up
    stopping: threading.Event = field(default_factory=threading.Event)
    address: str = "127.0.0.1"
    port: int = 0
    _server: Any = None

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"web": self})
        self._server = _Server((self.address, 0), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
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
        return f"{self.address}:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.web.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        parts = urlsplit(self.path)
        words = {name: values[0] for name, values in parse_qs(parts.query).items()}
        getattr(self, "do_" + parts.path.strip("/").split("/")[0])(words)

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_text(self, words: dict[str, str]) -> None:
        self._answer(200, words.get("say", "hello").encode())

    def do_org(self, words: dict[str, str]) -> None:
        """A model card, for those with the right key."""
        if self.headers.get("Authorization") == "Bearer hf_the_right_one":
            self._answer(200, b"# The card")
        else:
            self._answer(401, b"no", X_Error_Code="GatedRepo")

    def do_cookie(self, words: dict[str, str]) -> None:
        self._answer(200, b"", Set_Cookie="who=you; Path=/")

    def do_status(self, words: dict[str, str]) -> None:
        more = {"Retry_After": words["after"]} if "after" in words else {}
        self._answer(int(words["code"]), b"no", **more)

    def do_redirect(self, words: dict[str, str]) -> None:
        self._answer(302, b"", Location=words["to"])

    def do_packed(self, words: dict[str, str]) -> None:
        self._answer(200, b"packed", Content_Encoding="gzip")

    def do_drip(self, words: dict[str, str]) -> None:
        """A piece every few milliseconds, without end."""
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 40))
        self.end_headers()
        try:
            while not self.web.stopping.wait(0.005):
                self.wfile.write(PIECE)
        except OSError:
            self.web.gone.set()
        self.close_connection = True

    def do_stall(self, words: dict[str, str]) -> None:
        """Nothing, until the client hangs up."""
        self.connection.settimeout(60)
        try:
            if not self.connection.recv(1):
                self.web.gone.set()
        except OSError:
            self.web.gone.set()
        self.close_connection = True

    def do_reset(self, words: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(PIECE)
        self.wfile.flush()
        time.sleep(0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

"""Servers that others wrote, as real processes on loopback, with the starter model."""

from __future__ import annotations

import contextlib
import http.client  # noqa: TID251 - another program's own client
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from lockhouse.library.starter import starter_model

LLAMA_SERVER = os.environ.get("LOCKHOUSE_LLAMA_SERVER", "")
_READY = re.compile(rb"Uvicorn running on|server is listening on|listening on http")


class ModelServer:
    """One running server."""

    def __init__(self, line: list[str], port: int, environment: dict[str, str]) -> None:
        self.port = port
        self.process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
        self._said: list[bytes] = []
        self._ready = threading.Event()
        assert self.process.stdout is not None
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}/v1"

    def wait(self) -> None:
        """Until it listens."""
        assert self._ready.wait(120)
        assert self.process.poll() is None, b"".join(self._said)[-2000:]

    def usage(self, body: bytes) -> dict[str, int]:
        """What it counts itself for the same request, asked without a stream."""
        asked: dict[str, Any] = json.loads(body)
        asked.pop("stream_options", None)
        connection = http.client.HTTPConnection("127.0.0.1", self.port)  # noqa: TID251
        with contextlib.closing(connection):
            body = json.dumps({**asked, "stream": False}).encode()
            headers = {"content-type": "application/json"}
            connection.request("POST", "/v1/chat/completions", body, headers)
            told: dict[str, int] = json.load(connection.getresponse())["usage"]
        return told

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._said.append(line)
                if _READY.search(line):
                    self._ready.set()
        self._ready.set()  # it ended


@contextlib.contextmanager
def model_servers(kind: str, count: int) -> Iterator[list[ModelServer]]:
    """So many of one kind: "llama_cpp.server" or "llama-server"."""
    servers = [_start(kind) for _ in range(count)]
    try:
        for server in servers:
            server.wait()
        yield servers
    finally:
        for server in servers:
            server.kill()


def _start(kind: str) -> ModelServer:
    model = starter_model()
    assert model is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if kind == "llama_cpp.server":
        # As it is by itself, it gives an answer up as soon as the next question comes.
        line = [sys.executable, "-m", kind, "--model_alias", "starter", "--n_ctx", "512",
                "--n_threads", "1", "--n_threads_batch", "1",
                "--model", str(model), "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
        return ModelServer(line, port, {**os.environ})
    line = [LLAMA_SERVER, "-m", str(model), "--alias", "starter", "-c", "1024", "-np", "2",
            "-t", "1", "-tb", "1", "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    folder = str(Path(LLAMA_SERVER).resolve().parent)
    return ModelServer(line, port, {**os.environ, "LD_LIBRARY_PATH": folder})

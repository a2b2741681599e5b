"""The programs that are compared, each asked in its own way and timed by the same clock."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import (  # noqa: TID251 - llama-server is asked so; the program never does
    HTTPConnection,
    HTTPResponse,
)
from pathlib import Path

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Failed, Finished, Text
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest, Sampling
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import EngineSpec, LoadSettings
from lockhouse.library.gguf.header import read_header

CONTEXT_LENGTH = 4096
Messages = list[tuple[str, str]]
"""Role and content, the last one the question."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, as its reader saw it."""

    text: str
    first_s: float  # from asking to the first text
    total_s: float  # from asking to the end
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int

    @property
    def decode_per_s(self) -> float:
        """Tokens a second after the first one."""
        return (self.completion_tokens - 1) / (self.total_s - self.first_s)

    @property
    def prompt_per_s(self) -> float:
        """Prompt tokens that had to be read, over the time until the first text came."""
        return (self.prompt_tokens - self.cached_tokens) / self.first_s


class Ours:
    """The whole path of Lockhouse: pool, engine process, channel, events."""

    def __init__(self, model: Path, folder: Path, *, threads: int = 0) -> None:
        settings = LoadSettings(threads=threads, context_length=CONTEXT_LENGTH)
        self._spec = EngineSpec(str(model), model.stem, settings)
        self._endings = _endings(model)
        self._pool = EnginePool(folder / "run", folder / "logs", idle_s=900.0)

    def ask(self, messages: Messages, *, max_tokens: int, endless: bool = False) -> Answered:
        """``endless`` keeps the model from ending before ``max_tokens``."""
        bias = self._endings if endless else {}
        request = AnswerRequest(
            turns=tuple(Turn(role, content) for role, content in messages),  # type: ignore[arg-type]
            sampling=Sampling(temperature=0.0, logit_bias=bias),
            max_tokens=max_tokens,
        )
        started = time.perf_counter()
        first_s = 0.0
        pieces = []
        for event in self._pool.answer(self._spec, request, CancelToken()):
            if isinstance(event, Text):
                first_s = first_s or time.perf_counter() - started
                pieces.append(event.text)
            elif isinstance(event, Failed):
                raise SystemExit(f"Lockhouse: {event.message}\n{event.details}")
            elif isinstance(event, Finished):
                total_s = time.perf_counter() - started
                usage = event.usage
                return Answered(
                    "".join(pieces),
                    first_s,
                    total_s,
                    usage.prompt_tokens,
                    usage.cached_tokens,
                    usage.completion_tokens,
                )
        raise SystemExit("Lockhouse: the answer has no end")

    def renew(self) -> None:
        """Another process with the model loaded: where memory lies differs between them."""
        self._pool.stop()
        self.ask([("user", "Are you there?")], max_tokens=16)

    def close(self) -> None:
        """End the engine."""
        self._pool.stop()
        self._pool.close()


def _endings(model: Path) -> dict[str, float]:
    """The tokens that may end an answer, made impossible; what ignore_eos is to llama-server."""
    values = read_header(model).key_values
    names = ("eos", "bos", "unknown", "eot", "padding")
    ids = (values.get(f"tokenizer.ggml.{name}_token_id") for name in names)
    return {str(token): -100.0 for token in ids if isinstance(token, int)}


class Server:
    """llama-server on this machine's own loopback."""

    def __init__(self, program: Path, model: Path, log: Path, *, threads: int = 0) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        command = [str(program), "-m", str(model), "-c", str(CONTEXT_LENGTH), "--no-ui"]
        command += ["--host", "127.0.0.1", "--port", str(self._port)]
        command += ["-t", str(threads)] if threads else []
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        self._wait_until_ready(log)

    def _wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError):
                connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
                connection.request("GET", "/health")
                ready = connection.getresponse().status == 200
                connection.close()
                if ready:
                    return
            time.sleep(0.1)
        self.close()
        raise SystemExit(f"llama-server did not start:\n{log.read_text(errors='replace')[-2000:]}")

    def ask(self, messages: Messages, *, max_tokens: int, endless: bool = False) -> Answered:
        """The same question in the server's own terms."""
        body = {
            "messages": [{"role": role, "content": content} for role, content in messages],
            "max_tokens": max_tokens,
            "temperature": 0.0,
            "ignore_eos": endless,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        started = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", self._port, timeout=300)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        if response.status != 200:
            raise SystemExit(f"llama-server: {response.read().decode(errors='replace')}")
        first_s = 0.0
        pieces = []
        usage: dict[str, object] = {}
        for chunk in _server_events(response):
            for choice in chunk.get("choices", ()):
                if content := choice["delta"].get("content"):
                    first_s = first_s or time.perf_counter() - started
                    pieces.append(content)
            usage = chunk.get("usage") or usage
        total_s = time.perf_counter() - started
        connection.close()
        details = usage.get("prompt_tokens_details") or {}
        return Answered(
            "".join(pieces),
            first_s,
            total_s,
            int(str(usage["prompt_tokens"])),
            int(details.get("cached_tokens", 0)),  # type: ignore[attr-defined]
            int(str(usage["completion_tokens"])),
        )

    def close(self) -> None:
        """End the server."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _server_events(response: HTTPResponse) -> Iterator[dict]:  # type: ignore[type-arg]
    for line in response:
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])


def bench(
    program: Path, model: Path, *, threads: int, prompt: int, decode: int, depth: int
) -> float:
    """Tokens a second that llama-bench measures once."""
    command = [str(program), "-m", str(model), "-t", str(threads), "-r", "1", "-o", "json"]
    command += ["-p", str(prompt), "-n", str(decode), "-d", str(depth)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)[0]["avg_ts"])

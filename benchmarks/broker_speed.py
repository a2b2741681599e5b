"""What the broker adds to an answer from elsewhere: time, events a second, memory.

    PYTHONPATH=app .venv/bin/python benchmarks/broker_speed.py [--rounds 5] [--events 20000]
        [--json FILE]

One server in a process of its own speaks the OpenAI dialect. It writes into each event when it
wrote it, by the clock that all processes of the machine share. Contestants take turns in every
round: the broker's whole path (socket, HTTP, events, local socket, the client's decoded event),
and the same stream read with httpx2 in one process, decoded into the same values. First events
come one by one with pauses between them, which shows the delay that is added; then as many as
can be, which shows how many a second go through. Each event is an HTTP chunk of its own, as
providers send them; "gathered" is the same with many events in a write. At last answers that
stall are taken back: how long until the server sees it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx2
import msgspec
import psutil
from engine_speed import machine

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from lockhouse.core.cancellation import CancelToken  # noqa: E402
from lockhouse.core.errors import Cancelled  # noqa: E402
from lockhouse.core.events import Text  # noqa: E402
from lockhouse.gate.remote_requests import RemoteEvent, SendAnswerRequest  # noqa: E402
from tests.remote.open_home import OpenHome  # noqa: E402
from tests.remote.server import RemoteServer  # noqa: E402

WORD = " word"


# --- the server ------------------------------------------------------------------------------


def serve() -> None:
    """Answer each request as its body says: how many events, how far apart, how many a write."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    file = connection.makefile("rb")
    while line := file.readline():
        size = 0
        while line := file.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        order = json.loads(file.read(size))
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        time.sleep(order["begin_s"])
        for start in range(0, order["events"], order["gathered"]):
            time.sleep(order["pause_s"])
            count = min(order["gathered"], order["events"] - start)
            connection.sendall(b"".join(_chunk(_event()) for _ in range(count)))
        last = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        connection.sendall(_chunk(last) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


def _event() -> bytes:
    """A chunk as OpenAI writes it; its model's name is the time."""
    return (
        b'data: {"id":"chatcmpl-C1","object":"chat.completion.chunk","created":1763800000,'
        b'"model":"m","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":'
        b'"%d word"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
    ) % time.monotonic_ns()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


# --- the contestants -------------------------------------------------------------------------


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta


class _Chunk(msgspec.Struct):
    choices: list[_Choice]


Contestant = Callable[[bytes], Iterator[str]]


def direct(url: str) -> Contestant:
    """httpx2 in this process: what a program without a broker would do."""
    decoder = msgspec.json.Decoder(_Chunk)
    client = httpx2.Client(trust_env=False)

    def read(body: bytes) -> Iterator[str]:
        with client.stream("POST", url, content=body) as response:
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    chunk = decoder.decode(line[6:])
                    if chunk.choices and (text := chunk.choices[0].delta.content):
                        yield text

    return read


def brokered(home: OpenHome, url: str) -> Contestant:
    """The broker's whole path."""

    def read(body: bytes) -> Iterator[str]:
        request = SendAnswerRequest("bench", "openai", url, (), body, most_bytes=1 << 40)
        for event in home.gate.stream(request, event_type=RemoteEvent):
            if isinstance(event, Text):
                yield event.text

    return read


# --- measuring -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delay:
    """From the server's write to the event, in microseconds."""

    median_us: float
    p99_us: float
    worst_us: float


def order(events: int, *, begin_s: float = 0.0, pause_s: float = 0.0, gathered: int = 1) -> bytes:
    told = {"events": events, "begin_s": begin_s, "pause_s": pause_s, "gathered": gathered}
    return json.dumps(told).encode()


def delays(read: Contestant, events: int) -> list[float]:
    """One by one, after the time that a model takes to begin: meanwhile the client keeps a record.

    Pieces that were joined count for the first time in them.
    """
    texts = read(order(events, begin_s=0.25, pause_s=0.002))
    return [(time.monotonic_ns() - int(text.split(" ")[0])) / 1000 for text in texts]


def first_delay(read: Contestant) -> float:
    """Of an answer that begins at once: the record is then in its way."""
    (text,) = read(order(1))
    return (time.monotonic_ns() - int(text.split(" ")[0])) / 1000


def events_per_s(read: Contestant, events: int, gathered: int) -> float:
    began, count = time.perf_counter(), 0
    for text in read(order(events, gathered=gathered)):
        count += text.count(WORD)
    assert count == events, f"{count} of {events} events came"
    return events / (time.perf_counter() - began)


def summary(found: list[float]) -> Delay:
    ordered = sorted(found)
    return Delay(
        round(statistics.median(ordered), 1),
        round(ordered[int(len(ordered) * 0.99)], 1),
        round(ordered[-1], 1),
    )


def memory_mib(pid: int) -> float:
    """What this process has for itself, and its share of what it has together with others."""
    return round(psutil.Process(pid).memory_full_info().pss / (1 << 20), 1)


def cancelling_ms(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """From the wish to stop until a server that stalls sees the end, and until the client knows."""
    found: dict[str, list[tuple[float, float]]] = {}
    with RemoteServer() as server, OpenHome(folder / "cancelling", [server.host]) as home:
        for fault in ("stall-before", "stall-head", "stall-middle") * rounds:
            server.stalled.clear()
            server.gone.clear()
            server.gone_at = 0.0
            cancel, ended = CancelToken(), list[float]()
            body = json.dumps({"model": f"fault-{fault}"}).encode()
            url = f"{server.endpoint}/chat/completions"
            request = SendAnswerRequest("bench", "openai", url, (), body)

            def answer(
                request: SendAnswerRequest = request,
                cancel: CancelToken = cancel,
                ended: list[float] = ended,
            ) -> None:
                with contextlib.suppress(Cancelled):
                    for _ in home.gate.stream(request, event_type=RemoteEvent, cancel=cancel):
                        pass
                ended.append(time.monotonic())

            thread = threading.Thread(target=answer)
            thread.start()
            server.stalled.wait(10)
            time.sleep(0.01)
            began = time.monotonic()
            cancel.cancel()
            thread.join()
            server.gone.wait(10)
            at = ((server.gone_at - began) * 1000, (ended[0] - began) * 1000)
            found.setdefault(fault, []).append(at)
    return {
        fault: {
            "server_median": round(statistics.median(one for one, _ in times), 2),
            "server_worst": round(max(one for one, _ in times), 2),
            "client_median": round(statistics.median(two for _, two in times), 2),
            "client_worst": round(max(two for _, two in times), 2),
        }
        for fault, times in found.items()
    }


def import_s() -> float:
    """What a broker imports at its first request."""
    program = (
        "import time; began = time.perf_counter(); import lockhouse.gate.broker.service; "
        "print(time.perf_counter() - began)"
    )
    found = [
        float(
            subprocess.run(
                [sys.executable, "-c", program],
                capture_output=True,
                check=True,
                env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
            ).stdout
        )
        for _ in range(5)
    ]
    return round(statistics.median(found), 3)


def measure(rounds: int, events: int) -> dict[str, object]:
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    host = f"127.0.0.1:{int(server.stdout.readline())}"
    url = f"http://{host}/v1/chat/completions"
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            OpenHome(Path(folder) / "home", [host]) as home,
        ):
            time.sleep(1.0)
            idle_mib = memory_mib(home.broker_pid)
            contestants = {"direct": direct(url), "broker": brokered(home, url)}
            began = time.perf_counter()
            first_delay(contestants["broker"])
            first_request_s = round(time.perf_counter() - began, 3)
            asked_mib = memory_mib(home.broker_pid)
            return {
                "import_s": import_s(),
                "first_request_s": first_request_s,
                "broker_idle_mib": idle_mib,
                "broker_after_first_request_mib": asked_mib,
                **compared(contestants, rounds, events),
                "cancelling_ms": cancelling_ms(Path(folder), 4 * rounds),
                "broker_after_all_mib": memory_mib(home.broker_pid),
            }
    finally:
        server.kill()
        server.wait()


def compared(contestants: dict[str, Contestant], rounds: int, events: int) -> dict[str, object]:
    one_by_one: dict[str, list[float]] = {name: [] for name in contestants}
    first: dict[str, list[float]] = {name: [] for name in contestants}
    speed: dict[str, list[float]] = {name: [] for name in contestants}
    gathered: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        for name in names[number % 2 :] + names[: number % 2]:
            read = contestants[name]
            one_by_one[name] += delays(read, 400)
            first[name] += [first_delay(read) for _ in range(20)]
            speed[name].append(events_per_s(read, events, 1))
            gathered[name].append(events_per_s(read, events, 50))
    middle = {name: statistics.median(found) for name, found in speed.items()}
    middle_gathered = {name: statistics.median(found) for name, found in gathered.items()}
    told = {name: summary(found) for name, found in one_by_one.items()}
    added = {
        "median_us": round(told["broker"].median_us - told["direct"].median_us, 1),
        "p99_us": round(told["broker"].p99_us - told["direct"].p99_us, 1),
    }
    return {
        "delay": {name: asdict(found) for name, found in told.items()},
        "delay_of_the_first_event": {name: asdict(summary(f)) for name, f in first.items()},
        "added": added,
        "events_per_s": {name: round(found) for name, found in middle.items()},
        "events_per_s_ratio": round(middle["broker"] / middle["direct"], 2),
        "gathered_per_s": {name: round(found) for name, found in middle_gathered.items()},
        "gathered_per_s_ratio": round(middle_gathered["broker"] / middle_gathered["direct"], 2),
        "all_events_per_s": speed,
        "all_gathered_per_s": gathered,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
    found = {"machine": machine(), **measure(arguments.rounds, arguments.events)}
    for name, value in found.items():
        if not name.startswith("all_"):
            print(f"{name:32} {value}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

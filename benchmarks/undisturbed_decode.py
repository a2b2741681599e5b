"""Decode speed of one chat while another one on the same engine ends, or is stopped, twenty times.

The other chat's own words cost time, since both are computed in the same batches. So its answers
are given three times: with connections that stay open until the first chat has ended ("beside":
the work alone), with connections that are closed at each end ("ends"), and taken back at their
first words ("stopped"). What the end or the stop itself costs is the difference to "beside", at
equal numbers of tokens. Run it on a quiet machine:

    PYTHONPATH=app .venv/bin/python benchmarks/undisturbed_decode.py [--rounds 7] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from engine_speed import machine

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Event, Failed, Finished, Text
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest, Sampling
from lockhouse.engine import protocol
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import EngineSpec, LoadSettings
from lockhouse.library.starter import starter_model

TIMES = 20
ENDLESS = Sampling(temperature=0.0, logit_bias={"0": -100.0, "2": -100.0})
WAYS = ("alone", "beside", "ends", "stopped")


def asked(text: str, max_tokens: int) -> AnswerRequest:
    return AnswerRequest((Turn("user", text),), ENDLESS, max_tokens=max_tokens)


class Other:
    """The other chat: one answer after another, each on a connection of its own."""

    def __init__(self, folder: Path, engine_id: str, way: str, tokens: int) -> None:
        self._folder, self._engine_id = folder, engine_id
        self._way = way
        self._tokens = tokens
        self._open: list[Connection] = []
        self.tokens = 0

    def answer(self) -> Iterator[Event]:
        """One answer; its events."""
        connection = protocol.connect(self._folder, self._engine_id)
        limit = 10 * self._tokens if self._way == "stopped" else self._tokens
        protocol.send(connection, protocol.Answer(asked("Name some colours.", limit)))
        is_stopped = False
        while True:
            event = protocol.receive_reply(connection)
            assert isinstance(event, Event)
            yield event
            if isinstance(event, Finished):
                self.tokens += event.usage.completion_tokens
                break
            if isinstance(event, Text) and self._way == "stopped" and not is_stopped:
                is_stopped = True
                protocol.send(connection, protocol.Cancel())
        if self._way == "beside":
            self._open.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what stayed open."""
        for connection in self._open:
            connection.close()


def measure(pool: EnginePool, spec: EngineSpec, folder: Path, way: str, tokens: int) -> list[float]:
    """Seconds of the first chat after its first text, and the other chat's tokens."""
    other = Other(folder, pool.list()[0].id, way, tokens=max(2, tokens // 60))
    over = threading.Event()

    def go_on() -> None:
        for _ in range(TIMES):
            for _event in other.answer():
                pass
        over.set()

    thread = threading.Thread(target=go_on)
    began = 0.0
    for event in pool.answer(spec, asked("Write a very long story.", tokens), CancelToken()):
        if isinstance(event, Text) and not began:
            began = time.perf_counter()
            if way != "alone":
                thread.start()
        if isinstance(event, Failed):
            raise SystemExit(event.message)
    seconds = time.perf_counter() - began
    if way != "alone":
        if not over.is_set():
            print("  (the other chat was not through with its answers: raise --tokens)")
        thread.join()
    other.close()
    return [seconds, float(other.tokens)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=600)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--model", type=Path, default=starter_model())
    parser.add_argument("--json", type=Path, help="write every single measurement to this file")
    options = parser.parse_args()
    samples: dict[str, list[list[float]]] = defaultdict(list)
    notes = machine()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        pool = EnginePool(folder, Path(place) / "logs", idle_s=900.0)
        settings = LoadSettings(context_length=4096, threads=options.threads)
        spec = EngineSpec(str(options.model), "starter", settings)
        try:
            list(pool.answer(spec, asked("Are you there?", 16), CancelToken()))
            for number in range(options.rounds):
                for way in WAYS[number % 4 :] + WAYS[: number % 4]:
                    samples[way].append(measure(pool, spec, folder, way, options.tokens))
                print(f"round {number + 1} of {options.rounds}", flush=True)
        finally:
            pool.stop()
            pool.close()
    report(samples, options.tokens)
    if options.json:
        notes["load_average_at_end"] = os.getloadavg()
        options.json.write_text(json.dumps({"machine": notes, "samples": samples}, indent=1))


def report(samples: dict[str, list[list[float]]], tokens: int) -> None:
    """Medians, and the speed against what the other chat's tokens alone leave of it."""
    seconds = {way: statistics.median(one[0] for one in found) for way, found in samples.items()}
    others = {way: statistics.median(one[1] for one in found) for way, found in samples.items()}
    cost_s = (seconds["beside"] - seconds["alone"]) / others["beside"]  # of one more token
    for way in WAYS:
        expected_s = seconds["alone"] + others[way] * cost_s
        print(
            f"{way:8} {tokens / seconds[way]:8.1f} tokens/s beside {others[way]:4.0f} of the other "
            f"chat; {expected_s / seconds[way]:6.3f} of what its tokens leave"
        )


if __name__ == "__main__":
    main()

"""Decode speed of one chat while another one on the same engine ends, or is stopped, twenty times.

The other chat's own words cost time, since both are computed in the same batches. So its answers
are also given on connections that stay open until the first chat has ended: as long ones
("beside"), against which the same answers on connections that close at each end are held
("ends"), and as answers of one token ("brief"), against which answers taken back at their first
words are held ("stopped"). Ratios are taken round by round. Run it on a quiet machine:

    PYTHONPATH=app .venv/bin/python benchmarks/undisturbed_decode.py [--rounds 12] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import random
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
WAYS = ("alone", "beside", "ends", "brief", "stopped")


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
        limits = {"stopped": 10 * self._tokens, "brief": 1}
        limit = limits.get(self._way, self._tokens)
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
        if self._way in ("beside", "brief"):
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
    parser.add_argument("--rounds", type=int, default=12)
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
                for way in WAYS[number % len(WAYS) :] + WAYS[: number % len(WAYS)]:
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
    """Medians, and what of the speed is left beside the same work on connections that stay."""
    for way in WAYS:
        seconds = statistics.median(one[0] for one in samples[way])
        others = statistics.median(one[1] for one in samples[way])
        print(f"{way:8} {tokens / seconds:8.1f} tokens/s beside {others:4.0f} of the other chat")
    # What one more token of the other chat costs, where what is compared differs by some.
    more = [
        (beside[0] - brief[0]) / max(1.0, beside[1] - brief[1])
        for beside, brief in zip(samples["beside"], samples["brief"], strict=True)
    ]
    cost_s = statistics.median(more)
    for way, base in (("ends", "beside"), ("stopped", "brief")):
        ratios = [
            (before[0] + (after[1] - before[1]) * cost_s) / after[0]
            for before, after in zip(samples[base], samples[way], strict=True)
        ]
        low, high = _interval(ratios)
        print(
            f"{way:8} {statistics.median(ratios):8.3f} of the speed of {base!r} "
            f"(95 %: {low:.3f} to {high:.3f})"
        )


def _interval(ratios: list[float]) -> tuple[float, float]:
    """95 % of the medians of samples drawn from these."""
    chance = random.Random(1)
    drawn = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(2000))
    return drawn[50], drawn[1949]


if __name__ == "__main__":
    main()

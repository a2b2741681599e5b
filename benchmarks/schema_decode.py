"""Decoding under a JSON schema or a grammar beside free decoding, on one engine.

"text" is an object with one long string, in which every token is the model's choice; "record" is a
list of records with names, ranges and enumerations, in which much is prescribed and not computed;
"grammar" is GBNF for plain sentences. All four take turns within each round, and each is held
against the free answer of its round, by the clock and by the processor time of the engine, which
bears company (give --threads 1 then: threads that wait for each other spend time as well). Run it
on a quiet machine:

    PYTHONPATH=app .venv/bin/python benchmarks/schema_decode.py [--rounds 12] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil
from engine_speed import machine

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Failed, Finished, Text
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest, Sampling
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import EngineSpec, LoadSettings
from lockhouse.library.starter import starter_model

ENDLESS = {"0": -100.0, "2": -100.0}  # the free answer does not end by itself either


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


RECORD = closed(
    first_name={"type": "string", "maxLength": 12},
    favourite_colour={"enum": ["dark red", "light blue", "green"]},
    years_of_experience={"type": "integer", "minimum": 0, "maximum": 60},
    is_available_now={"type": "boolean"},
)
LIST = {"type": "array", "items": RECORD, "minItems": 200}
FORMS: dict[str, dict[str, str]] = {
    "free": {},
    "text": {"json_schema": json.dumps(closed(story={"type": "string", "minLength": 9000}))},
    "record": {"json_schema": json.dumps(LIST)},
    "grammar": {"grammar": 'root ::= sentence+\nsentence ::= [A-Z] [a-z ,\']+ [.!?] " "?'},
}


def measure(pool: EnginePool, spec: EngineSpec, way: str, tokens: int) -> dict[str, float]:
    """Tokens and characters a second after the first text, and tokens a processor second."""
    question = "Make up people for a test." if way == "record" else "Write a very long story."
    sampling = Sampling(temperature=0.0, logit_bias=ENDLESS)
    request = AnswerRequest(
        (Turn("user", question),),
        sampling,
        max_tokens=tokens,
        **FORMS[way],  # type: ignore[arg-type]
    )
    began, length = 0.0, 0
    engines = pool.list()
    used_s = processor_s(engines[0].pid) if engines else 0.0
    for event in pool.answer(spec, request, CancelToken()):
        if isinstance(event, Failed):
            raise SystemExit(event.message)
        if isinstance(event, Text):
            began = began or time.perf_counter()
            length += len(event.text)
        if isinstance(event, Finished):
            seconds = time.perf_counter() - began
            count = event.usage.completion_tokens
            return {
                "tokens_per_s": count / seconds,
                "characters_per_s": length / seconds,
                "tokens_per_processor_s": count / (processor_s(pool.list()[0].pid) - used_s),
            }
    raise SystemExit("the answer had no end")


def processor_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--model", type=Path, default=starter_model())
    parser.add_argument("--json", type=Path, help="write every single measurement to this file")
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        pool = EnginePool(home / "run", home / "logs", idle_s=60)
        settings = LoadSettings(context_length=2048, threads=options.threads)
        spec = EngineSpec(str(options.model), "measured", settings)
        try:
            for way in FORMS:
                measure(pool, spec, way, 20)  # loads the model, and makes what is made once
            ways = list(FORMS)
            for number in range(options.rounds):
                shift = number % len(ways)
                for way in ways[shift:] + ways[:shift]:
                    found[way].append(measure(pool, spec, way, options.tokens))
        finally:
            pool.stop()
            pool.close()
    for way, rows in found.items():
        speeds = [row["tokens_per_s"] for row in rows]
        ratios, by_processor = (
            [row[by] / free[by] for row, free in zip(rows, found["free"], strict=True)]
            for by in ("tokens_per_s", "tokens_per_processor_s")
        )
        print(
            f"{way:8} {statistics.median(speeds):7.1f} tokens/s "
            f"{statistics.median(row['characters_per_s'] for row in rows):8.0f} characters/s   "
            f"{statistics.median(ratios):.3f} of free, {min(ratios):.3f} to {max(ratios):.3f}; "
            f"{statistics.median(by_processor):.3f} by processor time"
        )
    if options.json:
        told = {"machine": machine(), "options": {"rounds": options.rounds}, "rounds": found}
        options.json.write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Our engine, through its whole path, against llama-bench and llama-server.

All contestants take turns within each round, in an order that turns as well, so that whatever
else the machine does meets all of them. Run it on a quiet machine:

    PYTHONPATH=app .venv/bin/python benchmarks/engine_speed.py [--rounds 9] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import native
from contestants import Answered, Messages, Ours, Server, bench

from lockhouse.library.starter import starter_model

WORDS = (
    *("harbour", "lantern", "copper", "winter", "meadow", "signal", "orchard", "granite"),
    *("thunder", "velvet", "compass", "ember", "willow", "marble", "canyon", "ribbon"),
)
STORY: Messages = [("user", "Write a very long story about the keeper of a lighthouse.")]


@dataclass
class Results:
    """Every single measurement, by what was measured and who was measured."""

    samples: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    notes: dict[str, object] = field(default_factory=dict)

    def add(self, measure: str, contestant: str, value: float) -> None:
        self.samples[measure][contestant].append(value)

    def median(self, measure: str, contestant: str) -> float:
        return statistics.median(self.samples[measure][contestant])


Step = tuple[str, str, Callable[[], float]]
"""What is measured, who, and how."""


def run_rounds(results: Results, steps: list[Step], rounds: int, label: str) -> None:
    """One value from each step in each round; the order shifts by one every round."""
    for number in range(rounds):
        shift = number % len(steps)
        for measure, contestant, measured in steps[shift:] + steps[:shift]:
            results.add(measure, contestant, measured())
        print(f"{label}: round {number + 1} of {rounds}", file=sys.stderr)


def passage(words: int) -> str:
    """Words in an order that nobody has cached."""
    return " ".join(random.choices(WORDS, k=words))


def steady_steps(arena: Arena, threads: int, tokens: int, prompt_words: int) -> list[Step]:
    """Decode and prompt speed with nothing else running."""
    ours, server = arena.ours[threads], arena.server[threads]
    depth = ours.ask(STORY, max_tokens=1).prompt_tokens
    read = ours.ask([("user", passage(prompt_words))], max_tokens=1).prompt_tokens
    names = f"decode, {threads} thread(s)", f"prompt, {threads} thread(s)"

    def native_speed(prompt: int, decode: int, at: int) -> Callable[[], float]:
        return lambda: bench(
            arena.programs["llama-bench"],
            arena.model,
            threads=threads,
            prompt=prompt,
            decode=decode,
            depth=at,
        )

    def decode(who: Ours | Server) -> Callable[[], float]:
        def afresh() -> float:
            if isinstance(who, Ours):  # as llama-bench, which is started anew each time
                who.renew()
            return who.ask(STORY, max_tokens=tokens, endless=True).decode_per_s

        return afresh

    def prompt(who: Ours | Server) -> Callable[[], float]:
        return lambda: who.ask([("user", passage(prompt_words))], max_tokens=1).prompt_per_s

    return [
        (names[0], "lockhouse", decode(ours)),
        (names[0], "llama-bench", native_speed(0, tokens, depth)),
        (names[0], "llama-server", decode(server)),
        (names[1], "lockhouse", prompt(ours)),
        (names[1], "llama-bench", native_speed(read, 0, 0)),
        (names[1], "llama-server", prompt(server)),
    ]


def second_turn_steps(arena: Arena, results: Results) -> list[Step]:
    """Time to the first text of a second turn whose first is in the cache."""

    def measured(name: str, who: Ours | Server) -> Callable[[], float]:
        def second_turn() -> float:
            messages: Messages = [("user", f"Remember these words: {passage(200)}")]
            answer = who.ask(messages, max_tokens=24)
            messages += [("assistant", answer.text), ("user", "Which word came first?")]
            second = who.ask(messages, max_tokens=8)
            results.add("cached share of the second turn", name, _share(second))
            return second.first_s * 1000

        return second_turn

    title = "first text of a cached second turn, ms"
    return [
        (title, "lockhouse", measured("lockhouse", arena.ours[0])),
        (title, "llama-server", measured("llama-server", arena.server[0])),
    ]


def _share(answered: Answered) -> float:
    return answered.cached_tokens / answered.prompt_tokens


def busy_steps(arena: Arena, tokens: int) -> list[Step]:
    """Decode speed beside a program that keeps one core busy."""

    def decode(who: Ours | Server) -> Callable[[], float]:
        def beside_a_competitor() -> float:
            with competitor():
                return who.ask(STORY, max_tokens=tokens, endless=True).decode_per_s

        return beside_a_competitor

    title = "decode beside one busy program"
    return [
        (title, "lockhouse", decode(arena.ours[0])),
        (title, "llama-server", decode(arena.server[0])),
    ]


@contextlib.contextmanager
def competitor() -> Iterator[None]:
    """A process that never waits."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


class Arena:
    """All contestants, loaded and warm. 0 threads stands for each one's own choice."""

    def __init__(
        self, model: Path, programs: dict[str, Path], folder: Path, counts: list[int]
    ) -> None:
        self.model = model
        self.programs = programs
        self.ours: dict[int, Ours] = {}
        self.server: dict[int, Server] = {}
        with contextlib.ExitStack() as stack:
            for threads in counts:
                place = folder / str(threads)
                place.mkdir()
                self.ours[threads] = ours = Ours(model, place, threads=threads)
                stack.callback(ours.close)
                log = place / "llama-server.log"
                self.server[threads] = server = Server(
                    programs["llama-server"], model, log, threads=threads
                )
                stack.callback(server.close)
                for who in (ours, server):
                    who.ask(STORY, max_tokens=16)
            self._stack = stack.pop_all()

    def close(self) -> None:
        self._stack.close()


COMPARISONS = (
    ("decode, 1 thread(s)", "llama-bench", 0.97, "at least"),
    ("decode, 2 thread(s)", "llama-bench", 0.97, "at least"),
    ("decode beside one busy program", "llama-server", 1.3, "at least"),
    ("first text of a cached second turn, ms", "llama-server", 5.0, "plus at most"),
)


def table(results: Results) -> str:
    """Medians with their spread, ratios, and what was hoped for."""
    lines = [
        f"{'':40} {'contestant':13} {'median':>9} {'lowest':>9} {'highest':>9} {'ours/its':>9}"
    ]
    for measure, by_contestant in results.samples.items():
        ours = results.median(measure, "lockhouse")
        for name, values in by_contestant.items():
            middle = statistics.median(values)
            ratio = "" if name == "lockhouse" else f"{ours / middle:9.3f}"
            numbers = f"{middle:9.2f} {min(values):9.2f} {max(values):9.2f}"
            lines.append(f"{measure:40} {name:13} {numbers} {ratio:>9}")
    lines.append("")
    for measure, name, limit, how in COMPARISONS:
        if measure not in results.samples:
            continue
        ours, other = results.median(measure, "lockhouse"), results.median(measure, name)
        if how == "at least":
            got, wanted = f"{ours / other:.3f} of {name}", f"at least {limit}"
            good = ours / other >= limit
        else:
            got, wanted = f"{ours - other:+.2f} ms against {name}", f"at most +{limit:g} ms"
            good = ours - other <= limit
        lines.append(f"{'met   ' if good else 'MISSED'}  {measure}: {got} (wanted: {wanted})")
    return "\n".join(lines)


def machine() -> dict[str, object]:
    """Where and when the figures were taken."""
    name = platform.processor()
    with contextlib.suppress(OSError, IndexError):
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        name = info.split("model name", 1)[1].split(":", 1)[1].splitlines()[0].strip()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": name,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load_average": os.getloadavg(),
        "llama_cpp_python": native.pinned_version(),
    }


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--native", type=Path, help="folder with llama-bench and llama-server")
    parser.add_argument("--model", type=Path, default=starter_model())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--decode-only", action="store_true", help="leave the rest out")
    parser.add_argument("--prompt-words", type=int, default=300)
    parser.add_argument("--json", type=Path, help="write every single measurement to this file")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    if options.model is None:
        sys.exit("The starter model is not installed; name a model with --model.")
    programs = native.programs(options.native)
    results = Results(notes=machine())
    counts = sorted({0, 1, min(2, os.cpu_count() or 1)})
    if os.getloadavg()[0] > 0.5:
        print("Others are using this machine; the figures will say so.", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(options.model, programs, Path(folder), counts)
        try:
            for threads in counts[1:]:
                steps = steady_steps(arena, threads, options.tokens, options.prompt_words)
                steps = steps[:2] if options.decode_only else steps
                run_rounds(results, steps, options.rounds, f"{threads} thread(s)")
            if not options.decode_only:
                second = second_turn_steps(arena, results)
                run_rounds(results, second, options.rounds, "second turn")
                run_rounds(results, busy_steps(arena, options.tokens), options.rounds, "busy")
        finally:
            arena.close()
    results.notes["load_average_at_end"] = os.getloadavg()
    print(table(results))
    if options.json:
        report = {"machine": results.notes, "samples": results.samples}
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

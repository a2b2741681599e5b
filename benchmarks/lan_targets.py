"""Servers that others wrote as targets: how soon they stop, what they count, how they share.

    python benchmarks/lan_targets.py llama_cpp.server
    LOCKHOUSE_LLAMA_SERVER=/path/to/llama-server python benchmarks/lan_targets.py llama-server

Two servers of one kind are started with the starter model, and asked through a real broker.
"""

from __future__ import annotations

import collections
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "app"), str(ROOT)]

from lockhouse.answer.remote import RemoteTarget  # noqa: E402
from lockhouse.core.cancellation import CancelToken  # noqa: E402
from lockhouse.core.events import Event, Finished, Notice, StartOver, Text  # noqa: E402
from tests.answer.remote import RemoteAccess, answering, ask, cold, finished, held  # noqa: E402
from tests.answer.servers import ModelServer, model_servers  # noqa: E402

PROMPTS = (
    "What is the capital of France?", "Name a colour.", "Count to five.",
    "Say hello to the harbour master.", "Why does a river bend?",
)  # fmt: skip
CANCELS = 20
QUESTIONS = 20


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "llama_cpp.server"
    with model_servers(kind, 2) as servers, tempfile.TemporaryDirectory() as folder:
        measure(kind, Path(folder), servers)


def measure(kind: str, folder: Path, servers: list[ModelServer]) -> None:
    with RemoteAccess(folder, [server.host for server in servers]) as home:
        home.add("one", servers[0].endpoint)
        home.add("both", *(server.endpoint for server in servers))
        print(kind)
        stopping(home.remotes.get("one/starter"))
        counting(home.remotes.get("one/starter"), servers[0])
        balancer(home, home.remotes.get("both/starter"), None)
        balancer(home, home.remotes.get("both/starter"), servers[1])


def stopping(target: RemoteTarget) -> None:
    """From the wish to stop until the answer's last event."""
    took = []
    for number in range(CANCELS):
        cancel, asked, texts = CancelToken(), [0.0], 0

        def wish(cancel: CancelToken = cancel, asked: list[float] = asked) -> None:
            asked[0] = time.perf_counter()
            cancel.cancel()

        for event in answering(target, cold(f"Tell me story {number}.", 400), cancel):
            texts += isinstance(event, Text)
            if texts == 3 and isinstance(event, Text):
                threading.Timer(0.02, wish).start()
        assert isinstance(event, Finished)
        assert event.finish_reason == "cancelled"
        took.append((time.perf_counter() - asked[0]) * 1000)
    print(f"  stop: median {statistics.median(took):.1f} ms, longest {max(took):.1f} ms, "
          f"of {CANCELS}")  # fmt: skip


def counting(target: RemoteTarget, server: ModelServer) -> None:
    """Tokens as told here, and as the server counts the same request without a stream."""
    equal = []
    for prompt in PROMPTS:
        request = cold(prompt, 24)
        usage = finished(ask(target, request)).usage
        outbound = target.preview(request)
        assert outbound is not None
        theirs = server.usage(outbound.body)
        ours = (usage.prompt_tokens, usage.completion_tokens)
        equal.append(ours == (theirs["prompt_tokens"], theirs["completion_tokens"]))
        print(f"  counted: {ours[0]} + {ours[1]}, by the server {theirs['prompt_tokens']} + "
              f"{theirs['completion_tokens']}")  # fmt: skip
    print(f"  equal: {sum(equal)} of {len(equal)}")


def balancer(home: RemoteAccess, target: RemoteTarget, victim: ModelServer | None) -> None:
    """Twenty questions, four at a time; one server is killed in the middle where it is named."""
    ended: list[str] = []
    killed, lock = threading.Event(), threading.Lock()

    def one(number: int) -> list[Event]:
        events: list[Event] = []
        request = cold("Count.", 60, grammar=f'root ::= "{right(number)}"')
        for event in answering(target, request, CancelToken()):
            events.append(event)
            with lock:
                due = len(ended) >= 6 and not killed.is_set() and isinstance(event, Text)
                if victim is not None and due and home.balancer.in_flight(victim.endpoint):
                    killed.set()
                    victim.kill()
        with lock:
            ended.append(finished(events).host)
        return events

    began = time.perf_counter()
    with ThreadPoolExecutor(4) as threads:
        answers = [*threads.map(one, range(QUESTIONS))]
    good = sum(held(events) == right(number) for number, events in enumerate(answers))
    changes = sum(isinstance(event, Notice) for events in answers for event in events)
    anew = sum(isinstance(event, StartOver) for events in answers for event in events)
    what = "one killed in the middle" if victim else "both alive"
    print(
        f"  {QUESTIONS} questions, {what}: {good} with the right text in "
        f"{time.perf_counter() - began:.1f} s; answered by {dict(collections.Counter(ended))}; "
        f"{changes} taken over, {anew} begun anew"
    )


def right(number: int) -> str:
    return f"Answer {number}: seven boats."


if __name__ == "__main__":
    main()

"""What servers of all sorts answer: what came is kept, read tolerantly, and asked for once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lockhouse.core.errors import LockhouseError
from lockhouse.core.events import (
    Event,
    Failed,
    Reasoning,
    StartOver,
    Text,
    TextWasReasoning,
    Usage,
)
from lockhouse.core.messages import ToolCall
from tests.answer.remote import RemoteAccess, ask, question
from tests.remote.replies import Fault, Reply
from tests.remote.server import RemoteServer
from tests.remote.shapes import chunk, said, stream

HELLO = "Hello world"
COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.fixture(scope="module")
def server() -> Iterator[RemoteServer]:
    with RemoteServer() as started:
        yield started


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, server: RemoteServer) -> Iterator[RemoteAccess]:
    with RemoteAccess(tmp_path_factory.mktemp("home"), [server]) as elsewhere:
        elsewhere.add("office", server.endpoint)
        yield elsewhere
        assert "Traceback" not in elsewhere.home.log()


@pytest.fixture(autouse=True)
def _fresh(server: RemoteServer) -> None:
    server.requests.clear()
    server.faults.clear()
    server.reply = Reply()
    server.gone.clear()


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer as its reader has it in the end."""

    text: str
    reasoning: str
    calls: list[ToolCall]
    usage: Usage
    failed: Failed | None

    @property
    def code(self) -> int:
        return self.failed.exit_code if self.failed else 0


def heard(events: list[Event]) -> Heard:
    text = reasoning = ""
    calls, usage = list[ToolCall](), Usage()
    for event in events:
        match event:
            case StartOver():
                text = reasoning = ""
            case TextWasReasoning():
                text, reasoning = "", reasoning + text
            case Text():
                text += event.text
            case Reasoning():
                reasoning += event.text
            case ToolCall():
                calls.append(event)
            case Usage():
                usage = event
    end = events[-1]
    return Heard(text, reasoning, calls, usage, end if isinstance(end, Failed) else None)


def asking(home: RemoteAccess, server: RemoteServer, body: bytes, **fault: Any) -> Heard:
    server.faults.append(Fault("raw", body=body, **fault))
    return heard(ask(home.remotes.get("office/small"), question()))


PLAIN = [chunk({"content": "Hello"}), chunk({"content": " world"})]
NO_REASON = {
    "no finish_reason": stream(*PLAIN),
    "an empty one": stream(
        chunk({"content": "Hello"}, ""), chunk({"content": " world"}, ""), chunk({}, "")
    ),
    "a choice that counts": stream(
        *(
            {"choices": [{"index": number, "delta": {"content": piece}}]}
            for number, piece in enumerate(["Hel", "lo", " wor", "ld"])
        )
    ),
    "odd counts": stream(
        *PLAIN,
        '{"choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":1e308,'
        '"total_tokens":99999999999999999999999999}}',
    ),
}


@pytest.mark.parametrize("name", NO_REASON)
def test_an_answer_without_a_reason_for_its_end_is_kept(
    home: RemoteAccess, server: RemoteServer, name: str
) -> None:
    done = asking(home, server, NO_REASON[name])
    assert (done.code, done.text) == (0, HELLO)
    assert len(server.asked()) == 1


def test_an_error_in_other_words_is_told_and_not_asked_again(
    home: RemoteAccess, server: RemoteServer
) -> None:
    long = {"object": "error", "message": "maximum context length is 4096 tokens", "code": 400}
    done = asking(home, server, stream(long))
    assert done.failed is not None
    assert (done.code, done.failed.code) == (4, "context_too_long")
    done = asking(home, server, stream({"detail": "model crashed"}))
    assert done.failed is not None
    assert "model crashed" in done.failed.message
    assert len(server.asked()) == 2


SIDE_FIELDS = {
    "a cost that is an object": stream(
        *said("Hello", " world", usage={**COUNTS, "cost": {"total_cost": 0.006}})
    ),
    "a cost in each piece": stream(
        *(
            chunk({"content": piece}, finish, usage={**COUNTS, "cost": {"total": 1}})
            for piece, finish in (("Hello", None), (" world", "stop"))
        )
    ),
    "a number for an id": stream(*({**one, "id": 12345} for one in said("Hello", " world"))),
    "an index in quotes": stream(
        {"choices": [{"index": "0", "delta": {"content": "Hello"}}]},
        {"choices": [{"index": "0", "delta": {"content": " world"}, "finish_reason": "stop"}]},
    ),
    "counts in quotes": stream(
        *said("Hello", " world", usage={name: str(count) for name, count in COUNTS.items()})
    ),
    "no counts but a text": stream(*said("Hello", " world", usage="")),
    "details in a list": stream(
        *said("Hello", " world", usage={**COUNTS, "prompt_tokens_details": []})
    ),
    "no number": stream(
        chunk({"content": "Hello"}),
        '{"choices":[{"index":0,"delta":{"content":" world"},"logprobs":NaN,'
        '"finish_reason":"stop"}]}',
    ),
    "a name that is a number": stream(
        *said("Hello", " world"), {"choices": [], "model": 7, "id": []}
    ),
    "what cannot be read, after the end": stream(*said("Hello", " world"), "{"),
    "a field for reasons": stream(*({**one, "error": None} for one in said("Hello", " world"))),
}


@pytest.mark.parametrize("name", SIDE_FIELDS)
def test_a_side_field_never_costs_an_answer(
    home: RemoteAccess, server: RemoteServer, name: str
) -> None:
    done = asking(home, server, SIDE_FIELDS[name])
    assert (done.code, done.text) == (0, HELLO)
    if "quotes" in name and "counts" in name:
        assert done.usage.prompt_tokens == 3
    assert len(server.asked()) == 1


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (['"Hi \\ud83d"', '"\\ude00 there"'], "Hi 😀 there"),
        (['"\\ud83d"', '"\\udc80"'], "💀"),
        (['"\\ud83d"', '"\\udcc2"'], "📂"),
        (['"a\\ud800b"', '""'], "a�b"),
        ([b'"Hi \xf0\x9f"', b'"\x98\x80 there"'], "Hi 😀 there"),
        ([b'"caf\xc3"', b'"\xa9"'], "café"),
    ],
)
def test_half_an_emoji_is_joined_with_the_other_half(
    home: RemoteAccess, server: RemoteServer, pieces: list[Any], text: str
) -> None:
    events = [
        b'data: {"choices":[{"delta":{"content":%b}}]}\n\n'
        % (piece if isinstance(piece, bytes) else piece.encode())
        for piece in pieces
    ]
    done = asking(home, server, b"".join(events) + stream(chunk({}, "stop")))
    assert (done.code, done.text) == (0, text)


@pytest.mark.parametrize("index", ["0", 0, None])
@pytest.mark.parametrize("call_id", [7, "7", None])
def test_a_call_with_odd_numbers_is_a_call(
    home: RemoteAccess, server: RemoteServer, index: object, call_id: object
) -> None:
    call = {"index": index, "id": call_id, "function": {"name": "f", "arguments": "{}"}}
    done = asking(home, server, stream(chunk({"tool_calls": [call]}), chunk({}, "tool_calls")))
    assert done.code == 0
    assert [(one.name, one.arguments) for one in done.calls] == [("f", "{}")]


@pytest.mark.parametrize(
    "pieces",
    [
        ("<think>\nsecret plan", "\n</think>\n\n", "Answer 42"),
        ("<th", "ink>secret plan</thi", "nk>Answer 42"),
        ("secret plan", "\n</think>\n\n", "Answer 42"),
        ("secret plan</think>Answer 42",),
    ],
)
def test_reasoning_among_the_text_is_told_apart(
    home: RemoteAccess, server: RemoteServer, pieces: tuple[str, ...]
) -> None:
    done = asking(home, server, stream(*said(*pieces)))
    assert done.code == 0
    assert done.text.strip() == "Answer 42"
    assert done.reasoning.strip() == "secret plan"
    assert len(server.asked()) == 1


def test_marks_in_code_are_no_reasoning(home: RemoteAccess, server: RemoteServer) -> None:
    text = "Write `<think>` first.\n```\n<think>x</think>\n```"
    done = asking(home, server, stream(*said(text[:20], text[20:])))
    assert (done.text, done.reasoning) == (text, "")


def test_what_looks_like_a_mark_is_kept_when_the_answer_breaks_off(
    home: RemoteAccess, server: RemoteServer
) -> None:
    done = asking(home, server, stream(chunk({"content": "so a <thi"}), done=False))
    assert (done.code, done.text) == (4, "so a <thi")


MESSAGE = {"role": "assistant", "content": HELLO}
WHOLE = {"id": "x", "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}
OTHER_FORMS: dict[str, tuple[bytes, str]] = {
    "events as text": (stream(*said("Hello", " world")), "text/plain; charset=utf-8"),
    "events as JSON": (stream(*said("Hello", " world")), "application/json"),
    "events as bytes": (stream(*said("Hello", " world")), "application/octet-stream"),
    "one value": (json.dumps({**WHOLE, "usage": COUNTS}).encode(), "application/json"),
    "one value, as a stream": (json.dumps(WHOLE).encode(), "text/event-stream"),
    "one value over lines": (json.dumps(WHOLE, indent=2).encode(), "application/json"),
    "a value a line": (
        b"".join(json.dumps(one).encode() + b"\n" for one in said("Hello", " world")),
        "application/x-ndjson",
    ),
    "a list": (json.dumps(said("Hello", " world")).encode(), "application/json"),
    "a message for a delta": (stream(WHOLE), "text/event-stream"),
    "both": (
        stream(
            *(
                {
                    "choices": [
                        {
                            "delta": {"content": piece},
                            "message": {"content": HELLO},
                            "finish_reason": finish,
                        }
                    ]
                }
                for piece, finish in (("Hello", None), (" world", "stop"))
            )
        ),
        "text/event-stream",
    ),
    "a text for a delta": (
        stream(
            {"choices": [{"index": 0, "text": "Hello", "finish_reason": None}]},
            {"choices": [{"index": 0, "text": " world", "finish_reason": "stop"}]},
        ),
        "text/event-stream",
    ),
}


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_an_answer_in_another_form_is_read(
    home: RemoteAccess, server: RemoteServer, form: str
) -> None:
    body, kind = OTHER_FORMS[form]
    done = asking(home, server, body, kind=kind)
    assert (done.code, done.text) == (0, HELLO)
    assert len(server.asked()) == 1


@pytest.mark.parametrize(
    "body",
    [
        stream(chunk({}, "stop")),
        stream(chunk({"content": ""})),
        b'{"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}',
        b'{"hello": "world"}',
        b"[]",
    ],
)
def test_an_empty_answer_is_no_success(
    home: RemoteAccess, server: RemoteServer, body: bytes
) -> None:
    done = asking(home, server, body)
    assert (done.code, done.text) == (4, "")
    assert done.failed is not None
    assert done.failed.hint
    assert len(server.asked()) == 1


@pytest.mark.parametrize(
    "to",
    [
        "http://\x1b]0;x\x07evil/",
        "http://[::1/",
        "http://[not-an-address]/",
        "http://127.0.0.1:99999999/",
        "http://127.0.0.1:x/",
        "//",
        "http://a\x80b/",
        "http:///nowhere",
        "x" * 9000,
    ],
)
def test_a_malformed_redirect_ends_in_an_error_that_is_told(
    home: RemoteAccess, server: RemoteServer, to: str
) -> None:
    server.faults += [Fault("redirect", to=to)] * 3
    done = heard(ask(home.remotes.get("office/small"), question()))
    assert done.failed is not None
    assert (done.code, done.failed.code) == (4, "redirected")
    assert done.failed.message.isprintable()
    assert len(server.asked()) == 1
    with pytest.raises(LockhouseError, match="redirects to"):
        home.remotes.refresh_models("office")


ENDLESS = {
    "text": stream(chunk({"content": "spam " * 20}), done=False),
    "much text": stream(chunk({"content": "spam " * 2000}), done=False),
    "letters": stream(chunk({"content": "s"}), done=False) * 50,
    "nothing": stream(chunk({"content": ""}), done=False) * 50,
    "comments": b": keep-alive\n\n" * 1000,
    "a line": b"A" * 65536,
    "more of it after the end": stream(*said("Hello")) + b": x\n\n" * 1000,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_answer_ends_with_what_came(
    home: RemoteAccess, server: RemoteServer, name: str
) -> None:
    server.faults.append(Fault("endless", body=ENDLESS[name]))
    done = heard(ask(home.remotes.get("office/small"), question(max_tokens=10)))
    if "after the end" in name:
        assert (done.code, done.text.startswith("Hello")) == (0, True)
    else:
        assert done.failed is not None
        assert done.failed.hint
        assert bool(done.text) == (name in ("text", "much text", "letters"))
    assert server.gone.wait(10)
    assert len(server.asked()) == 1

"""Whatever a server sends: a reader gives events that can travel, or says that it cannot read."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockhouse.core.events import Usage
from lockhouse.gate.dialects import dialect
from lockhouse.gate.dialects.provider_errors import Recipient, refusal_in
from lockhouse.gate.protocol import RemoteFailure
from lockhouse.gate.remote_requests import DialectName

DIALECTS: tuple[DialectName, ...] = ("openai", "anthropic", "gemini")
WORDS: dict[DialectName, tuple[str, ...]] = {
    "openai": (
        "id", "model", "choices", "delta", "content", "reasoning", "reasoning_content", "refusal",
        "tool_calls", "index", "function", "name", "arguments", "finish_reason", "usage", "cost",
        "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "type",
        "cached_tokens", "x_groq", "error", "message", "code", "text", "thinking", "details",
        "metadata", "raw", "status", "data", "capabilities", "context_length", "meta", "n_ctx",
        "supported_parameters", "architecture", "input_modalities", "display_name",
    ),
    "anthropic": (
        "type", "index", "message", "content_block", "delta", "usage", "error", "id", "model",
        "name", "input", "text", "thinking", "partial_json", "stop_reason", "input_tokens",
        "output_tokens", "cache_read_input_tokens", "output_tokens_details", "thinking_tokens",
        "data", "display_name", "capabilities", "image_input", "supported", "max_tokens",
    ),
    "gemini": (
        "candidates", "content", "parts", "text", "thought", "functionCall", "name", "args",
        "finishReason", "finishMessage", "usageMetadata", "promptTokenCount", "index",
        "thoughtsTokenCount", "candidatesTokenCount", "promptFeedback", "blockReason", "error",
        "modelVersion", "responseId", "models", "supportedGenerationMethods", "message",
    ),
}  # fmt: skip
USAGE = Usage.__struct_fields__
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["stop", "tool_use", "content_block_start", "content_block_delta", "message_delta",
         "content_block_stop", "message_start", "STOP", "SAFETY", "thinking", "generateContent"]
    ),
)  # fmt: skip


def values(name: DialectName) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(WORDS[name])
    return st.recursive(
        VALUES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=14,
    )


def survives(name: DialectName, *events: bytes) -> None:
    reader, failure = dialect(name).reader(Recipient("someone", "Someone")), "none"
    try:
        for event in events:
            for told in reader.feed("", event):
                assert len(msgspec.json.encode(told)) < len(event) + 300
                if isinstance(told, Usage):
                    assert all(0 <= getattr(told, name) < 1 << 40 for name in USAGE)
        assert len(msgspec.json.encode(reader.end())) < sum(map(len, events)) + 500
    except RemoteFailure as error:
        failure = error.message
    assert failure
    assert failure.isprintable()


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data())
def test_any_json(name: DialectName, data: st.DataObject) -> None:
    objects = st.dictionaries(st.sampled_from(WORDS[name]), values(name), max_size=5)
    events = [msgspec.json.encode(each) for each in data.draw(st.lists(objects, max_size=3))]
    survives(name, *events)
    for event in events:
        error = refusal_in(event, Recipient("someone", "Someone"), 400, {})
        assert error.message.isprintable()


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data())
def test_any_list(name: DialectName, data: st.DataObject) -> None:
    told = msgspec.json.encode(data.draw(values(name)))
    with contextlib.suppress(RemoteFailure):
        msgspec.json.encode(dialect(name).listed(told))


@pytest.mark.parametrize("name", DIALECTS)
@given(event=st.binary(max_size=60))
def test_any_bytes(name: DialectName, event: bytes) -> None:
    survives(name, event)
    refusal_in(event, Recipient("someone", "Someone"), 500, {})


NASTY = [
    b'{"choices":[{"delta":{"content":"\\ud800"}}]}',
    b'{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[1,null,"x"]}]}}]}',
    b'{"choices":[],"usage":{"prompt_tokens":123456789012345678901234567890}}',
    b'{"choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":-1}}',
    b'{"choices":[{"finish_reason":"stop"}],"usage":{"cost":1e999999999}}',
    b'{"choices":[{"finish_reason":"stop"}],"usage":{"cost":-1e-999999999}}',
    b'{"choices":[{"finish_reason":"stop"}],"usage":{"cost":"NaN"}}',
    b'{"type":"message_start","message":{"usage":{"input_tokens":99999999999999999999999}}}',
    b'{"usageMetadata":{"promptTokenCount":99999999999999999999999}}',
    b'{"error":' * 50_000,
    b"[" * 100_000,
    b'{"x":' * 100_000 + b"1" + b"}" * 100_000,
    b'{"error":{"code":"' + b"body" * 100_000 + b'"}}',
    b'{"error":{"message":"' + b"entity_" * 100_000 + b'"}}',
]


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("number", range(len(NASTY)))
def test_what_is_meant_to_break_it(name: DialectName, number: int) -> None:
    survives(name, NASTY[number])
    refusal_in(NASTY[number], Recipient("someone", "Someone"), 500, {})
    with contextlib.suppress(RemoteFailure):
        dialect(name).listed(NASTY[number])

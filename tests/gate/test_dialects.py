"""Bodies byte for byte, lists of models, and what each provider's stream means."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockhouse.core.errors import InvalidInput
from lockhouse.core.events import Reasoning, Text, Usage
from lockhouse.core.messages import Image, Tool, ToolCall, Turn
from lockhouse.core.request import AnswerRequest, Sampling, left_open
from lockhouse.gate.dialects import dialect
from lockhouse.gate.dialects.left_out import left_out
from lockhouse.gate.dialects.provider_errors import Recipient, refusal_in
from lockhouse.gate.protocol import RemoteFailure
from lockhouse.gate.providers import Provider
from lockhouse.gate.remote_requests import Answered, DialectName, ListedModel, RemoteEvent

BODIES = Path(__file__).parents[1] / "data" / "bodies"
WHO = Recipient("someone", "Someone")

FULL = AnswerRequest(
    turns=(
        Turn("system", "Be brief."),
        Turn("user", "What is “this”?", images=(Image("image/png", b"\x89PNG", "secret.png"),)),
        Turn(
            "assistant",
            "",
            reasoning="They want to know.",
            tool_calls=(ToolCall("call:1", "look_up", '{"word":"this"}'),),
        ),
        Turn("tool", '{"found":true}', tool_call_id="call:1"),
        Turn("user", "Go on."),
    ),
    sampling=Sampling(
        temperature=0.2, top_p=0.9, top_k=20, min_p=0.1, presence_penalty=0.5, seed=7
    ),
    stop=("END",),
    json_schema='{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],'
    '"additionalProperties":false}',
    tools=(
        Tool("look_up", "Finds a word.", '{"type":"object","properties":{"word":{}}}'),
        Tool("now"),
    ),
)
PROVIDERS = {
    "openai": Provider(
        "openai",
        "OpenAI",
        "openai",
        "cloud",
        ("https://api.openai.com/v1",),
        body={"store": False},
        omit=("top_k", "min_p"),
        max_tokens_field="max_completion_tokens",
    ),
    "lan": Provider("mine", "Mine", "openai", "lan", ("http://192.168.1.2:8080/v1",)),
    "anthropic": Provider(
        "anthropic", "Anthropic", "anthropic", "cloud", ("https://api.anthropic.com/v1",)
    ),
    "gemini": Provider(
        "gemini",
        "Gemini",
        "gemini",
        "cloud",
        ("https://generativelanguage.googleapis.com/v1beta",),
        body={"generationConfig": {"thinkingConfig": {"includeThoughts": True}}},
        omit=("generationConfig.seed",),
    ),
}


def body(name: str, request: AnswerRequest, max_tokens: int = 500) -> bytes:
    provider = PROVIDERS[name]
    return dialect(provider.dialect).body(provider, "model-1", request, max_tokens=max_tokens)


# --- bodies --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_full_request_byte_for_byte(name: str) -> None:
    """Rewritten with LOCKHOUSE_WRITE_BODIES=1; look at what changed before keeping it."""
    written = body(name, FULL)
    if os.environ.get("LOCKHOUSE_WRITE_BODIES"):
        (BODIES / f"{name}.json").write_bytes(written)
    assert written == (BODIES / f"{name}.json").read_bytes()
    assert body(name, FULL) == written
    assert b"secret.png" not in written
    assert b"They want to know" not in written
    assert "“this”".encode() in written  # UTF-8, not escapes


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_nobody_chose_is_left_to_the_provider(name: str) -> None:
    request = AnswerRequest((Turn("user", "Hi"),), left_open=left_open(()))
    sent = json.loads(body(name, request))
    settings = sent.pop("generationConfig", {})
    sampling = {"temperature", "top_p", "topP", "top_k", "topK", "min_p", "seed", "stop", "tools"}
    assert not sampling & {*sent, *settings}
    warm = AnswerRequest((Turn("user", "Hi"),), left_open=left_open(["temperature"]))
    assert b'"temperature":0.7' in body(name, warm)


@pytest.mark.parametrize("name", PROVIDERS)
def test_settings_that_are_off_are_not_sent(name: str) -> None:
    """Models that know no penalties refuse the very field."""
    request = AnswerRequest((Turn("user", "Hi"),), Sampling(top_k=0, min_p=0.0))
    for word in (b"top_k", b"topK", b"min_p", b"enalty", b"dry_", b"xtc_", b"mirostat"):
        assert word not in body(name, request)


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini"])
def test_what_cannot_be_said_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="grammar"):
        body(name, AnswerRequest((Turn("user", "Hi"),), grammar='root ::= "a"'))
    with pytest.raises(InvalidInput, match="schema"):
        body(name, AnswerRequest((Turn("user", "Hi"),), json_schema="{not json"))
    with pytest.raises(InvalidInput, match="look_up"):
        body(name, AnswerRequest((Turn("user", "Hi"),), tools=(Tool("look_up", "", "[1]"),)))


def test_servers_of_ones_own_take_more() -> None:
    request = AnswerRequest(
        (Turn("user", "Hi"),),
        Sampling(repeat_penalty=1.1, mirostat=2, logit_bias={"42": -100.0}),
        grammar='root ::= "a"',
        prefill="So",
        reasoning_budget=0,
    )
    sent = json.loads(body("lan", request))
    assert sent["messages"][-1] == {"role": "assistant", "content": "So"}
    assert sent["continue_final_message"] is True
    assert sent["grammar"] == 'root ::= "a"'
    assert sent["mirostat"] == 2
    assert sent["repeat_penalty"] == sent["repetition_penalty"] == 1.1
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}
    assert sent["logit_bias"] == {"42": -100.0}
    words = AnswerRequest((Turn("user", "Hi"),), Sampling(logit_bias={" word": 5.0}))
    with pytest.raises(InvalidInput, match="numbers"):
        body("openai", words)


def sent_to(model: str, provider: str, **changes: Any) -> dict[str, Any]:
    request = AnswerRequest((Turn("user", "Hi"),), **changes)
    known = PROVIDERS[provider]
    body = dialect(known.dialect).body(known, model, request, max_tokens=30_000)
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.parametrize(
    ("provider", "model", "chosen", "fields"),
    [
        ("openai", "gpt-6-luna", "off", {"reasoning_effort": "none"}),
        ("openai", "gpt-5-mini", "off", {"reasoning_effort": "minimal"}),
        ("openai", "o4-mini", "off", {"reasoning_effort": "low"}),
        ("openai", "gpt-6-luna", "high", {"reasoning_effort": "high"}),
        (
            "lan",
            "qwen3",
            "on",
            {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}},
        ),
        ("lan", "gpt-oss", "low", {"reasoning_effort": "low"}),
        ("anthropic", "claude-3-7-sonnet", "off", {}),
        (
            "anthropic",
            "claude-sonnet-4-5-20250929",
            "medium",
            {"thinking": {"type": "enabled", "budget_tokens": 8192}},
        ),
        (
            "anthropic",
            "claude-opus-5-5",
            "low",
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "low"},
            },
        ),
    ],
)
def test_thinking_is_asked_for_in_the_words_of_each_api(
    provider: str, model: str, chosen: str, fields: dict[str, Any]
) -> None:
    sent = sent_to(model, provider, thinking=chosen)
    assert {name: sent.get(name) for name in fields} == fields
    names = {"thinking", "reasoning_effort", "chat_template_kwargs", "output_config"}
    assert not names & sent_to(model, provider).keys()
    assert fields or not names & sent.keys()


@pytest.mark.parametrize(
    ("model", "chosen", "config"),
    [
        ("gemini-2.5-flash", "off", {"includeThoughts": True, "thinkingBudget": 0}),
        ("gemini-2.5-flash", "on", {"includeThoughts": True, "thinkingBudget": -1}),
        ("gemini-2.5-pro", "off", {"includeThoughts": True, "thinkingBudget": 1024}),
        ("gemini-3.8-flash", "off", {"includeThoughts": True, "thinkingLevel": "minimal"}),
        ("gemini-3.1-pro", "max", {"includeThoughts": True, "thinkingLevel": "high"}),
    ],
)
def test_gemini_takes_a_level_or_a_budget(model: str, chosen: str, config: dict[str, Any]) -> None:
    settings = sent_to(model, "gemini", thinking=chosen)["generationConfig"]
    assert settings["thinkingConfig"] == config


def test_what_is_not_sent_as_it_was_chosen_is_told() -> None:
    chosen = left_open({"temperature", "min_p", "top_k", "context_length"})
    request = AnswerRequest(
        (Turn("user", "Hi"),),
        Sampling(temperature=1.7, min_p=0.2, top_k=0, seed=7),
        max_tokens=9000,
        context_length=4096,
        thinking="max",
        left_open=chosen,
    )
    sent = body("anthropic", request, 4000)
    assert left_out(request, sent, "Anthropic", "high") == (
        "Anthropic takes no temperature, min-p, seed and context length: they are left out. "
        "Its answers have at most 4,000 tokens, not 9,000. "
        'Thinking is set to "high", which is nearest to "max" there.'
    )
    plain = msgspec.structs.replace(request, thinking="", max_tokens=None, reasoning_budget=5)
    assert left_out(plain, body("openai", plain), "OpenAI", "") == (
        "OpenAI takes no min-p, context length and thinking budget: they are left out."
    )
    hot = AnswerRequest((Turn("user", "Hi"),), Sampling(temperature=1.7, min_p=0))
    hot = msgspec.structs.replace(hot, left_open=left_open({"temperature"}))
    assert left_out(hot, body("anthropic", hot), "Anthropic", "") == (
        "Its highest temperature is 1, which is used instead of 1.7."
    )
    own = AnswerRequest((Turn("user", "Hi"),), Sampling(seed=7), left_open=left_open(()))
    assert left_out(own, body("lan", own), "Office", "") == ""


def test_a_schema_that_cannot_be_held_to_is_not_called_strict() -> None:
    loose = '{"type":"object","properties":{"a":{"type":"object"}},"required":["a"]}'
    request = AnswerRequest((Turn("user", "Hi"),), json_schema=loose)
    assert "strict" not in json.loads(body("openai", request))["response_format"]["json_schema"]


def test_anthropic_takes_turns_in_turn() -> None:
    """Turns of the same side are one; empty ones, and white space at the very end, are refused."""
    request = AnswerRequest(
        (
            Turn("user", "One."),
            Turn("user", "Two."),
            Turn("assistant", "  "),
            Turn("user", "Three."),
        ),
        prefill="So far \n",
    )
    sent = json.loads(body("anthropic", request, 4000))
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant"]
    texts = [block["text"] for block in sent["messages"][0]["content"]]
    assert texts == ["One.", "Two.", "Three."]
    assert sent["messages"][-1]["content"] == "So far"
    thinks = json.loads(
        body("anthropic", AnswerRequest((Turn("user", "Hi"),), reasoning_budget=100), 4000)
    )
    assert thinks["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert "temperature" not in thinks
    called = AnswerRequest((*FULL.turns,), reasoning_budget=100)
    assert "thinking" not in json.loads(body("anthropic", called, 4000))
    hot = AnswerRequest((Turn("user", "Hi"),), Sampling(temperature=1.7))
    assert json.loads(body("anthropic", hot))["temperature"] == 1.0


def test_gemini_finds_the_name_of_what_was_called() -> None:
    sent = json.loads(body("gemini", FULL))
    result = sent["contents"][2]["parts"][0]["functionResponse"]
    assert result == {"id": "call:1", "name": "look_up", "response": {"found": True}}
    assert dialect("gemini").path("models/a/b") == "/models/a%2Fb:streamGenerateContent?alt=sse"


# --- streams -------------------------------------------------------------------------------


def read(name: DialectName, *chunks: Any) -> tuple[list[RemoteEvent], Answered]:
    reader = dialect(name).reader(WHO)
    events: list[RemoteEvent] = []
    for chunk in chunks:
        data = chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode()
        events += reader.feed("", data)
    return events, reader.end()


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def test_reasoning_wherever_it_stands() -> None:
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "c"}]}]
    events, _ = read(
        "openai",
        chunk(role="assistant", content=None, reasoning_content="a"),
        chunk(reasoning="b", content=""),
        chunk(content=[*thinking, {"type": "text", "text": "d"}]),
        chunk(content="e", reasoning_content=None),
        chunk("stop"),
    )
    assert events == [
        Reasoning("a"), Reasoning("b"), Reasoning("c"), Text("d"), Text("e"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [
                [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}],
                [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
                [{"index": 0, "function": {"arguments": '{"x":'}}],
                [{"index": 0, "id": "", "function": {"name": "", "arguments": "1}"}}],
            ],
            id="interleaved",
        ),
        pytest.param(
            [
                [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x":1}'}}],
                [{"index": 0, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
            ],
            id="all of them number 0",
        ),
        pytest.param(
            [
                [
                    {"id": "a", "function": {"name": "f", "arguments": '{"x":1}'}},
                    {"id": "b", "function": {"name": "g", "arguments": None}},
                ]
            ],
            id="without numbers",
        ),
    ],
)
@pytest.mark.parametrize("finish", ["tool_calls", "stop"])
def test_calls_in_pieces(pieces: list[Any], finish: str) -> None:
    chunks = [chunk(tool_calls=calls) for calls in pieces]
    events, answered = read("openai", *chunks, chunk(finish), b"[DONE]")
    assert events == [ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}")]
    assert answered.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5}, Usage(10, 0, 5, 0)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 15,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(10, 4, 5, 3),
        ),
        (  # hits and misses
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_cache_hit_tokens": 8,
                "prompt_cache_miss_tokens": 2,
                "prompt_tokens_details": None,
            },
            Usage(10, 8, 5, 0),
        ),
        (  # reasoning counted beside the rest
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 22,
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
            Usage(10, 0, 12, 7),
        ),
    ],
)
def test_counts_of_chat_completions_mean_one_thing(usage: Any, expected: Usage) -> None:
    counted = {"choices": [], "usage": usage}
    events, answered = read("openai", chunk(content="a"), chunk("stop"), counted)
    assert answered.usage == events[-1] == expected
    apart = {"choices": [], "x_groq": {"id": "req", "usage": usage}}
    assert read("openai", chunk("stop", content="a"), apart)[1].usage == expected


def test_what_a_provider_says_it_charged_is_exact() -> None:
    usage = b'{"prompt_tokens":9,"completion_tokens":1,"cost":0.00001234567890123456789}'
    answered = read("openai", chunk("stop", content="a"), b'{"choices":[],"usage":%b}' % usage)[1]
    assert Decimal(answered.reported_cost) == Decimal("0.00001234567890123456789")


@pytest.mark.parametrize(
    ("word", "expected"),
    [("stop", "stop"), ("length", "length"), ("model_length", "length"), ("eos", "stop")],
)
def test_why_chat_completions_end(word: str, expected: str) -> None:
    assert read("openai", chunk(content="a"), chunk(word))[1].finish_reason == expected


@pytest.mark.parametrize(
    ("name", "chunks", "code"),
    [
        ("openai", [chunk(content="a")], "connection_lost"),
        ("openai", [chunk("content_filter", content="a")], "content_refused"),
        ("openai", [chunk("stop", refusal="I cannot help with that.")], "content_refused"),
        ("openai", [chunk("error", content="a")], "remote_failed"),
        ("openai", [b"[DONE]"], "bad_stream"),
        ("openai", [{"choices": "none"}], "bad_stream"),
        ("openai", [b'{"choices":[{"delta":{"content":"\xff"}}]}'], "bad_stream"),
        ("openai", [{"error": "out of memory"}], "remote_failed"),
        (
            "openai",
            [{"error": {"code": 429, "message": "Rate limit exceeded"}, "choices": []}],
            "rate_limited",
        ),
        ("anthropic", [{"type": "ping"}], "connection_lost"),
        ("gemini", [{"candidates": [{"finishReason": "RECITATION"}]}], "content_refused"),
        ("gemini", [{"candidates": [{"finishReason": "MALFORMED_CALL"}]}], "remote_failed"),
        ("gemini", [{"candidates": [{"content": {}}]}], "connection_lost"),
        ("gemini", [[]], "bad_stream"),
    ],
)
def test_answers_that_are_none(name: DialectName, chunks: list[Any], code: str) -> None:
    with pytest.raises(RemoteFailure) as caught:
        read(name, *chunks)
    assert caught.value.code == code
    assert caught.value.hint


def test_a_refusal_is_told_in_the_models_words() -> None:
    with pytest.raises(RemoteFailure, match="I cannot help with that"):
        read("openai", chunk(refusal="I cannot "), chunk("stop", refusal="help with that."))


# --- errors in words -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (404, b'{"detail":"Not Found"}', "not_there", ""),
        (404, b'{"error":"model \'x\' not found"}', "model_not_found", "model 'x'"),
        (422, b'{"detail":[{"loc":["body"],"msg":"Extra inputs"}]}', "not_accepted", "Extra"),
        (400, b'{"object":"error","message":"Bad thing","code":400}', "not_accepted", "Bad thing"),
        (502, b"<html><h1>502 Bad Gateway</h1></html>", "remote_failed", ""),
        (500, b"", "remote_failed", ""),
        (500, b'{"error":{"message":"1 validation error: x","type":"internal_server_error"}}',
         "not_accepted", "validation"),
        (503, b'{"error":{"message":"Loading model","type":"unavailable_error"}}', "overloaded",
         "Loading model"),
        (400, b'{"error":{"message":"the request exceeds the available context size","code":400}}',
         "context_too_long", "available context"),
        (403, b'{"error":{"code":403,"message":"Input was flagged","metadata":{"reasons":["x"]}}}',
         "content_refused", "flagged"),
        (402, b'{"error":{"code":402,"message":"This request requires more credits"}}',
         "no_credit", "more credits"),
        (400, b'{"error":{"message":"Provider returned error","metadata":{"raw":"it says no"}}}',
         "not_accepted", "it says no"),
    ],
)  # fmt: skip
def test_errors_of_all_shapes(status: int, body: bytes, code: str, said: str) -> None:
    error = refusal_in(body, WHO, status, {})
    assert (error.code, error.status) == (code, status)
    assert said in error.message
    assert "<" not in error.message
    assert error.hint


TO_BUY_MORE = (
    "Rate limit reached for gpt-x on requests per min (RPM): Limit 3. Please try again in 20s. "
    "You can increase your rate limit by adding a payment method at /account/billing."
)
USED_UP = "You exceeded your current quota, please check your plan and billing details."


def test_a_rate_limit_is_no_empty_purse() -> None:
    """OpenAI names the page where more is sold; Gemini says "quota" of a minute's."""
    openai = {"error": {"message": TO_BUY_MORE, "type": "requests", "code": "rate_limit_exceeded"}}
    error = refusal_in(json.dumps(openai).encode(), WHO, 429, {})
    assert (error.code, error.retry_after_s) == ("rate_limited", 20.0)
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"}
    gemini: dict[str, Any] = {
        "error": {
            "code": 429,
            "message": f"{USED_UP} Please retry in 37.1s.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [retry],
        }
    }
    error = refusal_in(json.dumps(gemini).encode(), WHO, 429, {})
    assert (error.code, error.retry_after_s) == ("rate_limited", 37.0)
    empty = {"error": {"message": USED_UP, "type": "insufficient_quota"}}
    assert refusal_in(json.dumps(empty).encode(), WHO, 429, {}).code == "no_credit"


def test_words_that_only_begin_like_keys_are_left() -> None:
    said = "Skepticism: sketchbooks and pkcs11-modules, hf transformers; sk-abc123456 is none."
    message = refusal_in(json.dumps({"error": said}).encode(), WHO, 400, {}).message
    assert said.replace("sk-abc123456", "…") in message


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry-after": "17"}, "", 17.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, "", 1.5),
        ({}, "Please try again in 6.3s.", 6.3),
        ({}, "Please try again in 1m12.5s. Visit us.", 72.5),
        ({}, "Please try again in 250ms.", 0.25),
        ({"retry-after": "soon"}, "", 0.0),
        ({"retry-after": "9999999"}, "", 86_400.0),
    ],
)
def test_the_time_to_wait(headers: dict[str, str], message: str, seconds: float) -> None:
    body = json.dumps({"error": {"message": message, "type": "rate_limit_exceeded"}}).encode()
    error = refusal_in(body, WHO, 429, headers)
    assert error.code == "rate_limited"
    assert error.retry_after_s == pytest.approx(seconds)


def test_quotes_are_short_clean_and_without_keys() -> None:
    nasty = "No\x1b[31m sk-proj-abcdefgh12345678 \u202e" + "x" * 5000
    error = refusal_in(json.dumps({"error": nasty}).encode(), WHO, 400, {})
    assert len(error.message) < 400
    assert "sk-proj" not in error.message
    assert error.message.isprintable()


# --- lists ---------------------------------------------------------------------------------

LISTS: list[tuple[DialectName, Any, list[ListedModel]]] = [
    (
        "openai",  # vLLM
        {"data": [{"id": "qwen", "owned_by": "vllm", "max_model_len": 32768}]},
        [ListedModel("qwen", "", 32768)],
    ),
    (
        "openai",  # llama-server
        {
            "models": [{"name": "a.gguf", "capabilities": ["completion"]}],
            "data": [
                {
                    "id": "a.gguf",
                    "owned_by": "llamacpp",
                    "meta": {"n_ctx_train": 131072, "n_params": 1},
                }
            ],
        },
        [ListedModel("a.gguf", "", 131072)],
    ),
    (
        "openai",  # OpenRouter
        {
            "data": [
                {
                    "id": "maker/model",
                    "name": "Maker: Model",
                    "context_length": 200000,
                    "architecture": {"input_modalities": ["text", "image"]},
                    "top_provider": {"max_completion_tokens": 64000},
                    "supported_parameters": ["tools", "reasoning", "structured_outputs", "top_k"],
                }
            ]
        },
        [
            ListedModel(
                "maker/model",
                "Maker: Model",
                200000,
                64000,
                ("chat", "vision", "tools", "json_schema", "reasoning"),
            )
        ],
    ),
    (
        "openai",  # Mistral
        {
            "data": [
                {
                    "id": "mistral-x",
                    "max_context_length": 131072,
                    "capabilities": {
                        "completion_chat": True,
                        "function_calling": True,
                        "vision": True,
                    },
                },
                {"id": "mistral-embed", "capabilities": {"completion_chat": False}},
            ]
        },
        [ListedModel("mistral-x", "", 131072, 0, ("chat", "vision", "tools"))],
    ),
    (
        "openai",  # Groq
        {"data": [{"id": "g", "context_window": 8192, "max_completion_tokens": 4096},
                  {"id": "whisper-large-v3"}, {"id": "old", "active": False}]},
        [ListedModel("g", "", 8192, 4096)],
    ),
    (
        "openai",  # Together: a bare list
        [{"id": "t", "display_name": "T", "type": "chat", "context_length": 4096},
         {"id": "flux", "type": "image"}],
        [ListedModel("t", "T", 4096)],
    ),
    (
        "anthropic",
        {
            "data": [
                {
                    "type": "model",
                    "id": "claude-x",
                    "display_name": "Claude X",
                    "max_input_tokens": 200000,
                    "max_tokens": 64000,
                    "lifecycle": "active",
                    "capabilities": {
                        "image_input": {"supported": True},
                        "thinking": {"supported": True, "types": {}},
                        "structured_outputs": {"supported": False},
                    },
                },
                {"type": "model", "id": "claude-old", "lifecycle": "retired"},
            ],
            "has_more": False,
        },
        [ListedModel("claude-x", "Claude X", 200000, 64000,
                     ("chat", "tools", "vision", "reasoning"))],
    ),
    (
        "gemini",
        {
            "models": [
                {
                    "name": "models/gemini-x",
                    "displayName": "Gemini X",
                    "inputTokenLimit": 1048576,
                    "outputTokenLimit": 65536,
                    "supportedGenerationMethods": ["generateContent"],
                    "thinking": True,
                },
                {"name": "models/embed", "supportedGenerationMethods": ["embedContent"]},
            ]
        },
        [
            ListedModel(
                "gemini-x", "Gemini X", 1048576, 65536, ("chat", "vision", "tools", "reasoning")
            )
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "told", "expected"), LISTS)
def test_lists_of_models(name: DialectName, told: Any, expected: list[ListedModel]) -> None:
    assert list(dialect(name).listed(json.dumps(told).encode())) == expected


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize("data", [b"", b"<html>", b'{"data": 3}', b"[1", b"\xff"])
def test_what_is_no_list_is_told(name: DialectName, data: bytes) -> None:
    with pytest.raises(RemoteFailure) as caught:
        dialect(name).listed(data)
    assert caught.value.code == "bad_stream"

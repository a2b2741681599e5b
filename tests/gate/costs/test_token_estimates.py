"""The bound on what a request can have: it must hold for every tokenizer, and be of use."""

from __future__ import annotations

import base64
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockhouse.core.messages import Image, Tool, Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.engine.process.model import Model, Vocabulary
from lockhouse.engine.process.native import load_model
from lockhouse.engine.protocol import LoadSettings
from lockhouse.gate.costs.token_estimates import (
    ADDED_FOR_TOOLS,
    ADDED_TOKENS,
    MOST_PER_IMAGE,
    measure,
)
from lockhouse.gate.dialects import dialect
from lockhouse.gate.providers import Provider
from lockhouse.gate.remote_requests import DialectName
from lockhouse.library.starter import starter_model

DIALECTS: tuple[DialectName, ...] = ("openai", "anthropic", "gemini")
PICTURE = Image("image/png", bytes(range(256)) * 400)
SCHEMA = '{"type":"object","properties":{"file":{"type":"string"},"image_url":{"type":"string"}}}'


def provider(name: DialectName) -> Provider:
    return Provider("one", "One", name, "cloud", ("https://api.example/v1",))


def body(name: DialectName, request: AnswerRequest, max_tokens: int = 700) -> bytes:
    return dialect(name).body(provider(name), "model", request, max_tokens=max_tokens)


def asked(text: str, **more: Any) -> AnswerRequest:
    return AnswerRequest((Turn("user", text),), **more)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    path = starter_model()
    assert path is not None
    model = load_model(path, LoadSettings(), lambda _: True)
    return Model(model, extra_buffers=True).vocabulary


NASTY = (
    "Hello there",
    "\n\n\n\t\t\t   ",
    "﷽" * 50 + "ﷺ" * 50,
    "🧑‍🧑‍🧒‍🧒" * 40,
    "北京市朝阳区" * 40,
    "\x00\x01\x7f\u200b\u2028" * 20,
    "a̐é̂ö̲" * 30,
    "⁂𝔘𝔫𝔦𝔠𝔬𝔡𝔢" * 20,
    "<|im_start|>" * 30,
    "0" * 500,
)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("text", NASTY)
def test_no_text_has_more_tokens(vocabulary: Vocabulary, name: DialectName, text: str) -> None:
    bound = measure(body(name, asked(text)), name).most_prompt_tokens - ADDED_TOKENS
    for spelling in (text, unicodedata.normalize("NFKC", text), unicodedata.normalize("NFC", text)):
        assert len(vocabulary.tokenize(spelling, special=False)) <= bound
        assert len(spelling.encode()) <= bound


@settings(max_examples=60)
@given(st.lists(st.text(max_size=200), min_size=1, max_size=6), st.sampled_from(DIALECTS))
def test_the_bound_counts_every_byte_of_every_turn(texts: list[str], name: DialectName) -> None:
    roles = ("user", "assistant")
    turns = [Turn(roles[number % 2], text or "-") for number, text in enumerate(texts)]  # type: ignore[arg-type]
    measured = measure(body(name, AnswerRequest(tuple(turns))), name)
    longest = sum(len(unicodedata.normalize("NFKC", turn.content).encode()) for turn in turns)
    assert measured.most_prompt_tokens >= longest + ADDED_TOKENS
    assert measured.prompt_tokens <= measured.most_prompt_tokens


def test_an_escaped_body_is_bounded_too() -> None:
    """Whoever writes letters as \\u has them decoded on the other side."""
    message = '{"max_tokens":10,"messages":[{"role":"user","content":"' + "\\ufdfa" * 100 + '"}]}'
    longest = len(unicodedata.normalize("NFKC", "\ufdfa" * 100).encode())
    assert measure(message.encode(), "openai").most_prompt_tokens >= longest


@pytest.mark.parametrize("name", DIALECTS)
def test_a_picture_counts_as_one_and_not_by_its_bytes(name: DialectName) -> None:
    plain = measure(body(name, asked("What is this?")), name)
    turn = Turn("user", "What is this?", images=(PICTURE, PICTURE))
    shown = measure(body(name, AnswerRequest((turn,))), name)
    more = shown.most_prompt_tokens - plain.most_prompt_tokens
    assert 2 * MOST_PER_IMAGE[name] <= more < 2 * MOST_PER_IMAGE[name] + 500
    assert len(base64.b64encode(PICTURE.data)) > 100_000
    assert shown.is_plain


@pytest.mark.parametrize("name", DIALECTS)
def test_tools_count_and_what_is_in_their_schemas_is_no_media(name: DialectName) -> None:
    tool = Tool("look", "Looks at a file", SCHEMA)
    measured = measure(body(name, asked("Look", tools=(tool,), json_schema=SCHEMA)), name)
    plain = measure(body(name, asked("Look", json_schema=SCHEMA)), name)
    assert measured.is_plain
    assert measured.most_prompt_tokens - plain.most_prompt_tokens >= ADDED_FOR_TOOLS + len(SCHEMA)
    assert measured.most_prompt_tokens < 10_000


@pytest.mark.parametrize("name", DIALECTS)
def test_the_answers_length_is_read_from_what_is_sent(name: DialectName) -> None:
    assert measure(body(name, asked("Hello"), max_tokens=123), name).max_tokens == 123


def test_more_answers_than_one_are_counted() -> None:
    told = {"messages": [], "max_tokens": 10, "n": 3}
    assert measure(msgspec.json.encode(told), "openai").answers == 3
    told = {"contents": [], "generationConfig": {"maxOutputTokens": 5, "candidateCount": 2}}
    assert measure(msgspec.json.encode(told), "gemini").answers == 2


@pytest.mark.parametrize(
    "more",
    [
        {"service_tier": "priority"},
        {"speed": "fast"},
        {"web_search_options": {}},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"googleSearch": {}}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]},
    ],
)
def test_what_costs_more_than_tokens_is_noticed(more: dict[str, Any]) -> None:
    plain = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 10}
    assert measure(msgspec.json.encode(plain), "openai").is_plain
    assert not measure(msgspec.json.encode({**plain, **more}), "openai").is_plain


def test_the_bound_is_of_use() -> None:
    """A page of text is not taken for a book."""
    page = "The quick brown fox jumps over the lazy dog. " * 60
    measured = measure(body("openai", asked(page)), "openai")
    assert 500 < measured.prompt_tokens < 900
    assert measured.most_prompt_tokens < 4_200

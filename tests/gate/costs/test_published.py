"""What recorded answers cost, against the arithmetic that the providers publish.

Every case has a usage as the provider writes it at the end of a stream, read by the program's own
dialect, and beside it the lines of a bill: tokens and the published price of a million of them,
written by hand. Where a provider shows such a record in its documents, that one is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from lockhouse.gate.costs.prices import PriceList, cost
from lockhouse.gate.dialects import dialect
from lockhouse.gate.dialects.provider_errors import Recipient
from lockhouse.gate.providers import presets
from lockhouse.gate.remote_requests import Answered, DialectName

# A Monday evening in UTC, when DeepSeek is at its lower price.
EVENING = datetime(2026, 11, 16, 20, 0, tzinfo=UTC)
MORNING = datetime(2026, 11, 16, 2, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded usage and its bill. ``total`` is in dollars."""

    prices: str
    model: str
    usage: dict[str, Any]
    lines: tuple[tuple[int, str], ...]
    total: str
    at: datetime = EVENING

    @property
    def dialect(self) -> DialectName:
        if "input_tokens" in self.usage:
            return "anthropic"
        return "gemini" if "promptTokenCount" in self.usage else "openai"


def openai(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    total = prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total, **more}


def gemini(prompt: int, candidates: int, **more: int) -> dict[str, Any]:
    return {"promptTokenCount": prompt, "candidatesTokenCount": candidates, **more}


CASES = (
    Case(
        "openai",
        "gpt-4o",
        openai(2006, 300, prompt_tokens_details={"cached_tokens": 1920}),
        ((86, "2.50"), (1920, "1.25"), (300, "10.00")),
        "0.005615",
    ),
    Case("openai", "gpt-4o-mini", openai(1000, 500), ((1000, "0.15"), (500, "0.60")), "0.00045"),
    Case(
        "openai",
        "gpt-4.1-2025-04-14",
        openai(12033, 44, prompt_tokens_details={"cached_tokens": 11904}),
        ((129, "2.00"), (11904, "0.50"), (44, "8.00")),
        "0.006562",
    ),
    Case(  # what it thought is part of the 1,148
        "openai",
        "o4-mini",
        openai(36, 1148, completion_tokens_details={"reasoning_tokens": 1088}),
        ((36, "1.10"), (1148, "4.40")),
        "0.0050908",
    ),
    Case(
        "openai",
        "gpt-5-mini",
        openai(
            5000,
            900,
            prompt_tokens_details={"cached_tokens": 4096},
            completion_tokens_details={"reasoning_tokens": 640},
        ),
        ((904, "0.25"), (4096, "0.025"), (900, "2.00")),
        "0.0021284",
    ),
    Case("openai", "gpt-5.4", openai(272000, 1000), ((272000, "2.50"), (1000, "15")), "0.695"),
    Case(  # above 272,000 all of it is dearer, output too
        "openai",
        "gpt-5.4-2026-03-05",
        openai(300000, 2000, prompt_tokens_details={"cached_tokens": 100000}),
        ((200000, "5.00"), (100000, "0.50"), (2000, "22.50")),
        "1.095",
    ),
    Case(  # what is put into the cache costs a quarter more
        "openai",
        "gpt-6-luna",
        openai(
            4000, 200, prompt_tokens_details={"cached_tokens": 1024, "cache_write_tokens": 2048}
        ),
        ((928, "0.10"), (1024, "0.01"), (2048, "0.125"), (200, "0.50")),
        "0.00045904",
    ),
    Case(
        "anthropic",
        "claude-opus-4-1-20250805",
        {
            "input_tokens": 21,
            "cache_creation_input_tokens": 188086,
            "cache_read_input_tokens": 0,
            "output_tokens": 393,
        },
        ((21, "15"), (188086, "18.75"), (393, "75")),
        "3.5564025",
    ),
    Case(  # the same question again
        "anthropic",
        "claude-opus-4-1",
        {
            "input_tokens": 21,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 188086,
            "output_tokens": 393,
        },
        ((21, "15"), (188086, "1.50"), (393, "75")),
        "0.311919",
    ),
    Case(
        "anthropic",
        "claude-3-5-haiku-20241022",
        {"input_tokens": 1000, "output_tokens": 500},
        ((1000, "0.80"), (500, "4.00")),
        "0.0028",
    ),
    Case(  # 210,050 tokens in: what was cached counts towards the 200,000
        "anthropic",
        "claude-sonnet-4-5-20250929",
        {
            "input_tokens": 50,
            "cache_creation_input_tokens": 60000,
            "cache_read_input_tokens": 150000,
            "output_tokens": 1000,
        },
        ((50, "6"), (150000, "0.60"), (60000, "7.50"), (1000, "22.50")),
        "0.5628",
    ),
    Case(
        "anthropic",
        "claude-opus-5",
        {
            "input_tokens": 2500,
            "output_tokens": 700,
            "output_tokens_details": {"thinking_tokens": 400},
        },
        ((2500, "5"), (700, "25")),
        "0.03",
    ),
    Case(
        "anthropic",
        "claude-haiku-5-5",
        {"input_tokens": 100001, "output_tokens": 100},
        ((100001, "0.50"), (100, "2.50")),
        "0.0502505",
    ),
    Case(  # thoughts are told apart, and billed as output
        "google",
        "gemini-2.5-pro",
        gemini(10000, 100, thoughtsTokenCount=500),
        ((10000, "1.25"), (600, "10.00")),
        "0.0185",
    ),
    Case(
        "google",
        "gemini-2.5-pro",
        gemini(250000, 800, thoughtsTokenCount=1200, cachedContentTokenCount=50000),
        ((200000, "2.50"), (50000, "0.25"), (2000, "15.00")),
        "0.5425",
    ),
    Case(
        "google",
        "gemini-2.5-flash",
        gemini(1500, 300, thoughtsTokenCount=700),
        ((1500, "0.30"), (1000, "2.50")),
        "0.00295",
    ),
    Case("mistral", "mistral-large-2411", openai(1200, 400), ((1200, "2"), (400, "6")), "0.0048"),
    Case(
        "deepseek",
        "deepseek-flash",
        openai(10000, 600, prompt_cache_hit_tokens=8000, prompt_cache_miss_tokens=2000),
        ((2000, "0.15"), (8000, "0.003"), (600, "0.60")),
        "0.000684",
    ),
    Case(  # twice as much at its peak hours
        "deepseek",
        "deepseek-flash",
        openai(10000, 600, prompt_cache_hit_tokens=8000, prompt_cache_miss_tokens=2000),
        ((2000, "0.30"), (8000, "0.006"), (600, "1.20")),
        "0.001368",
        at=MORNING,
    ),
    Case(
        "groq",
        "llama-3.3-70b-versatile",
        openai(1000, 1000),
        ((1000, "0.59"), (1000, "0.79")),
        "0.00138",
    ),
    Case(
        "groq",
        "openai/gpt-oss-120b",
        openai(4641, 1817, prompt_tokens_details={"cached_tokens": 4608}),
        ((33, "0.15"), (4608, "0.075"), (1817, "0.60")),
        "0.00144075",
    ),
    Case(
        "together",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        openai(2000, 500),
        ((2000, "0.88"), (500, "0.88")),
        "0.0022",
    ),
    Case(  # reasoning is told beside the completion, as the total shows
        "x-ai",
        "grok-4",
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "prompt_tokens_details": {"cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        ((26, "3"), (6, "0.75"), (103, "15")),
        "0.0016275",
    ),
)


def read(case: Case) -> Answered:
    """The end of a stream with that usage, read by its dialect."""
    reader = dialect(case.dialect).reader(Recipient("one", "One"))
    for event, told in stream(case):
        reader.feed(event, msgspec.json.encode(told))
    if case.dialect == "openai":
        reader.feed("", b"[DONE]")
    return reader.end()


def stream(case: Case) -> list[tuple[str, dict[str, Any]]]:
    if case.dialect == "anthropic":
        begin = {**case.usage, "output_tokens": 1}
        message = {"id": "m", "model": case.model, "usage": begin}
        text = {"type": "text_delta", "text": "Yes."}
        end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": case.usage}
        return [
            ("message_start", {"type": "message_start", "message": message}),
            ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": text}),
            ("message_delta", end),
            ("message_stop", {"type": "message_stop"}),
        ]
    if case.dialect == "gemini":
        answer = {"content": {"parts": [{"text": "Yes."}]}, "finishReason": "STOP"}
        return [("", {"candidates": [answer], "usageMetadata": case.usage})]
    choice = {"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}
    return [
        ("", {"id": "c", "model": case.model, "choices": [choice]}),
        ("", {"id": "c", "model": case.model, "choices": [], "usage": case.usage}),
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.model}-{case.total}")
def test_a_recorded_usage_costs_what_the_provider_bills(case: Case) -> None:
    billed = sum(tokens * Decimal(price) for tokens, price in case.lines) / 1_000_000
    assert billed == Decimal(case.total)  # the bill itself is right
    answered = read(case)
    assert answered.usage is not None
    price = PriceList().find(case.prices, case.model, case.at)
    assert price is not None
    told = cost(price, answered.usage, cache_write_tokens=answered.cache_write_tokens)
    assert told.amount == billed
    assert told.currency == "USD"
    assert not told.is_estimate


def test_there_are_ten_models_and_more() -> None:
    assert len({(case.prices, case.model) for case in CASES}) >= 10


def test_what_the_presets_suggest_has_a_price() -> None:
    prices = PriceList()
    unknown = [
        f"{provider.name}/{model}"
        for provider in presets().providers
        for model in provider.suggested
        if prices.find(provider.prices, model) is None
    ]
    assert not unknown

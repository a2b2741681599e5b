"""The script that makes the bundled prices, on data of the shape that its package has."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from datetime import UTC, date, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "installers" / "price_snapshot.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("price_snapshot", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class ClauseEquals:
    equals: str


@dataclass
class ClauseStartsWith:
    starts_with: str


@dataclass
class ClauseRegex:
    regex: str


@dataclass
class ClauseOr:
    or_: list[Any]


@dataclass
class ClauseAnd:
    and_: list[Any]


@dataclass
class Model:
    id: str
    prices: Any
    match: Any = None
    context_window: int | None = None


@dataclass
class Provider:
    id: str
    models: list[Model] = field(default_factory=list)


def price(**keys: Any) -> SimpleNamespace:
    told = {"input_mtok": Decimal("2.50"), "output_mtok": Decimal(10), **keys}
    return SimpleNamespace(**{key: value for key, value in told.items() if value != "none"})


def tiered(base: str, start: int, above: str) -> SimpleNamespace:
    tier = SimpleNamespace(start=start, price=Decimal(above))
    return SimpleNamespace(base=Decimal(base), tiers=[tier])


def entry(constraint: Any, **keys: Any) -> SimpleNamespace:
    return SimpleNamespace(constraint=constraint, prices=price(**keys))


def one(script: ModuleType, model: Model) -> list[dict[str, Any]]:
    """The prices of a model as the file has them."""
    prices: list[dict[str, Any]] = script.prices_of(model)
    return prices


def test_amounts_are_texts_without_idle_digits(script: ModuleType) -> None:
    told = one(
        script, Model("m", price(cache_read_mtok=Decimal("1.250"), output_mtok=Decimal(100)))
    )
    assert told == [{"input": "2.5", "output": "100", "cached": "1.25"}]


def test_a_tier_is_told_whole(script: ModuleType) -> None:
    model = Model("m", price(input_mtok=tiered("1", 200_000, "2"), cache_write_mtok=Decimal(3)))
    above = {"above": 200_000, "input": "2", "output": "10", "write": "3"}
    assert one(script, model) == [{"input": "1", "output": "10", "write": "3", "tiers": [above]}]


def test_days_and_hours_are_told(script: ModuleType) -> None:
    day = SimpleNamespace(start_date=date(2026, 3, 1))
    hours = SimpleNamespace(start_time=time(22, tzinfo=UTC), end_time=time(2, 30, tzinfo=UTC))
    told = one(script, Model("m", [entry(None), entry(day), entry(hours)]))
    assert [sorted(set(price) - {"input", "output"}) for price in told] == [
        [],
        ["from"],
        ["between"],
    ]
    assert (told[1]["from"], told[2]["between"]) == ("2026-03-01", ["22:00", "02:30"])
    east = timezone(timedelta(hours=8))
    elsewhere = SimpleNamespace(start_time=time(1, tzinfo=east), end_time=time(2, tzinfo=east))
    with pytest.raises(SystemExit, match="UTC only"):
        one(script, Model("m", [entry(elsewhere)]))


def test_a_price_for_each_request_is_told_for_one(script: ModuleType) -> None:
    assert one(script, Model("m", price(requests_kcount=Decimal(12))))[0]["request"] == "0.012"


@pytest.mark.parametrize(
    "more",
    [
        {"output_image_mtok": Decimal(30)},
        {"output_reasoning_mtok": Decimal(3)},
        {"output_mtok": "none"},
        {"input_mtok": "none", "output_mtok": "none"},
    ],
)
def test_what_bills_by_more_than_tokens_has_no_price(
    script: ModuleType, more: dict[str, Any]
) -> None:
    assert one(script, Model("m", price(**more))) == []


def test_what_no_chat_uses_takes_no_price_away(script: ModuleType) -> None:
    more = {"web_searches_kcount": Decimal(10), "input_audio_mtok": Decimal(1)}
    assert one(script, Model("m", price(**more))) == [{"input": "2.5", "output": "10"}]


def test_only_what_is_called_free_is_free(script: ModuleType) -> None:
    nothing = SimpleNamespace()
    assert one(script, Model("m:free", nothing)) == [{"input": "0", "output": "0"}]
    assert one(script, Model("m", nothing)) == []


def test_rules_become_alternatives(script: ModuleType) -> None:
    both = ClauseAnd([ClauseOr([ClauseStartsWith("a"), ClauseStartsWith("b")]), ClauseRegex("x$")])
    rule = ClauseOr([ClauseEquals("m"), both])
    assert script.clauses(rule) == [["=m"], ["^a", "/x$"], ["^b", "/x$"]]


def test_models_without_a_price_keep_their_places(script: ModuleType) -> None:
    models = [
        Model("talks-realtime", price(), ClauseStartsWith("talks-realtime")),
        Model("talks", price(), ClauseEquals("talks"), 128_000),
        Model("other", price(), ClauseOr([ClauseEquals("other"), ClauseEquals("another")])),
    ]
    told = list(script.models(Provider("one", models)))
    assert told[0] == {"name": "talks-realtime", "match": ["^talks-realtime"], "prices": []}
    assert (told[1].get("match"), told[1]["window"]) == (None, 128_000)
    assert told[2]["match"] == ["=other", "=another"]

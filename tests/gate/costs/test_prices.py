"""The bundled prices, how models are found in them, and a person's own prices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lockhouse.core.events import Usage
from lockhouse.gate.costs.prices import PriceList, cost, most
from lockhouse.gate.costs.values import Price, PriceTier, in_dollars
from lockhouse.gate.providers import Provider
from lockhouse.storage.database import Database

ROOT = Path(__file__).parents[3]
FILE = ROOT / "resources" / "prices.json"
OPENAI = Provider("openai", "OpenAI", "openai", "cloud", ("https://api.example/v1",), prices="one")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    yield database
    database.close()


def listed(tmp_path: Path, *models: dict[str, Any]) -> PriceList:
    """A list of these models alone, of the provider "one"."""
    told = {"date": "2026-11-10", "package": "p", "version": "1", "sha256": "0", "licence": "MIT"}
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({**told, "providers": {"one": models}}))
    return PriceList(file=file)


def model(name: str, price: str = "1", **more: Any) -> dict[str, Any]:
    return {"name": name, "prices": [{"input": price, "output": price}], **more}


def found(prices: PriceList, name: str, at: datetime | None = None) -> str | None:
    price = prices.find("one", name, at)
    return str(price.input) if price else None


# -- the file -----------------------------------------------------------------------------------


def test_the_bundled_file_says_where_it_is_from() -> None:
    snapshot = PriceList().snapshot
    assert date.fromisoformat(snapshot.date) <= datetime.now(UTC).date()
    assert snapshot.package == "genai-prices"
    assert len(snapshot.sha256) == 64
    licence = (FILE.parent / "prices-LICENSE.txt").read_text()
    assert licence.startswith("The MIT License")


def test_every_price_in_it_can_be_read() -> None:
    prices = PriceList()
    providers = json.loads(FILE.read_bytes())["providers"]
    for name, models in providers.items():
        priced = prices.listed(name)
        assert len(priced) == sum(1 for one in models if one["prices"])
        for _, price in priced:
            assert price.input >= 0
            assert price.output >= 0
            assert list(price.tiers) == sorted(price.tiers, key=lambda tier: tier.above)


def test_it_holds_money_as_decimals() -> None:
    def floats(value: object) -> bool:
        if isinstance(value, dict):
            return any(map(floats, value.values()))
        return any(map(floats, value)) if isinstance(value, list) else isinstance(value, float)

    assert not floats(json.loads(FILE.read_bytes()))


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    prices = PriceList(file=tmp_path / "missing.json")
    assert prices.find("", "model") is None
    with pytest.raises(FileNotFoundError):
        prices.find("one", "model")


# -- finding ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "name", "is_found"),
    [
        ("=gpt-5", "gpt-5", True),
        ("=gpt-5", "GPT-5", True),
        ("=gpt-5", "gpt-5-mini", False),
        ("^claude-opus", "claude-opus-4-1-20250805", True),
        ("^claude-opus", "old-claude-opus", False),
        ("$-flash", "gemini-flash", True),
        ("$-flash", "gemini-flash-lite", False),
        ("~sonnet", "claude-3-5-sonnet-latest", True),
        (r"/^grok-4\.3-\d{8}$", "grok-4.3-20260101", True),
        (r"/^grok-4\.3-\d{8}$", "grok-4x3-20260101", False),
        (["^gemini", "/^(?!.*tts)"], "gemini-pro", True),
        (["^gemini", "/^(?!.*tts)"], "gemini-pro-tts", False),
        ("=gpt-5-2025-08-07", "gpt-5-20250807", True),  # as some spell a day
        ("=gemini-pro", "models/gemini-pro", True),
    ],
)
def test_a_model_is_found_by_its_rule(
    tmp_path: Path, rule: str | list[str], name: str, is_found: bool
) -> None:
    assert (found(listed(tmp_path, model("other", match=[rule])), name) is not None) is is_found


def test_the_first_rule_wins_and_one_without_a_price_keeps_its_names(tmp_path: Path) -> None:
    prices = listed(
        tmp_path,
        {"name": "draws", "match": ["^big-draws"], "prices": []},
        model("first", "2", match=["=none", "^big"]),
        model("second", "3", match=["~big"]),
    )
    assert found(prices, "big-one") == "2"
    assert found(prices, "so-big") == "3"
    assert found(prices, "big-draws-1") is None
    assert prices.find("two", "big-one") is None


def test_a_price_holds_from_its_day_on_in_utc(tmp_path: Path) -> None:
    entries = [
        {"input": "1", "output": "1"},
        {"input": "2", "output": "2", "from": "2026-03-01"},
    ]
    prices = listed(tmp_path, {"name": "m", "prices": entries})
    assert found(prices, "m", datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)) == "1"
    assert found(prices, "m", datetime(2026, 3, 1, tzinfo=UTC)) == "2"
    east = datetime.fromisoformat("2026-03-01T01:00:00+02:00")  # the day before in UTC
    assert found(prices, "m", east) == "1"


def test_a_price_of_some_hours_goes_before_the_others(tmp_path: Path) -> None:
    entries = [
        {"input": "1", "output": "1"},
        {"input": "2", "output": "2", "between": ["22:00", "02:00"]},
        {"input": "3", "output": "3", "between": ["06:00", "10:00"]},
    ]
    prices = listed(tmp_path, {"name": "m", "prices": entries})
    hours = {"21:59": "1", "22:00": "2", "01:59": "2", "02:00": "1", "06:00": "3", "10:00": "1"}
    for hour, price in hours.items():
        assert found(prices, "m", datetime.fromisoformat(f"2026-03-01T{hour}:00+00:00")) == price
    evening = datetime(2026, 3, 1, 21, 30, tzinfo=UTC)
    both = prices.prices_of(OPENAI, "m", evening, timedelta(hours=2))
    assert [str(price.input) for price in both] == ["1", "2"]
    night = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
    assert [str(p.input) for p in prices.prices_of(OPENAI, "m", night, timedelta(hours=2))] == [
        "2",
        "1",
    ]


# -- one's own ----------------------------------------------------------------------------------


def test_an_own_price_stands_before_the_bundled_one(tmp_path: Path, database: Database) -> None:
    listed(tmp_path, model("m"))
    prices = PriceList(database, file=tmp_path / "prices.json")
    own = Price(Decimal("0.1"), Decimal("0.30"), cached_input=Decimal("0.01"))
    prices.set_own("openai", "m", own)
    prices.set_own("openai", "only-mine", own)
    again = PriceList(database, file=tmp_path / "prices.json")
    price = again.price_of(OPENAI, "m")
    assert price is not None
    assert (price.input, price.output, price.cached_input) == (
        own.input,
        own.output,
        Decimal("0.01"),
    )
    assert price.source == "your own"
    assert [kept.model for kept in again.own()] == ["m", "only-mine"]
    assert again.remove_own("openai", "m")
    assert not again.remove_own("openai", "m")
    assert again.price_of(OPENAI, "m").source == "prices of 2026-11-10"  # type: ignore[union-attr]
    assert again.price_of(OPENAI, "nobody-knows") is None


# -- arithmetic ---------------------------------------------------------------------------------

TIERED = Price(
    Decimal(2),
    Decimal(10),
    cached_input=Decimal("0.2"),
    cache_write=Decimal("2.5"),
    per_request=Decimal("0.001"),
    tiers=(PriceTier(1000, Decimal(4), Decimal(15)), PriceTier(5000, Decimal(6), Decimal(20))),
)


@pytest.mark.parametrize(
    ("prompt", "rate", "out"), [(1000, 2, 10), (1001, 4, 15), (5000, 4, 15), (5001, 6, 20)]
)
def test_a_tier_holds_for_the_whole_request(prompt: int, rate: int, out: int) -> None:
    told = cost(TIERED, Usage(prompt, 0, 100, 0))
    assert told.amount == Decimal(prompt * rate + 100 * out) / 1_000_000 + Decimal("0.001")


def test_what_has_no_price_of_its_own_costs_as_any_input() -> None:
    price = Price(Decimal(2), Decimal(10))
    plain = cost(price, Usage(1000, 0, 0, 0))
    assert cost(price, Usage(1000, 400, 0, 0), cache_write_tokens=300) == plain


def test_odd_counts_never_make_a_cost_negative() -> None:
    told = cost(TIERED, Usage(100, 500, 0, 0), cache_write_tokens=900)
    assert told.amount == 100 * Decimal("0.2") / 1_000_000 + Decimal("0.001")


def test_amounts_are_exact() -> None:
    price = Price(Decimal("0.1"), Decimal("0.2"))
    assert sum(cost(price, Usage(1, 0, 1, 0)).amount for _ in range(10)) == Decimal("0.000003")


def test_nothing_within_the_bounds_costs_more_than_the_most() -> None:
    ceiling = most(TIERED, 6000, 200).amount
    assert ceiling == (6 * 6000 + 20 * 200) / Decimal(1_000_000) + Decimal("0.001")
    for prompt in range(0, 6001, 250):
        for written in range(0, prompt + 1, 500):
            usage = Usage(prompt, (prompt - written) // 2, 200, 0)
            assert cost(TIERED, usage, cache_write_tokens=written).amount <= ceiling


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0", "$0.00"), ("0.5", "$0.50"), ("0.05", "$0.05"), ("0.00459", "$0.0046"),
     ("0.000012", "$0.000012"), ("12.345", "$12.34"), ("1234.5", "$1,234.50"), ("10", "$10.00")],
)  # fmt: skip
def test_amounts_in_words(amount: str, shown: str) -> None:
    assert in_dollars(Decimal(amount)) == shown

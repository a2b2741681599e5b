"""Times and figures as a person reads them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from lockhouse.ui import formatting

NOW = dt.datetime(2026, 3, 18, 15, 0, tzinfo=dt.timezone(dt.timedelta(hours=2)))  # a Wednesday


@pytest.mark.parametrize(
    ("days", "short", "group"),
    [
        (0, "15:00", "Today"),
        (1, "15:00", "Yesterday"),
        (2, "Mon", "Last week"),
        (6, "Thu", "Last week"),
        (7, "11 Mar", "Last week"),
        (8, "10 Mar", "March"),
        (40, "6 Feb", "February"),
        (100, "8 Dec 2025", "December 2025"),
    ],
)
def test_times_in_a_list(days: int, short: str, group: str) -> None:
    moment = NOW - dt.timedelta(days=days)
    assert formatting.short_time(moment, NOW).replace("\u00a0", " ") == short
    assert formatting.day_group(moment, NOW) == group


def test_a_time_stored_in_another_zone_is_shown_in_the_local_one() -> None:
    stored = dt.datetime(2026, 3, 17, 23, 30, tzinfo=dt.UTC)  # 01:30 on the 18th, local
    assert formatting.day_group(stored, NOW) == "Today"
    assert formatting.short_time(stored, NOW) == "01:30"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(812, "812 B"), (98_000_000, "98 MB"), (999_700_000, "1.0 GB"), (5_020_000_000, "5.0 GB")],
)
def test_sizes(value: int, shown: str) -> None:
    assert formatting.size(value).replace("\u00a0", " ") == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(412, "412"), (2900, "2.9k"), (2000, "2k"), (9960, "10k"), (16384, "16k")]
)
def test_token_counts(value: int, shown: str) -> None:
    assert formatting.tokens(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.04, "0.04 s"), (0.9, "0.9 s"), (12.4, "12 s"), (125.2, "2 min 5 s")]
)
def test_durations(value: float, shown: str) -> None:
    assert formatting.seconds(value).replace("\u00a0", " ") == shown


def test_counts_take_the_right_noun() -> None:
    assert formatting.counted(1, "chat") == "1 chat"
    assert formatting.counted(1024, "token") == "1,024 tokens"
    assert formatting.counted(2, "reply", "replies") == "2 replies"


def test_models_of_the_same_title_are_told_apart_by_their_names() -> None:
    told = formatting.told_apart(
        [("a-q4", "SmolLM2"), ("a-q8", "SmolLM2"), ("b", "Qwen"), ("c", "")]
    )
    assert told == {"a-q4": "SmolLM2 (a-q4)", "a-q8": "SmolLM2 (a-q8)", "b": "Qwen", "c": "c"}


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0"),
        ("0.0000321", "$0.000032"),
        ("0.00213", "$0.0021"),
        ("0.06", "$0.06"),
        ("0.5", "$0.50"),
        ("1234.5", "$1,234.50"),
    ],
)
def test_money_is_short_and_never_rounded_away(amount: str, shown: str) -> None:
    assert formatting.money(Decimal(amount)) == shown


def test_the_most_that_may_be_spent_is_never_told_too_low() -> None:
    assert formatting.money(Decimal("0.0251"), at_most=True) == "$0.026"
    assert formatting.money(Decimal("1.201"), at_most=True) == "$1.21"
    assert formatting.money(Decimal("0.06"), at_most=True) == "$0.06"


def test_money_of_another_currency_says_which() -> None:
    assert formatting.money(Decimal("1.5"), "EUR") == "1.50\u00a0EUR"


@pytest.mark.parametrize(
    ("amount", "shown"), [("0.075", "$0.075"), ("0.4", "$0.40"), ("15", "$15"), ("3.0", "$3")]
)
def test_prices_are_told_as_they_are(amount: str, shown: str) -> None:
    assert formatting.price(Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("energy_j", "shown"),
    [(0.2, "about 1 J"), (12.4, "about 12 J"), (1420, "about 1.4 kJ"), (7560, "about 2.1 Wh")],
)
def test_energy_is_told_roughly(energy_j: float, shown: str) -> None:
    assert formatting.joules(energy_j).replace("\u00a0", " ") == shown

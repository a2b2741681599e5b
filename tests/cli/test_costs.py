"""What was spent, limits and prices, as commands."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from lockhouse.core.errors import PolicyRefused
from lockhouse.core.events import Usage
from lockhouse.gate.costs.values import Price
from lockhouse.gate.providers import Provider
from lockhouse.workspace import open_workspace
from tests.cli.command import Command

CLOUD = Provider("openai", "OpenAI", "openai", "cloud", ("https://api.example/v1",))


@pytest.fixture
def lockhouse(tmp_path: Path, environment: dict[str, str]) -> Command:
    """A home without an engine: nothing here needs one."""
    return Command(tmp_path / "home", environment)


def spend(home: Path, model: str, tokens: int, task: str = "chat") -> None:
    """An answer that cost ten dollars for a million tokens."""
    workspace = open_workspace(home)
    workspace.budget.prices.set_own("openai", model, Price(Decimal(1), Decimal(10)))
    told = {"messages": [], "max_tokens": 100_000}
    body = msgspec.json.encode(told)
    kept = workspace.budget.reserve(CLOUD, model, body, task=task)
    workspace.budget.settle(kept, Usage(0, 0, tokens, 0))
    workspace.close()


def test_a_new_home_has_spent_nothing_and_has_no_limits(lockhouse: Command) -> None:
    shown = lockhouse("costs", "show", "--json").json
    assert shown["today"] == {"amount": "0", "reserved": "0", "limit": None, "currency": "USD"}
    assert shown["month"]["amount"] == "0"
    assert shown["totals"] == []
    assert shown["prices"]["package"] == "genai-prices"
    assert len(shown["prices"]["sha256"]) == 64
    assert "No API was used yet." in lockhouse("costs", "show").err


def test_what_was_spent_is_shown_by_everything(lockhouse: Command) -> None:
    spend(lockhouse.home, "big", 3000)
    spend(lockhouse.home, "small", 1000, task="document")
    shown = lockhouse("costs", "show", "--json").json
    assert shown["today"]["amount"] == shown["month"]["amount"] == "0.04"
    targets = [(total["name"], total["cost"]) for total in shown["totals"]]
    assert targets == [("openai/big", "0.03"), ("openai/small", "0.01")]
    by_task = lockhouse("costs", "show", "--by", "task", "--json").json["totals"]
    assert [total["name"] for total in by_task] == ["chat", "document"]
    table = lockhouse("costs", "show", "--by", "provider").text
    assert "openai" in table
    assert "$0.04" in table
    later = lockhouse("costs", "show", "--since", "2999-01-01", "--json").json
    assert later["totals"] == []
    assert lockhouse("costs", "show", "--since", "1d", "--json").json["totals"] == shown["totals"]


def test_limits_are_set_shown_and_taken_away(lockhouse: Command) -> None:
    none = {"per_call": None, "per_day": None, "per_month": None, "currency": "USD"}
    assert lockhouse("costs", "limits", "--json").json == none
    lockhouse("costs", "limits", "--per-day", "2", "--per-call", "$0.25")
    told = lockhouse("costs", "limits", "--per-month", "29.99", "--json").json
    assert told == {"per_call": "0.25", "per_day": "2", "per_month": "29.99", "currency": "USD"}
    assert "at most $2.00" in lockhouse("costs", "limits").text
    assert lockhouse("settings", "get", "budget_per_day_usd", "--json").json["value"] == 2.0
    lockhouse("costs", "limits", "--per-call", "0")
    assert lockhouse("costs", "limits", "--json").json["per_call"] is None
    lockhouse("costs", "limits", "--none")
    assert lockhouse("costs", "limits", "--json").json == none


@pytest.mark.parametrize("amount", ["-1", "much", "NaN", "1e99", ""])
def test_what_is_no_amount_is_told(lockhouse: Command, amount: str) -> None:
    outcome = lockhouse("costs", "limits", "--per-day", amount)
    assert outcome.code == 2
    assert "is not an amount" in outcome.err


def test_a_limit_set_by_a_command_holds_in_a_program_that_runs(lockhouse: Command) -> None:
    workspace = open_workspace(lockhouse.home)
    prices = workspace.budget.prices
    prices.set_own("openai", "m", Price(Decimal(1), Decimal(10)))
    body = msgspec.json.encode({"messages": [], "max_tokens": 100_000})
    workspace.budget.release(workspace.budget.reserve(CLOUD, "m", body))
    lockhouse("costs", "limits", "--per-call", "0.5")
    with pytest.raises(PolicyRefused):
        workspace.budget.reserve(CLOUD, "m", body)
    workspace.close()


@pytest.mark.parametrize("text", ['{"budget_per_day_usd": "two"}', "{"])
@pytest.mark.parametrize("answer", [("--per-day", "2"), ("--none",)], ids=str)
def test_a_limit_that_cannot_be_read_is_not_taken_for_none(
    lockhouse: Command, text: str, answer: tuple[str, ...]
) -> None:
    workspace = open_workspace(lockhouse.home)
    workspace.budget.prices.set_own("openai", "m", Price(Decimal(1), Decimal(10)))
    body = msgspec.json.encode({"messages": [], "max_tokens": 10})
    (lockhouse.home / "settings.json").write_text(text)
    with pytest.raises(PolicyRefused, match="A spending limit cannot be read") as error:
        workspace.budget.reserve(CLOUD, "m", body)
    assert error.value.code == "budget"
    lockhouse("settings", "set", "theme", "dark")  # which says nothing of limits
    with pytest.raises(PolicyRefused, match="A spending limit cannot be read"):
        workspace.budget.reserve(CLOUD, "m", body)
    for command in ("show", "limits"):
        assert "Nothing is sent to an API" in lockhouse("costs", command).err
    lockhouse("costs", "limits", *answer)
    assert "Nothing is sent to an API" not in lockhouse("costs", "show").err
    workspace.budget.reserve(CLOUD, "m", body)
    workspace.close()


def test_prices_are_listed_with_their_tiers_and_source(lockhouse: Command) -> None:
    told = lockhouse("costs", "price", "list", "openai/gpt-5.4", "--json").json
    price = next(one for one in told["prices"] if one["target"] == "openai/gpt-5.4")
    assert (price["input"], price["cached_input"], price["output"]) == ("2.5", "0.25", "15")
    assert price["tiers"][0]["above"] == 272_000
    assert price["source"] == f"prices of {told['snapshot']['date']}"
    assert "above 272,000 input tokens" in lockhouse("costs", "price", "list", "openai").text
    assert lockhouse("costs", "price", "list", "nobody").code == 3


def test_an_own_price_is_set_listed_and_removed(lockhouse: Command) -> None:
    arguments = ("--input", "1.5", "--output", "2", "--cached", "0.15")
    told = lockhouse("costs", "price", "set", "openai/gpt-5", *arguments, "--json").json
    assert (told["input"], told["cached_input"], told["source"]) == ("1.5", "0.15", "your own")
    listed = lockhouse("costs", "price", "list", "--json").json["prices"]
    assert [one["target"] for one in listed] == ["openai/gpt-5"]
    removed = lockhouse("costs", "price", "set", "openai/gpt-5", "--remove", "--json").json
    assert removed["source"].startswith("prices of ")
    again = lockhouse("costs", "price", "set", "openai/gpt-5", "--remove")
    assert again.code == 3
    assert "You have set no price" in again.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("openai/x", "--input", "1"), 2),
        (("openai", "--input", "1", "--output", "2"), 2),
        (("nobody/x", "--input", "1", "--output", "2"), 3),
        (("openai/x", "--input", "-1", "--output", "2"), 2),
    ],
)
def test_half_a_price_is_none(lockhouse: Command, arguments: tuple[str, ...], code: int) -> None:
    assert lockhouse("costs", "price", "set", *arguments).code == code


def test_a_day_before_all_days_is_none(lockhouse: Command) -> None:
    outcome = lockhouse("costs", "show", "--since", "0001-01-01", TZ="Asia/Tokyo")
    assert outcome.code == 2
    assert "is not a date" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("prune", "--yes", "--older-than", "999999999"),
        ("list", "--limit", "99999999999999999999"),
        ("list", "--before", "99999999999999999999"),
    ],
)
def test_numbers_beyond_all_records_are_refused(
    lockhouse: Command, arguments: tuple[str, ...]
) -> None:
    assert lockhouse("records", *arguments).code == 2


def test_a_day_that_is_none_is_told(lockhouse: Command) -> None:
    outcome = lockhouse("costs", "show", "--since", "yesterday", "--json")
    assert outcome.code == 2
    assert outcome.json["error"]["hint"].startswith("Give a date")

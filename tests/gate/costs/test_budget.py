"""Limits stop before, not after; what was spent is counted once, exactly, and never too low."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockhouse.core.errors import PolicyRefused
from lockhouse.core.events import Usage
from lockhouse.gate.costs.budget import Budget, Reservation, limits_of
from lockhouse.gate.costs.prices import PriceList
from lockhouse.gate.costs.token_estimates import ADDED_TOKENS
from lockhouse.gate.costs.values import Limits, Price
from lockhouse.storage.database import Database
from lockhouse.storage.settings import Settings
from tests.gate.costs.conftest import CLOUD, LAN, Purse, question

if TYPE_CHECKING:
    import sqlite_utils

DOLLARS = re.compile(r"\$\d+\.\d+")


def ceiling_of(body: bytes, max_tokens: int) -> Decimal:
    """By hand: a dollar for a million tokens in, ten for a million out."""
    return (len(body) + ADDED_TOKENS + 10 * max_tokens) / Decimal(1_000_000)


# -- before -------------------------------------------------------------------------------------


def test_an_estimate_tells_what_is_likely_and_what_is_most(purse: Purse) -> None:
    body = question(1000)
    estimate = purse.budget.estimate(CLOUD, "m", body)
    assert estimate is not None
    assert estimate.ceiling.amount == ceiling_of(body, 1000)
    assert not estimate.ceiling.is_estimate
    assert estimate.expected.is_estimate
    assert estimate.expected.amount < estimate.ceiling.amount
    assert estimate.max_tokens == 1000
    assert purse.budget.spent_today().cost == 0


def test_the_length_of_the_last_answers_is_expected_of_the_next(purse: Purse) -> None:
    for length in (100, 200):
        kept = purse.budget.reserve(CLOUD, "m", question())
        purse.budget.settle(kept, Usage(10, 0, length, 0))
    estimate = purse.budget.estimate(CLOUD, "m", question())
    assert estimate is not None
    assert estimate.completion_tokens == 150


def test_a_limit_that_is_just_kept_is_kept(purse: Purse) -> None:
    body = question(1000)
    exact = ceiling_of(body, 1000)
    purse.limits = Limits(per_call=exact, per_day=exact, per_month=exact)
    purse.budget.reserve(CLOUD, "m", body)
    purse.limits = Limits(per_call=exact - Decimal("0.000000000001"))
    with pytest.raises(PolicyRefused):
        purse.budget.reserve(CLOUD, "m", body)


@pytest.mark.parametrize("span", ["per_call", "per_day", "per_month"])
def test_what_could_cost_too_much_is_not_begun(purse: Purse, span: str) -> None:
    purse.limits = msgspec.structs.replace(Limits(), **{span: Decimal("0.005")})
    with pytest.raises(PolicyRefused) as refused:
        purse.budget.reserve(CLOUD, "m", question(1000))
    error = refused.value
    assert (error.code, error.exit_code) == ("budget", 8)
    assert DOLLARS.findall(error.message)[1] == "$0.005"
    assert f"lockhouse costs limits --{span.replace('_', '-')} " in error.hint
    assert purse.budget.spent_today().cost == 0
    assert purse.budget.totals("target") == []


def test_the_answer_that_is_offered_instead_fits(purse: Purse) -> None:
    purse.limits = Limits(per_call=Decimal("0.005"))
    with pytest.raises(PolicyRefused) as refused:
        purse.budget.reserve(CLOUD, "m", question(1000))
    offered = re.search(r"--max-tokens (\d+)", refused.value.hint)
    assert offered is not None
    fits = int(offered[1])
    purse.budget.reserve(CLOUD, "m", question(fits))
    with pytest.raises(PolicyRefused):
        purse.budget.reserve(CLOUD, "m", question(fits + 200))


def test_no_answer_is_offered_where_the_question_alone_is_too_dear(purse: Purse) -> None:
    purse.limits = Limits(per_call=Decimal("0.0005"))
    with pytest.raises(PolicyRefused) as refused:
        purse.budget.reserve(CLOUD, "m", question(1000))
    assert "--max-tokens" not in refused.value.hint


def test_the_limit_that_is_named_as_the_way_on_is_enough(purse: Purse) -> None:
    purse.limits = Limits(per_day=Decimal("0.02"))
    purse.budget.reserve(CLOUD, "m", question(1000))
    with pytest.raises(PolicyRefused) as refused:
        purse.budget.reserve(CLOUD, "m", question(1000))
    named = re.search(r"--per-day ([\d.]+)", refused.value.hint)
    assert named is not None
    purse.limits = Limits(per_day=Decimal(named[1]))
    purse.budget.reserve(CLOUD, "m", question(1000))


def test_every_answer_of_several_counts(purse: Purse) -> None:
    one = purse.budget.estimate(CLOUD, "m", question(1000))
    told = {**msgspec.json.decode(question(1000)), "n": 3}
    three = purse.budget.estimate(CLOUD, "m", msgspec.json.encode(told))
    assert one is not None
    assert three is not None
    assert three.ceiling.amount > one.ceiling.amount + Decimal("0.019")


def test_with_a_limit_what_nobody_can_price_is_refused(purse: Purse) -> None:
    assert purse.budget.estimate(CLOUD, "unknown", question()) is None
    kept = purse.budget.reserve(CLOUD, "unknown", question())  # without a limit it may be asked
    assert purse.budget.settle(kept, Usage(10, 0, 20, 0)) is None
    assert purse.budget.totals("target")[0].unpriced_calls == 1
    purse.limits = Limits(per_month=Decimal(100))
    with pytest.raises(PolicyRefused) as refused:
        purse.budget.reserve(CLOUD, "unknown", question())
    assert refused.value.hint.endswith("costs price set one/unknown --input X --output Y")
    purse.prices.set_own("one", "unknown", Price(Decimal(1), Decimal(1)))
    purse.budget.reserve(CLOUD, "unknown", question())


@pytest.mark.parametrize("more", [{"max_tokens": None}, {"service_tier": "priority"}])
def test_with_a_limit_what_nobody_can_bound_is_refused(
    purse: Purse, more: dict[str, object]
) -> None:
    body = msgspec.json.encode({**msgspec.json.decode(question()), **more})
    purse.limits = Limits(per_month=Decimal(100))
    with pytest.raises(PolicyRefused, match="The maximum cost of this request"):
        purse.budget.reserve(CLOUD, "m", body)


def test_servers_of_ones_own_are_free_and_counted(purse: Purse) -> None:
    purse.limits = Limits(per_call=Decimal("0.000001"))
    kept = purse.budget.reserve(LAN, "any", question(100_000), task="document")
    assert purse.budget.settle(kept, Usage(10, 5, 20, 3)) is None
    total = purse.budget.totals("task")[0]
    assert (total.name, total.calls, total.cost, total.unpriced_calls) == ("document", 1, 0, 0)
    assert (total.prompt_tokens, total.cached_tokens) == (10, 5)
    assert (total.completion_tokens, total.reasoning_tokens) == (20, 3)


def test_a_dearer_hour_that_is_near_is_in_the_ceiling(
    tmp_path: Path, open_database: Callable[[], Database]
) -> None:
    file = tmp_path / "prices.json"
    entries = [
        {"input": "1", "output": "1"},
        {"input": "2", "output": "2", "between": ["13:00", "14:00"]},
    ]
    head = {"date": "2026-11-10", "package": "p", "version": "1", "sha256": "0", "licence": "MIT"}
    told = {**head, "providers": {"one": [{"name": "m", "prices": entries}]}}
    file.write_bytes(msgspec.json.encode(told))
    purse = Purse(open_database())
    database = open_database()
    budget = Budget(database, Limits, PriceList(database, file=file), now=purse.day)
    cloud = msgspec.structs.replace(CLOUD, prices="one")
    purse.day.now = datetime.fromisoformat("2026-11-22T09:00:00+00:00")
    cheap = budget.estimate(cloud, "m", question())
    purse.day.now = datetime.fromisoformat("2026-11-22T12:30:00+00:00")
    near = budget.estimate(cloud, "m", question())
    assert cheap is not None
    assert near is not None
    assert near.ceiling.amount == 2 * cheap.ceiling.amount
    assert near.expected == cheap.expected
    kept = budget.reserve(cloud, "m", question())
    purse.day.now += timedelta(hours=1)  # the end of the answer decides
    told_cost = budget.settle(kept, Usage(1000, 0, 1000, 0))
    assert told_cost is not None
    assert told_cost.amount == Decimal("0.004")


class Interrupted(Database):
    """Lets somebody else do something whenever a transaction has ended."""

    between: Callable[[], None] | None = None
    depth = 0

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite_utils.Database]:
        self.depth += 1
        try:
            with super().write() as database:
                yield database
        finally:
            self.depth -= 1
        if self.depth == 0 and self.between is not None:
            self.between()


def test_nobody_comes_between_looking_for_room_and_taking_it(
    tmp_path: Path, open_database: Callable[[], Database]
) -> None:
    other = Purse(open_database())
    other.prices.set_own("one", "m", Price(Decimal(1), Decimal(10)))
    other.limits = Limits(per_day=Decimal("0.015"))  # room for one
    database = Interrupted(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    budget = Budget(database, lambda: other.limits, PriceList(database), now=other.day)
    budget.totals("target")
    outcomes: list[str] = []

    def take() -> None:
        try:
            other.budget.reserve(CLOUD, "m", question(1000))
            outcomes.append("taken")
        except PolicyRefused:
            outcomes.append("refused")

    database.between = take
    budget.reserve(CLOUD, "m", question(1000))
    database.close()
    assert outcomes == ["refused"]
    assert other.budget.spent_today().cost <= Decimal("0.015")


# -- after --------------------------------------------------------------------------------------


def test_the_actual_cost_takes_the_place_of_the_reserved_one(purse: Purse) -> None:
    body = question(1000)
    kept = purse.budget.reserve(CLOUD, "m", body)
    today = purse.budget.spent_today()
    assert today.cost == today.reserved == ceiling_of(body, 1000)
    told = purse.budget.settle(kept, Usage(30, 10, 200, 50))
    assert told is not None
    assert told.amount == (20 + Decimal("0.1") * 10 + 2000) / 1_000_000
    assert not told.is_estimate
    assert purse.budget.spent_today().cost == told.amount
    assert purse.budget.spent_today().reserved == 0


def test_what_was_never_sent_gives_its_room_back(purse: Purse) -> None:
    purse.limits = Limits(per_day=Decimal("0.02"))
    for _ in range(5):
        kept = purse.budget.reserve(CLOUD, "m", question(1000))
        purse.budget.release(kept)
    assert purse.budget.spent_today().cost == 0
    assert purse.budget.totals("day") == []


def test_what_was_settled_is_not_released(purse: Purse) -> None:
    kept = purse.budget.reserve(CLOUD, "m", question())
    purse.budget.settle(kept, Usage(10, 0, 10, 0))
    purse.budget.release(kept)
    assert purse.budget.totals("target")[0].calls == 1


def test_an_answer_that_ended_half_way_is_estimated_from_what_came(purse: Purse) -> None:
    body = question(1000, "Tell me " * 100)
    kept = purse.budget.reserve(CLOUD, "m", body)
    told = purse.budget.settle(kept, None, received_bytes=600, is_complete=False)
    assert told is not None
    assert told.is_estimate
    assert told.amount == (kept.prompt_tokens + 200 * 10) / Decimal(1_000_000)
    total = purse.budget.totals("target")[0]
    assert (total.estimated_calls, total.completion_tokens) == (1, 200)


def test_what_was_told_before_the_end_counts(purse: Purse) -> None:
    """One provider counts the prompt at the beginning, and the answer only at its end."""
    kept = purse.budget.reserve(CLOUD, "m", question(1000))
    first = Usage(prompt_tokens=500, completion_tokens=1)
    told = purse.budget.settle(kept, first, received_bytes=300, is_complete=False)
    assert told is not None
    assert told.amount == (500 + 100 * 10) / Decimal(1_000_000)


def test_an_estimate_afterwards_is_never_above_the_ceiling(purse: Purse) -> None:
    kept = purse.budget.reserve(CLOUD, "m", question(10))
    told = purse.budget.settle(kept, None, received_bytes=1_000_000, is_complete=False)
    assert told is not None
    assert kept.estimate is not None
    assert told.amount == kept.estimate.ceiling.amount


def test_what_a_provider_says_it_charged_is_what_it_cost(purse: Purse) -> None:
    kept = purse.budget.reserve(CLOUD, "m", question())
    told = purse.budget.settle(kept, Usage(30, 0, 200, 0), reported_cost="0.00123456")
    assert told is not None
    assert told.amount == Decimal("0.00123456")
    assert not told.is_estimate


@pytest.mark.parametrize("reported", ["", "free", "NaN", "-1", "Infinity"])
def test_what_is_no_amount_is_not_believed(purse: Purse, reported: str) -> None:
    kept = purse.budget.reserve(CLOUD, "m", question())
    told = purse.budget.settle(kept, Usage(1000, 0, 0, 0), reported_cost=reported)
    assert told is not None
    assert told.amount == Decimal("0.001")


def test_parts_of_the_smallest_unit_are_rounded_up(purse: Purse) -> None:
    kept = purse.budget.reserve(CLOUD, "m", question())
    purse.budget.settle(kept, Usage(1, 0, 0, 0), reported_cost="0.0000000000001")
    assert purse.budget.spent_today().cost == Decimal("0.000000000001")


def test_what_a_provider_says_may_be_any_sum(purse: Purse) -> None:
    """Larger ones than the database can hold, or add up."""
    for reported in ("9000000", "999999.99", "1e30", "999999.99"):
        kept = purse.budget.reserve(CLOUD, "m", question())
        assert purse.budget.settle(kept, Usage(1, 0, 1), reported_cost=reported) is not None
    for _ in range(20):
        kept = purse.budget.reserve(CLOUD, "m", question())
        purse.budget.settle(kept, Usage(1, 0, 1), reported_cost="1000000")
    most = Decimal(22_000_000) + 2 * Decimal("999999.99")
    assert purse.budget.spent_this_month().cost == most
    assert [total.cost for total in purse.budget.totals("provider")] == [most]
    purse.limits = Limits(per_day=Decimal(1))
    with pytest.raises(PolicyRefused):
        purse.budget.reserve(CLOUD, "m", question())


def test_a_count_of_nothing_is_no_count(purse: Purse) -> None:
    body = question(1000, "Tell me " * 100)
    for usage in (Usage(), Usage(prompt_tokens=200), Usage(completion_tokens=50)):
        kept = purse.budget.reserve(CLOUD, "m", body)
        told = purse.budget.settle(kept, usage, received_bytes=600)
        assert told is not None
        assert told.is_estimate
        prompt = usage.prompt_tokens or kept.prompt_tokens
        completion = usage.completion_tokens or 200
        assert told.amount == (prompt + completion * 10) / Decimal(1_000_000)
    kept = purse.budget.reserve(CLOUD, "m", body)
    told = purse.budget.settle(kept, Usage())  # nor is a question that had no answer
    assert told is not None
    assert told.amount == kept.prompt_tokens / Decimal(1_000_000)
    kept = purse.budget.reserve(LAN, "m", body)  # what costs nothing is kept as it was told
    purse.budget.settle(kept, Usage(completion_tokens=50), received_bytes=600)
    assert purse.budget.totals("provider")[-1].prompt_tokens == 0


def test_a_price_that_is_taken_away_meanwhile_still_counts(purse: Purse) -> None:
    kept = purse.budget.reserve(CLOUD, "m", question())
    purse.prices.remove_own("one", "m")
    told = purse.budget.settle(kept, Usage(30, 0, 200, 0))
    assert told is not None
    assert told.amount == (30 + 2000) / Decimal(1_000_000)


# -- days, months, totals -----------------------------------------------------------------------


def spend(purse: Purse, tokens: int, **more: str) -> None:
    kept = purse.budget.reserve(
        CLOUD, more.get("model", "m"), question(10), task=more.get("task", "chat")
    )
    purse.budget.settle(kept, Usage(0, 0, tokens, 0))


def test_a_day_ends_at_midnight_where_the_person_is(purse: Purse) -> None:
    purse.day.now = datetime.fromisoformat("2026-11-22T23:59:00+05:30")
    spend(purse, 1000)
    assert purse.budget.spent_today().cost == Decimal("0.01")
    purse.day.now += timedelta(minutes=2)  # still the 22nd in UTC
    assert purse.budget.spent_today().cost == 0
    assert purse.budget.spent_this_month().cost == Decimal("0.01")
    assert [total.name for total in purse.budget.totals("day")] == ["2026-11-22"]


@pytest.mark.parametrize(("day", "spent"), [("2026-11-30", "0.01"), ("2026-12-01", "0")])
def test_a_month_is_a_calendar_month(purse: Purse, day: str, spent: str) -> None:
    purse.day.now = datetime.fromisoformat("2026-11-01T00:00:00+05:30")
    spend(purse, 1000)
    purse.day.now = datetime.fromisoformat(f"{day}T12:00:00+05:30")
    assert purse.budget.spent_this_month().cost == Decimal(spent)


def test_room_comes_back_with_the_next_day_and_month(purse: Purse) -> None:
    purse.limits = Limits(per_day=Decimal("0.015"), per_month=Decimal("0.03"))
    purse.day.now = datetime.fromisoformat("2026-11-29T12:00:00+05:30")
    for _ in range(2):
        purse.budget.reserve(CLOUD, "m", question(1000))
        with pytest.raises(PolicyRefused, match="today"):
            purse.budget.reserve(CLOUD, "m", question(1000))
        purse.day.now += timedelta(days=1)
    purse.day.now -= timedelta(days=1)
    purse.limits = Limits(per_month=Decimal("0.03"))
    with pytest.raises(PolicyRefused, match="this month"):
        purse.budget.reserve(CLOUD, "m", question(1000))
    purse.day.now += timedelta(days=1)  # the first of December
    purse.budget.reserve(CLOUD, "m", question(1000))


def test_a_question_counts_on_the_day_on_which_it_was_asked(purse: Purse) -> None:
    kept = purse.budget.reserve(CLOUD, "m", question())
    purse.day.now += timedelta(days=1)
    purse.budget.settle(kept, Usage(0, 0, 1000, 0))
    assert purse.budget.spent_today().cost == 0
    assert [total.name for total in purse.budget.totals("day")] == ["2026-11-22"]


def test_totals_by_everything(purse: Purse) -> None:
    purse.prices.set_own("one", "n", Price(Decimal(1), Decimal(100)))
    spend(purse, 1000)
    spend(purse, 2000, task="document")
    purse.day.now += timedelta(days=1)
    spend(purse, 1000, model="n")
    by_target = [(t.name, t.calls, t.cost) for t in purse.budget.totals("target")]
    assert by_target == [("one/n", 1, Decimal("0.1")), ("one/m", 2, Decimal("0.03"))]
    by_task = [(t.name, t.cost) for t in purse.budget.totals("task")]
    assert by_task == [("chat", Decimal("0.11")), ("document", Decimal("0.02"))]
    assert [t.name for t in purse.budget.totals("day")] == ["2026-11-23", "2026-11-22"]
    assert [(t.name, t.calls) for t in purse.budget.totals("provider")] == [("one", 3)]
    since = purse.day.now - timedelta(hours=1)
    assert [t.name for t in purse.budget.totals("target", since)] == ["one/n"]


def test_limits_have_the_digits_that_were_typed() -> None:
    assert not limits_of(Settings()).has_any
    typed = Settings(budget_per_call_usd=0.1, budget_per_day_usd=3.0, budget_per_month_usd=29.99)
    limits = limits_of(typed)
    assert limits == Limits(Decimal("0.1"), Decimal(3), Decimal("29.99"))


# -- in any order -------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "settle", "release", "day"]), st.integers(1, 5000)),
    max_size=40,
)


@settings(max_examples=80)
@given(STEPS, st.integers(1, 100), st.integers(1, 200), st.integers(1, 400))
def test_whatever_happens_no_limit_is_passed(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, int]],
    per_call: int,
    per_day: int,
    per_month: int,
) -> None:
    folder = tmp_path_factory.mktemp("purse")
    database = Database(folder / "lockhouse.db", backups=folder / "backups")
    purse = Purse(database)
    purse.prices.set_own("one", "m", Price(Decimal(1), Decimal(10)))
    purse.limits = limits = Limits(*(Decimal(n) / 1000 for n in (per_call, per_day, per_month)))
    open_ones: list[tuple[Reservation, int]] = []
    for step, size in steps:
        if step == "reserve":
            with contextlib.suppress(PolicyRefused):
                open_ones.append((purse.budget.reserve(CLOUD, "m", question(size)), size))
        elif step == "day":
            purse.day.now += timedelta(days=1)
        elif open_ones:
            kept, most = open_ones.pop(size % len(open_ones))
            if step == "release":
                purse.budget.release(kept)
            else:  # the longest answer that was asked for
                told = purse.budget.settle(kept, Usage(100, 0, most, 0))
                assert told is not None
                assert limits.per_call is not None
                assert told.amount <= limits.per_call
        for total in purse.budget.totals("day"):
            assert limits.per_day is not None
            assert total.cost <= limits.per_day
        assert limits.per_month is not None
        assert purse.budget.spent_this_month().cost <= limits.per_month
    database.close()

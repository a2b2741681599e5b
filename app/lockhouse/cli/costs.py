"""``lockhouse costs``: what APIs cost, the limits, and the prices that are used."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, get_args

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json
from lockhouse.core.errors import NotFound, PolicyRefused, UsageMistake
from lockhouse.gate.costs.budget import Budget, Subject, limits_in, limits_of
from lockhouse.gate.costs.prices import PriceList
from lockhouse.gate.costs.values import Limits, Price, Total, in_dollars

if TYPE_CHECKING:
    from lockhouse.gate.costs.values import Snapshot, Spent
    from lockhouse.storage.settings import SettingsFile

_DAYS = re.compile(r"(\d{1,4})d")
_MOST_PER_MILLION = 1_000_000


class _Dollars(click.ParamType[Decimal]):
    """An amount of money, exact."""

    name = "dollars"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        if isinstance(value, Decimal):
            return value
        try:
            amount = Decimal(str(value).strip().removeprefix("$"))
        except InvalidOperation:
            amount = Decimal(-1)
        if not amount.is_finite() or not 0 <= amount <= _MOST_PER_MILLION:
            self.fail(f"{value!r} is not an amount: give dollars, such as 0.25", param, ctx)
        return amount


@click.group()
def costs() -> None:
    """Show API costs and set limits. Everything on this machine is free."""


# -- costs --------------------------------------------------------------------------------------


@costs.command(short_help="Show costs and what is left.")
@click.option(
    "--by", type=click.Choice(get_args(Subject)), default="target", help="Group costs by this."
)
@click.option("--since", metavar="DATE", help="Since this day: 2026-11-01, or 30d for 30 days.")
@as_json
def show(cli: CliContext, *, by: Subject, since: str | None) -> None:
    """Show costs, and what is left of the limits.

    Days and months are those of this machine's time zone.
    """
    begins = _moment(since) if since else None
    limits = _readable(cli.settings_file)
    with cli.database() as database:
        budget = Budget(database, lambda: limits, PriceList(database))
        today, month = budget.spent_today(), budget.spent_this_month()
        totals, snapshot = budget.totals(by, begins), budget.prices.snapshot
    result = {
        "today": _spent(today, limits.per_day),
        "month": _spent(month, limits.per_month),
        "per_call_limit": limits.per_call,
        "zone": datetime.now().astimezone().tzname(),
        "since": begins.isoformat() if begins else None,
        "by": by,
        "totals": totals,
        "prices": snapshot,
    }
    if output.wrote_json(result):
        return
    output.write_facts(
        {
            "Today": _spent_of(today, limits.per_day),
            "This month": _spent_of(month, limits.per_month),
            "One question": _at_most(limits.per_call),
        }
    )
    output.write_line()
    if totals:
        _write_totals(by, totals)
    else:
        output.note("No API was used" + (" since then." if begins else " yet."))
    output.note(_price_source(snapshot))


def _write_totals(by: Subject, totals: list[Total]) -> None:
    output.write_table(
        (by.upper(), "CALLS", "TOKENS IN", "CACHED", "TOKENS OUT", "COST", "NOTE"),
        [
            (
                total.name,
                total.calls,
                total.prompt_tokens,
                total.cached_tokens,
                total.completion_tokens,
                in_dollars(total.cost),
                _note(total),
            )
            for total in totals
        ],
    )


def _note(total: Total) -> str:
    parts = []
    if total.unpriced_calls:
        parts.append(f"{total.unpriced_calls} without a price")
    if total.estimated_calls:
        parts.append(f"{total.estimated_calls} estimated")
    return ", ".join(parts)


def _spent(spent: Spent, limit: Decimal | None) -> dict[str, Any]:
    return {
        "amount": spent.cost,
        "reserved": spent.reserved,
        "limit": limit,
        "currency": spent.currency,
    }


def _spent_of(spent: Spent, limit: Decimal | None) -> str:
    words = in_dollars(spent.cost)
    words += f" of {in_dollars(limit)}" if limit is not None else ", no limit"
    if spent.reserved:
        words += f" ({in_dollars(spent.reserved)} of it reserved for unfinished questions)"
    return words


def _at_most(limit: Decimal | None) -> str:
    return "no limit" if limit is None else f"at most {in_dollars(limit)}"


def _price_source(snapshot: Snapshot) -> str:
    return (
        f"Prices of {snapshot.date}, from {snapshot.package} {snapshot.version}"
        f" (sha256 {snapshot.sha256[:12]})."
    )


def _moment(text: str) -> datetime:
    """The beginning of a day in the local zone, given by date or as days before today."""
    days = _DAYS.fullmatch(text.strip())
    try:
        if days:
            day = datetime.now().astimezone().date() - timedelta(days=int(days[1]))
        else:
            day = date.fromisoformat(text.strip())
        return datetime.combine(day, time()).astimezone()
    except (ValueError, OverflowError) as error:
        raise UsageMistake(
            f"{text!r} is not a date.",
            hint="Give a date, such as 2026-11-01, or days, such as 30d.",
        ) from error


# -- limits -------------------------------------------------------------------------------------


@costs.command(short_help="Show or set spending limits.")
@click.option("--per-call", type=_Dollars(), help="Limit for one question; 0 is no limit.")
@click.option("--per-day", type=_Dollars(), help="Limit for a day; 0 is no limit.")
@click.option("--per-month", type=_Dollars(), help="Limit for a month; 0 is no limit.")
@click.option("--none", "is_none", is_flag=True, help="Remove all limits.")
@as_json
def limits(
    cli: CliContext,
    *,
    per_call: Decimal | None,
    per_day: Decimal | None,
    per_month: Decimal | None,
    is_none: bool,
) -> None:
    """Show or set spending limits, in dollars.

    A question that could cost more is not sent. With a limit, models without a known price are
    refused.
    """
    amounts = {"per_call": per_call, "per_day": per_day, "per_month": per_month}
    chosen = {name: amount for name, amount in amounts.items() if amount is not None}
    if is_none:
        if chosen:
            raise UsageMistake("Give limits or --none, not both.")
        chosen = dict.fromkeys(amounts, Decimal(0))
    file = cli.settings_file
    if chosen:
        settings = file.load(environment={})  # variables are not written to the file
        changes: dict[str, Any] = {
            f"budget_{name}_usd": float(amount) for name, amount in chosen.items()
        }
        # Named, so that "no limit" is written too, in place of one that could not be read.
        file.save(dataclasses.replace(settings, **changes), naming=changes)
    in_force = _readable(file)
    if output.wrote_json({**output.plain(in_force), "currency": "USD"}):
        return
    output.write_facts(
        {
            "One question": _at_most(in_force.per_call),
            "A day": _at_most(in_force.per_day),
            "A month": _at_most(in_force.per_month),
        }
    )


def _readable(file: SettingsFile) -> Limits:
    """The limits that can be read, with a note when one cannot, which blocks everything."""
    try:
        found = limits_in(file, {})
    except PolicyRefused as refused:
        output.note(f"note: {refused.message} Nothing is sent to an API until they are set again.")
        return limits_of(file.load())
    if file.problem:
        output.note(f"note: {file.problem}")
    return found


# -- prices -------------------------------------------------------------------------------------


@costs.group(short_help="List and set prices.")
def price() -> None:
    """List and set the prices that costs are calculated with. Your own override bundled ones."""


@price.command("list", short_help="List prices.")
@click.argument("provider", required=False)
@as_json
def list_prices(cli: CliContext, provider: str | None) -> None:
    """List your own prices, or all prices of PROVIDER; part of a model's name may follow a slash.

    Prices are in dollars per million tokens.
    """
    with cli.database() as database:
        prices = PriceList(database)
        snapshot = prices.snapshot
        found = {(own.provider, own.model): own.price for own in prices.own()}
        if provider:
            from lockhouse.gate.providers import Providers

            name, _, part = provider.partition("/")
            recipient = Providers(database).get(name)
            found = {key: own for key, own in found.items() if key[0] == name}
            for model, bundled in prices.listed(recipient.prices):
                found.setdefault((name, model), bundled)
            found = {key: one for key, one in found.items() if part.lower() in key[1].lower()}
    rows = [_priced(name, model, one) for (name, model), one in sorted(found.items())]
    if output.wrote_json({"snapshot": snapshot, "prices": rows}):
        return
    if found:
        _write_prices(found)
    elif provider:
        output.note(f"No price of {provider} is known. Set one: lockhouse costs price set --help")
    else:
        output.note(
            "You have set no price. List those of a provider: lockhouse costs price list openai"
        )
    output.note(_price_source(snapshot))


def _priced(provider: str, model: str, one: Price) -> dict[str, Any]:
    return {"target": f"{provider}/{model}", **output.plain(one)}


def _write_prices(found: dict[tuple[str, str], Price]) -> None:
    output.write_table(
        ("TARGET", "IN", "CACHED", "CACHE WRITE", "OUT", "FROM"),
        [
            (
                f"{provider}/{model}",
                f"{one.input:f}",
                _figure(one.cached_input),
                _figure(one.cache_write),
                f"{one.output:f}",
                one.source,
            )
            for (provider, model), one in sorted(found.items())
            for one in _with_tiers(one)
        ],
    )


def _with_tiers(one: Price) -> Iterator[Price]:
    """The price, and one for each tier of longer prompts."""
    yield one
    for tier in one.tiers:
        yield Price(
            input=tier.input,
            output=tier.output,
            cached_input=tier.cached_input,
            cache_write=tier.cache_write,
            source=f"above {tier.above:,} input tokens",
        )


def _figure(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f}"


@price.command("set", short_help="Set or remove your own price.")
@click.argument("target", metavar="PROVIDER/MODEL")
@click.option("--input", "input_price", type=_Dollars(), help="For a million input tokens.")
@click.option("--output", "output_price", type=_Dollars(), help="For a million output tokens.")
@click.option("--cached", type=_Dollars(), help="For a million tokens read from cache.")
@click.option("--cache-write", type=_Dollars(), help="For a million tokens written to cache.")
@click.option("--per-request", type=_Dollars(), help="For each question, in addition.")
@click.option("--remove", "is_removed", is_flag=True, help="Remove your own price.")
@as_json
def set_price(
    cli: CliContext,
    target: str,
    *,
    input_price: Decimal | None,
    output_price: Decimal | None,
    cached: Decimal | None,
    cache_write: Decimal | None,
    per_request: Decimal | None,
    is_removed: bool,
) -> None:
    """Set the price of PROVIDER/MODEL, in dollars per million tokens.

    Your own price overrides the bundled one.
    """
    from lockhouse.gate.providers import Providers

    provider, _, model = target.partition("/")
    if not model:
        raise UsageMistake(f"{target!r} does not name a model.", hint="Give it as PROVIDER/MODEL.")
    with cli.database() as database:
        providers, prices = Providers(database), PriceList(database)
        recipient = providers.get(provider)
        model = providers.own_name(provider, model)
        if is_removed:
            _remove(prices, provider, model)
        else:
            if input_price is None or output_price is None:
                raise UsageMistake(
                    "A price needs both --input and --output.",
                    hint=f"lockhouse costs price set {target} --input X --output Y",
                )
            own = Price(input_price, output_price, cached, cache_write, per_request)
            prices.set_own(provider, model, own)
        in_force = prices.price_of(recipient, model)
    if in_force is None:
        output.write_result({"target": target}, f"{target} has no price any more.")
    elif not output.wrote_json(_priced(provider, model, in_force)):
        _write_prices({(provider, model): in_force})


def _remove(prices: PriceList, provider: str, model: str) -> None:
    if not prices.remove_own(provider, model):
        raise NotFound(
            f"You have set no price for {provider}/{model}.",
            hint="List them: lockhouse costs price list",
        )

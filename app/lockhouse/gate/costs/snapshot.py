"""The bundled prices: finds a model by its provider's rules, and its price at a time.

Hides the file and its format. Only the providers that are used are decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import msgspec

from lockhouse.bundled import resource
from lockhouse.core.json_decoding import decoded
from lockhouse.gate.costs.values import Price, PriceTier, Snapshot

# "claude-opus-4-5-20251101" and "gpt-5.2-20251211": some name the day with dashes, others without.
_DAY = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


class _Tier(msgspec.Struct, frozen=True):
    """A tier under the short names of the file."""

    above: int
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    write: Decimal | None = None


class _Entry(msgspec.Struct, frozen=True):
    """A price and when it applies: from a day on, or between two times of day, in UTC."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    write: Decimal | None = None
    request: Decimal | None = None
    tiers: tuple[_Tier, ...] = ()
    begins: date | None = msgspec.field(name="from", default=None)
    between: tuple[str, str] | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it applies at that time."""
        if self.begins is not None:
            return at.date() >= self.begins
        if self.between is None:
            return True
        start, end = map(time.fromisoformat, self.between)
        now = at.time()
        return start <= now < end if start <= end else (now >= start or now < end)

    def changes(self, at: datetime, until: datetime) -> Iterator[datetime]:
        """When it begins or ends to apply, after ``at`` and not after ``until``."""
        if self.begins is not None:
            moments = [datetime.combine(self.begins, time(), UTC)]
        else:
            days = [at.date() + timedelta(days=n) for n in range((until - at).days + 2)]
            times = [time.fromisoformat(text) for text in self.between or ()]
            moments = [datetime.combine(day, moment, UTC) for day in days for moment in times]
        yield from (moment for moment in moments if at < moment <= until)

    def price(self, source: str) -> Price:
        """The price without its times."""
        return Price(
            input=self.input,
            output=self.output,
            cached_input=self.cached,
            cache_write=self.write,
            per_request=self.request,
            source=source,
            tiers=tuple(
                PriceTier(tier.above, tier.input, tier.output, tier.cached, tier.write)
                for tier in self.tiers
            ),
        )


class _Model(msgspec.Struct, frozen=True):
    """A model under all its names. ``match``: alternatives; all texts of a list have to match."""

    name: str
    prices: tuple[_Entry, ...]
    match: tuple[str | tuple[str, ...], ...] = ()
    window: int = 0

    @property
    def rules(self) -> tuple[str | tuple[str, ...], ...]:
        """The rules that match its names."""
        return self.match or (f"={self.name}",)

    def is_named(self, name: str) -> bool:
        """Whether ``name``, in lower case, is one of its names."""
        rules = ((rule,) if isinstance(rule, str) else rule for rule in self.rules)
        return any(all(_holds(text, name) for text in rule) for rule in rules)

    def entry(self, at: datetime) -> _Entry | None:
        """The price that applies: the last one that does, or else the first."""
        for entry in reversed(self.prices):
            if entry.holds(at):
                return entry
        return self.prices[0] if self.prices else None


def _holds(rule: str, name: str) -> bool:
    sign, text = rule[0], rule[1:]
    if sign == "/":
        return re.search(text, name) is not None
    text = text.lower()
    if sign == "=":
        return name == text
    if sign == "^":
        return name.startswith(text)
    return name.endswith(text) if sign == "$" else text in name


class _File(msgspec.Struct, frozen=True):
    date: str
    package: str
    version: str
    sha256: str
    licence: str
    providers: dict[str, msgspec.Raw]


class _Models:
    """The models of one provider. A name means the first model with a matching rule."""

    def __init__(self, models: tuple[_Model, ...]) -> None:
        self.all = models
        self._exact: dict[str, int] = {}
        self._others: list[int] = []  # those with other rules than whole names
        for number, model in enumerate(models):
            whole = [rule for rule in model.rules if isinstance(rule, str) and rule[0] == "="]
            for rule in whole:
                self._exact.setdefault(rule[1:].lower(), number)
            if len(whole) < len(model.rules):
                self._others.append(number)

    def named(self, name: str) -> _Model | None:
        """The one of that name, in lower case."""
        best = self._exact.get(name, len(self.all))
        for number in self._others:
            if number >= best:
                break
            if self.all[number].is_named(name):
                return self.all[number]
        return self.all[best] if best < len(self.all) else None


class BundledPrices:
    """The bundled snapshot."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._models: dict[str, _Models] = {}

    @property
    def snapshot(self) -> Snapshot:
        """Its source and date."""
        file = self._file
        return Snapshot(file.date, file.package, file.version, file.sha256)

    def price(self, provider: str, model: str, at: datetime) -> Price | None:
        """The price at that time; None where the snapshot has none."""
        found = self._find(provider, model)
        entry = found.entry(at.astimezone(UTC)) if found else None
        return entry.price(self._source) if entry else None

    def prices(self, provider: str, model: str, at: datetime, until: datetime) -> list[Price]:
        """Every price that applies within a span, in order of time."""
        found = self._find(provider, model)
        if found is None or not found.prices:
            return []
        at, until = at.astimezone(UTC), until.astimezone(UTC)
        changes = {moment for entry in found.prices for moment in entry.changes(at, until)}
        held = (found.entry(moment) for moment in (at, *sorted(changes)))
        return [entry.price(self._source) for entry in dict.fromkeys(held) if entry]

    def models(self, provider: str) -> list[tuple[str, Price]]:
        """Every model of a provider that has a price now, by name."""
        now = datetime.now(UTC)
        held = ((model.name, model.entry(now)) for model in self._of(provider).all)
        priced = ((name, entry.price(self._source)) for name, entry in held if entry)
        return sorted(priced, key=lambda one: one[0])

    def context_length(self, provider: str, model: str) -> int:
        """The context length of a model; 0 where the snapshot has none."""
        found = self._find(provider, model)
        return found.window if found else 0

    def _find(self, provider: str, model: str) -> _Model | None:
        name = model.lower().removeprefix("models/")
        models = self._of(provider)
        return models.named(name) or models.named(_DAY.sub(r"-\1-\2-\3", name))

    def _of(self, provider: str) -> _Models:
        if provider not in self._models:
            raw = self._file.providers.get(provider)
            models = decoded(raw, tuple[_Model, ...]) if raw else ()
            self._models[provider] = _Models(models)
        return self._models[provider]

    @property
    def _source(self) -> str:
        return f"prices of {self._file.date}"

    @cached_property
    def _file(self) -> _File:
        path = self._path or resource("prices.json")
        return decoded(path.read_bytes(), _File)

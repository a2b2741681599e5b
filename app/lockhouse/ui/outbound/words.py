"""A request in sentences: who gets it, what it may cost, which limits are near."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from lockhouse.answer.target import TargetInfo
from lockhouse.gate.costs.values import Estimate, Limits
from lockhouse.gate.outbound import Outbound
from lockhouse.gate.providers import is_this_machine
from lockhouse.gate.remote_requests import ProviderZone
from lockhouse.ui import formatting

NEAR = 0.8  # of a limit: from here on there is a warning


@dataclass(frozen=True, slots=True)
class LimitNow:
    """One spending limit, what is spent, and what this request may cost at most."""

    words: str  # "today"
    limit: Decimal
    spent: Decimal
    ceiling: Decimal | None = None

    @property
    def is_passed(self) -> bool:
        """Whether the request would exceed it."""
        return self.spent + (self.ceiling or Decimal(0)) > self.limit

    @property
    def is_near(self) -> bool:
        """Whether a warning is due."""
        return self.spent + (self.ceiling or Decimal(0)) > self.limit * Decimal(str(NEAR))


@dataclass(frozen=True, slots=True)
class Money:
    """The spending limits, and what was spent today and this month."""

    limits: Limits = field(default_factory=Limits)
    today: Decimal = Decimal(0)
    month: Decimal = Decimal(0)

    def with_ceiling(self, ceiling: Decimal | None) -> tuple[LimitNow, ...]:
        """Each limit that is set, with what a request may cost at most."""
        rows = (
            ("per question", self.limits.per_call, Decimal(0)),
            ("today", self.limits.per_day, self.today),
            ("this month", self.limits.per_month, self.month),
        )
        return tuple(
            LimitNow(words, limit, spent, ceiling)
            for words, limit, spent in rows
            if limit is not None
        )


def leaves(info: TargetInfo) -> bool:
    """Whether a question to it counts as sent elsewhere: to an API it always does."""
    return info.kind == "api" or info.leaves_machine


def host_name(host: str) -> str:
    """The host without the usual port."""
    return host.removesuffix(":443").removesuffix(":80")


HERE = "Server on this machine"


def zone_words(outbound: Outbound) -> str:
    """Where the recipient is."""
    if outbound.zone == "cloud":
        return "Outside your network"
    return HERE if _stays_here(outbound) else "On your own network"


def _stays_here(outbound: Outbound) -> bool:
    return all(is_this_machine(url) for url in outbound.endpoints)


def badge_words(info: TargetInfo, host: str) -> str:
    """The badge of an answer that came from an API or a server."""
    near = "Network" if info.leaves_machine else HERE
    what = "API" if info.kind == "api" else near
    return f"{what} · {host_name(host)}" if host else what


def recipient_sentence(outbound: Outbound) -> str:
    """Who gets what, in one sentence."""
    size = formatting.exact_bytes(len(outbound.body))
    near = "a server on this machine" if _stays_here(outbound) else "on your own network"
    where = "outside your network" if outbound.zone == "cloud" else near
    return f"Sends exactly what is shown here, {size}, to {host_name(outbound.host)}, {where}."


def cost_words(estimate: Estimate | None, zone: ProviderZone) -> str:
    """The expected cost, and the most that it can be."""
    if estimate is None:
        if zone == "lan":
            return "Free: your own server"
        return "Unknown: no price for this model"
    expected = formatting.money(estimate.expected.amount, estimate.expected.currency)
    most = estimate.ceiling
    ceiling = formatting.money(most.amount, most.currency, at_most=True)
    return f"about {expected}, at most {ceiling}"


def tokens_words(estimate: Estimate | None) -> str:
    """What the estimate is based on, and where its prices are from."""
    if estimate is None:
        return ""
    parts = [
        f"about {formatting.counted(estimate.prompt_tokens, 'token')} in",
        f"at most {estimate.max_tokens:,} out",
    ]
    if estimate.price.source:
        parts.append(estimate.price.source)
    return ", ".join(parts)


def limit_words(now: LimitNow) -> str:
    """One limit in words, with a warning where one is due."""
    spent, limit = formatting.money(now.spent), formatting.money(now.limit)
    if now.words == "per question":
        words = f"at most {limit} {now.words}"
    else:
        words = f"{spent} of {limit} spent {now.words}"
    if now.is_passed:
        return f"{words}: this would exceed it"
    return f"{words}: this may come close" if now.is_near else words


def destination_line(host: str, estimate: Estimate | None, zone: ProviderZone) -> str:
    """The line below the message box: where the next message is sent, and its cost."""
    line = f"Goes to {host_name(host)}"
    if estimate is not None and estimate.ceiling.amount:
        return f"{line} · {cost_words(estimate, zone)}"
    return line if zone == "lan" else f"{line} · price unknown"

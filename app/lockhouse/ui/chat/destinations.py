"""Who can answer, as it is offered: in groups, with what is in the way of each and the way on.

Pure values and words; looking them up is ``elsewhere``'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lockhouse.answer.target import TargetInfo
from lockhouse.ui import formatting
from lockhouse.ui.outbound.values import WAY_WORDS, Obstacle, WayOn
from lockhouse.ui.outbound.words import HERE, host_name, leaves

LEAVES = "Leaves this machine"
_GROUPS = {
    "local": "On this machine",
    "lan": "On your network",
    "api": "APIs, prices per million tokens",
}


@dataclass(frozen=True, slots=True)
class Destination:
    """One target, and what is in its way; a provider of which no model was chosen has no name."""

    info: TargetInfo
    obstacle: Obstacle | None = None
    is_suggested: bool = False  # becomes a target when it is taken
    sees: bool | None = None  # whether it looks at pictures; None: nobody says

    @property
    def is_elsewhere(self) -> bool:
        """Not a model of this machine."""
        return self.info.kind != "local"


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the picker."""

    kind: Literal["head", "target", "provider", "more"]
    title: str
    line: str = ""
    mark: str = ""  # what leaves, in a word
    way: WayOn = ""
    way_words: str = ""
    icon: str = ""
    destination: Destination | None = None
    is_current: bool = False

    @property
    def is_head(self) -> bool:
        """A heading, which cannot be taken."""
        return self.kind == "head"

    @property
    def spoken(self) -> str:
        """The whole line for a screen reader."""
        current = "chosen" if self.is_current else ""
        parts = (self.title, self.line, self.mark, self.way_words.rstrip("…"), current)
        return ", ".join(part for part in parts if part)


def price_words(info: TargetInfo) -> str:
    """What a million tokens cost, in and out."""
    if info.input_price is None or info.output_price is None:
        return "" if info.kind != "api" else "price not known"
    per_in = formatting.price(info.input_price, info.currency)
    return f"{per_in} in, {formatting.price(info.output_price, info.currency)} out"


def mark_words(info: TargetInfo) -> str:
    """What is said of where the words go; nothing for a model of this machine."""
    if info.kind == "local":
        return ""
    return LEAVES if leaves(info) else HERE


def choices(
    destinations: Sequence[Destination],
    *,
    words: str = "",
    current: str = "",
    elsewhere_only: bool = False,
    recent: Sequence[str] = (),
) -> list[Choice]:
    """The lines of the picker for what is typed into its search. Recently used ones come first."""
    wanted = words.casefold().split()
    order = {name: place for place, name in enumerate(recent)}
    found: list[Choice] = []
    for kind, title in _GROUPS.items():
        if elsewhere_only and kind == "local":
            continue
        group = [one for one in destinations if one.info.kind == kind and _fits(one, wanted)]
        if kind != "local":  # there the default stands first
            group.sort(key=lambda one: (*_readiness(one), order.get(one.info.name, len(order))))
        lines = [_choice(one, current) for one in group]
        if lines:
            found += [Choice("head", title), *lines]
    if not wanted:
        found.append(Choice("more", WAY_WORDS["providers"], icon="plus", way="providers"))
    return found


def _readiness(destination: Destination) -> tuple[bool, bool, bool]:
    """Who can answer now comes first, then what is a step away; whole providers at the end."""
    obstacle = destination.obstacle
    return (not destination.info.name, obstacle is not None, destination.is_suggested)


def _fits(destination: Destination, wanted: Iterable[str]) -> bool:
    info = destination.info
    told = f"{info.title} {info.name} {info.detail} {info.provider_title} {info.host}".casefold()
    return all(word in told for word in wanted)


def _choice(destination: Destination, current: str) -> Choice:
    info, obstacle = destination.info, destination.obstacle
    way: WayOn = obstacle.way if obstacle else ""
    way_words = WAY_WORDS.get(way, "")
    state = obstacle.word if obstacle else ""
    if not info.title and not info.name:
        way = way or "models"  # nothing is in the way but that none of them was chosen
        way_words = WAY_WORDS[way]
        line = " · ".join(part for part in (host_name(info.host), state) if part)
        return Choice(
            "provider",
            info.provider_title,
            line,
            mark_words(info),
            way,
            way_words,
            "key-round",
            destination,
        )
    where = host_name(info.host) if destination.is_elsewhere else ""
    parts = (info.provider_title if destination.is_elsewhere else "", info.detail, where)
    pieces = dict.fromkeys((*parts, price_words(info), state))
    return Choice(
        "target",
        info.title or info.name,
        " · ".join(part for part in pieces if part),
        mark_words(info),
        way,
        way_words,
        "cpu" if info.kind == "local" else "globe",
        destination,
        info.name == current,
    )

"""How numbers and times are written everywhere in the window."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal

# Not the locale's: Qt sets it, and the rest of the window is English.
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
NBSP = "\u00a0"


def local_now() -> dt.datetime:
    """Now, in the local time zone."""
    return dt.datetime.now().astimezone()


def short_time(moment: dt.datetime, now: dt.datetime) -> str:
    """10:24 today and yesterday, Mon within the week, 12 Nov this year, 3 Oct 2024 before."""
    local, days = _days_ago(moment, now)
    if days <= 1:
        return f"{local:%H:%M}"
    return _WEEKDAYS[local.weekday()] if days < 7 else _date(local, now)


def day(moment: dt.datetime, now: dt.datetime) -> str:
    """Today, Yesterday, 12 Nov, 3 Oct 2024."""
    local, days = _days_ago(moment, now)
    if days <= 1:
        return "Today" if days <= 0 else "Yesterday"
    return _date(local, now)


def day_group(moment: dt.datetime, now: dt.datetime) -> str:
    """The heading under which a list shows it: Today, Yesterday, Last week, then months."""
    local, days = _days_ago(moment, now)
    if days <= 1:
        return "Today" if days <= 0 else "Yesterday"
    if days <= 7:
        return "Last week"
    month = _MONTHS[local.month - 1]
    return month if local.year == now.year else f"{month} {local.year}"


def _days_ago(moment: dt.datetime, now: dt.datetime) -> tuple[dt.datetime, int]:
    """The moment in the time zone of ``now``, and how many days ago it was."""
    local = moment.astimezone(now.tzinfo)
    return local, (now.date() - local.date()).days


def _date(local: dt.datetime, now: dt.datetime) -> str:
    date = f"{local.day}{NBSP}{_MONTHS[local.month - 1][:3]}"
    return date if local.year == now.year else f"{date}{NBSP}{local.year}"


def size(size_bytes: float) -> str:
    """Decimal units: 812 B, 98 MB, 5.0 GB."""
    if size_bytes < 1000:
        return f"{size_bytes:.0f}{NBSP}B"
    for unit in ("kB", "MB"):
        size_bytes /= 1000
        if size_bytes < 999.5:
            return f"{size_bytes:.0f}{NBSP}{unit}"
    size_bytes /= 1000
    if size_bytes < 999.5:
        return f"{size_bytes:.1f}{NBSP}GB"
    return f"{size_bytes / 1000:.1f}{NBSP}TB"


def exact_bytes(size_bytes: int) -> str:
    """1,204 bytes."""
    return f"{size_bytes:,} byte{'' if size_bytes == 1 else 's'}"


def gigabytes(size_bytes: float) -> str:
    """The number alone in GB, for '14.2 of 32 GB'."""
    value = size_bytes / 1e9
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def tokens(count: int) -> str:
    """412, 2.9k, 16k, 131k."""
    if count < 1000:
        return str(count)
    thousands = count / 1000
    if thousands < 9.95:
        return f"{thousands:.1f}k".replace(".0k", "k")
    return f"{thousands:.0f}k"


def counted(count: int, noun: str, plural: str = "") -> str:
    """1 chat, 2 chats, 1,024 tokens."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def seconds(duration_s: float) -> str:
    """0.04 s, 0.9 s, 12 s, 2 min 5 s."""
    if duration_s < 0.095:
        return f"{duration_s:.2f}{NBSP}s"
    if duration_s < 9.95:
        return f"{duration_s:.1f}{NBSP}s"
    if duration_s < 60:
        return f"{duration_s:.0f}{NBSP}s"
    minutes, rest = divmod(round(duration_s), 60)
    return f"{minutes}{NBSP}min {rest}{NBSP}s"


def speed(tokens_per_s: float) -> str:
    """11.8 tok/s, 412 tok/s."""
    figure = f"{tokens_per_s:.0f}" if tokens_per_s >= 100 else f"{tokens_per_s:.1f}"
    return f"{figure}{NBSP}tok/s"


def money(amount: Decimal, currency: str = "USD", *, at_most: bool = False) -> str:
    """$0.0021, $0.06, $1.50; in another currency 1.50 EUR. ``at_most`` rounds up."""
    if amount == 0:
        return _with_sign("0", currency)
    places = 2 if amount >= Decimal("0.1") else 1 - amount.adjusted()
    rounding = ROUND_UP if at_most else ROUND_HALF_EVEN
    rounded = amount.quantize(Decimal(1).scaleb(-places), rounding=rounding)
    whole, _, cents = f"{rounded:,f}".partition(".")
    return _with_sign(f"{whole}.{cents.rstrip('0'):0<2}", currency)


def _with_sign(figure: str, currency: str) -> str:
    return f"${figure}" if currency == "USD" else f"{figure}{NBSP}{currency}"


def price(per_million: Decimal, currency: str = "USD") -> str:
    """What a million tokens cost: $0.40, $15, $0.075."""
    figure = f"{per_million.normalize():f}"
    whole, _, cents = figure.partition(".")
    return _with_sign(f"{whole}.{cents:0<2}" if cents else whole, currency)


def joules(energy_j: float) -> str:
    """about 12 J, about 1.4 kJ, about 2.1 Wh."""
    if energy_j < 1000:
        return f"about {max(1, round(energy_j))}{NBSP}J"
    if energy_j < 3600:
        return f"about {energy_j / 1000:.1f}{NBSP}kJ"
    return f"about {energy_j / 3600:.1f}{NBSP}Wh"


def percent(fraction: float) -> str:
    """62 %."""
    return f"{round(min(max(fraction, 0.0), 1.0) * 100)}{NBSP}%"


def short_name(name: str, most: int = 36) -> str:
    """A name with its middle left out where it is longer than any that people give."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


def short_hash(digest: str) -> str:
    """The first and last characters of a digest, to compare by eye."""
    return digest if len(digest) <= 16 else f"{digest[:8]}…{digest[-6:]}"


def told_apart(titles: Sequence[tuple[str, str]]) -> dict[str, str]:
    """A label for each name: its title, with the name added where titles are equal."""
    shared = Counter(title for _, title in titles)
    return {
        name: (f"{title} ({name})" if shared[title] > 1 else title) if title else name
        for name, title in titles
    }


def moment_of(at: str | None) -> dt.datetime | None:
    """A stored time; None for what is not one."""
    try:
        moment = dt.datetime.fromisoformat(at or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def full_time(at: str) -> str:
    """A stored time as 22 Nov 2026, 10:12:04."""
    moment = moment_of(at)
    if moment is None:
        return at
    local = moment.astimezone()
    return f"{local.day} {local:%b %Y, %H:%M:%S}"


def clock(at: str, now: dt.datetime) -> str:
    """A stored time as "at 10:12" today, "on 21 Nov at 10:12" before."""
    moment = moment_of(at)
    if moment is None:
        return ""
    local = moment.astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"at {local:%H:%M}"
    return f"on {local.day} {local:%b} at {local:%H:%M}"


def latency(duration_s: float) -> str:
    """12 ms, 1.4 s."""
    if duration_s < 1:
        return f"{max(1, round(duration_s * 1000))}{NBSP}ms"
    return seconds(duration_s)
